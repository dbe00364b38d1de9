package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/newsfeed/attack"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/pagination"
)

// strategies is claim a: one history of posts, deletions, follows and unfollows under each strategy. What readers then see is compared
// with a book that was kept beside, and the rows written and lists read are counted.
func (c *config) strategies(ctx context.Context, env claim.Env) (claim.Facts, error) {
	facts := claim.Facts{"compared": 0, "differing": 0}
	for _, strategy := range []feed.Strategy{feed.OnWrite, feed.Hybrid, feed.OnRead} {
		one, err := c.history(ctx, env, strategy, func(s feed.Store) feed.Store { return s })
		if err != nil {
			return nil, err
		}
		facts["compared"] += one["compared"]
		facts["differing"] += one["differing"]
		facts["writes-"+string(strategy)], facts["lists-"+string(strategy)] = one["writes"], one["lists"]
	}
	// On write, a post costs writes and a view lists-write; on read, a post costs nothing here and a view lists-read. So many views of a
	// post make them equal; with more, writing is cheaper.
	facts["crossover"] = (facts["writes-write"] - facts["writes-read"]) / (facts["lists-read"] - facts["lists-write"])
	return facts, nil
}

// oblivious knows of nobody whose posts must be fetched.
type oblivious struct{ feed.Store }

func (oblivious) Pulled(context.Context, string) ([]string, error) { return nil, nil }

// forgetful is the control of claim a.
func (c *config) forgetful(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.history(ctx, env, feed.Hybrid, func(s feed.Store) feed.Store { return oblivious{s} })
}

// observed counts the lists that are read, and lets the control look.
type observed struct {
	feed.Copies
	look  func(feed.Store) feed.Store
	lists atomic.Int64
}

func (o *observed) Read(version uint64) feed.Store { return reads{o.look(o.Copies.Read(version)), o} }

type reads struct {
	feed.Store
	o *observed
}

func (r reads) Timeline(reader string) pagination.Source[feed.Post] {
	return r.o.counted(r.Store.Timeline(reader))
}

func (r reads) ByAuthor(author string, pulled bool) pagination.Source[feed.Post] {
	return r.o.counted(r.Store.ByAuthor(author, pulled))
}

func (o *observed) counted(list pagination.Source[feed.Post]) pagination.Source[feed.Post] {
	o.lists.Add(1)
	return list
}

// history runs the attack under one strategy.
func (c *config) history(ctx context.Context, env claim.Env, strategy feed.Strategy, look func(feed.Store) feed.Store) (claim.Facts, error) {
	return c.with(ctx, env, func(o *local.Options) { o.Strategy = strategy }, func(s *local.System) (claim.Facts, error) {
		o := &observed{Copies: s.Copies, look: look}
		s.Service.Copies = o
		h, err := attack.NewHistory(ctx, s, env.Seed, env.Size(c.celebrity))
		if err != nil {
			return nil, err
		}
		for i := range env.Size(400) {
			env.Note("a: %s, event %d", strategy, i)
			if err := h.Event(ctx, i); err != nil {
				return nil, err
			}
		}
		facts := claim.Facts{}
		if facts["writes"], err = writes(ctx, env, s, h); err != nil {
			return nil, err
		}
		o.lists.Store(0)
		compared, differing, err := h.Compare(ctx)
		facts["compared"], facts["differing"] = float64(compared), float64(differing)
		facts["lists"] = float64(o.lists.Load()) / facts["compared"]
		return facts, err
	})
}

// writes is what a post costs: rows in the timelines, for a hundred posts of which one is the star's.
func writes(ctx context.Context, env claim.Env, s *local.System, h *attack.History) (float64, error) {
	const rows, posts = `SELECT count(*) FROM timeline`, 100
	if err := attack.Settle(ctx, env, s); err != nil {
		return 0, err
	}
	before, err := count(ctx, s, rows)
	if err != nil {
		return 0, err
	}
	for i := range posts {
		author := h.Author(i)
		if i == 0 {
			author = "star"
		}
		if err := h.Publish(ctx, author, fmt.Sprintf("more %d", i)); err != nil {
			return 0, err
		}
	}
	if err := attack.Settle(ctx, env, s); err != nil {
		return 0, err
	}
	after, err := count(ctx, s, rows)
	return (after - before) / posts, err
}
