package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
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

// book is what should be: who follows whom, and which posts there are.
type book struct {
	follows map[string]map[string]bool // reader, author
	posts   []feed.Post                // in order
}

func (b *book) home(reader string) (texts []string) {
	for _, p := range slices.Backward(b.posts) {
		if b.follows[reader][p.Author] {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

// history runs the attack under one strategy.
func (c *config) history(ctx context.Context, env claim.Env, strategy feed.Strategy, look func(feed.Store) feed.Store) (claim.Facts, error) {
	return c.with(ctx, env, func(o *local.Options) { o.Strategy = strategy }, func(s *local.System) (claim.Facts, error) {
		o := &observed{Copies: s.Copies, look: look}
		s.Service.Copies = o
		h := &histor{s: s, rng: workload.Rand(env.Seed, 10), crowd: people("fan", env.Size(c.celebrity)), authors: people("author", 40), readers: people("reader", 20)}
		h.book.follows = make(map[string]map[string]bool)
		if err := h.begin(ctx); err != nil {
			return nil, err
		}
		for i := range env.Size(400) {
			env.Note("a: %s, event %d", strategy, i)
			if err := h.event(ctx, i); err != nil {
				return nil, err
			}
		}
		return h.measure(ctx, env, o, env.Size(100))
	})
}

// histor makes a history and keeps the book. One account is a star from the beginning; another becomes one: it has one follower
// too few until the last reader joins, so its first posts are pushed and later ones pulled.
type histor struct {
	s                       *local.System
	rng                     *rand.Rand
	crowd, authors, readers []string
	book                    book
}

func (h *histor) begin(ctx context.Context) error {
	if err := follow(ctx, h.s, []string{"star"}, h.crowd); err != nil {
		return err
	}
	if err := follow(ctx, h.s, []string{"rising"}, h.crowd[len(h.readers)/2:]); err != nil {
		return err
	}
	popular := append([]string{"star"}, h.authors[:len(h.authors)/2]...)
	for _, reader := range h.readers {
		h.book.follows[reader] = make(map[string]bool)
		for _, author := range popular {
			h.book.follows[reader][author] = true
		}
	}
	return follow(ctx, h.s, popular, h.readers)
}

func (h *histor) follow(ctx context.Context, reader, author string) error {
	h.book.follows[reader][author] = true
	_, err := h.s.Service.Follow(ctx, reader, author)
	return err
}

func (h *histor) publish(ctx context.Context, author, text string) error {
	p, _, err := h.s.Service.Publish(ctx, author, text)
	h.book.posts = append(h.book.posts, p)
	return err
}

// event is a post, mostly.
func (h *histor) event(ctx context.Context, i int) error {
	reader, author := h.readers[h.rng.IntN(len(h.readers))], h.authors[h.rng.IntN(len(h.authors))]
	switch draw := h.rng.IntN(100); {
	case i%200 == 0:
		return h.publish(ctx, "star", fmt.Sprint(i))
	case i == 10 || i == 35 || i%250 == 60:
		return h.publish(ctx, "rising", fmt.Sprint(i))
	case i%5 == 1:
		return h.follow(ctx, h.readers[i/5%len(h.readers)], "rising")
	case draw < 10:
		return h.follow(ctx, reader, author)
	case draw < 15:
		delete(h.book.follows[reader], author)
		_, err := h.s.Service.Unfollow(ctx, reader, author)
		return err
	case draw < 20 && len(h.book.posts) > 0:
		n := h.rng.IntN(len(h.book.posts))
		p := h.book.posts[n]
		h.book.posts = slices.Delete(h.book.posts, n, n+1)
		_, err := h.s.Service.Delete(ctx, p.Author, p.ID)
		return err
	}
	return h.publish(ctx, author, fmt.Sprint(i))
}

// measure compares, and counts what some more posts and one view by each reader cost.
func (h *histor) measure(ctx context.Context, env claim.Env, o *observed, posts int) (claim.Facts, error) {
	if err := settle(ctx, env, h.s); err != nil {
		return nil, err
	}
	const rows = `SELECT count(*) FROM timeline`
	before, err := count(ctx, h.s, rows)
	if err != nil {
		return nil, err
	}
	for i := range posts {
		author := h.authors[i%len(h.authors)]
		if i%100 == 0 {
			author = "star"
		}
		if err := h.publish(ctx, author, fmt.Sprintf("more %d", i)); err != nil {
			return nil, err
		}
	}
	if err := settle(ctx, env, h.s); err != nil {
		return nil, err
	}
	after, err := count(ctx, h.s, rows)
	if err != nil {
		return nil, err
	}
	facts := claim.Facts{"compared": 0, "differing": 0, "writes": (after - before) / float64(posts), "lists": 0}
	o.lists.Store(0)
	for _, reader := range slices.Sorted(maps.Keys(h.book.follows)) {
		pager, err := h.s.Service.Home(ctx, reader, h.s.Copies.Written())
		if err != nil {
			return nil, err
		}
		var texts []string
		for p, err := range pager.All(ctx, pagination.Request{}) {
			if err != nil {
				return nil, err
			}
			texts = append(texts, p.Text)
		}
		facts["compared"]++
		if !slices.Equal(texts, h.book.home(reader)) {
			facts["differing"]++
		}
	}
	facts["lists"] = float64(o.lists.Load()) / facts["compared"]
	return facts, nil
}
