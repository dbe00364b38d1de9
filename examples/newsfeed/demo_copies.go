package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/newsfeed/attack"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/replica"
)

// unversioned forgets what a reader must be shown at least.
type unversioned struct{ feed.Copies }

func (u unversioned) Read(uint64) feed.Store { return u.Copies.Read(0) }

// ownPosts is claim d: authors post over HTTP, look at once whether it is there, and go on looking for three lags. The control reads from
// whichever follower has its turn.
func (c *config) ownPosts(versioned bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		asked := func(o *local.Options) { o.Replicas.Sync = c.sync }
		return c.with(ctx, env, asked, func(s *local.System) (facts claim.Facts, err error) {
			if !versioned {
				s.Service.Copies = unversioned{s.Copies}
			}
			authors := attack.People("author", max(env.Size(40), 8))
			facts = claim.Facts{"posts": float64(len(authors)), "reads": 0, "missed": 0}
			before := s.Copies.Stats()
			err = exchange.Online(ctx, s.Front, func(url string) error {
				transport := &http.Transport{MaxIdleConnsPerHost: len(authors)}
				defer transport.CloseIdleConnections()
				var mu sync.Mutex
				return workload.Each(ctx, len(authors), len(authors), func(ctx context.Context, i, _ int) error {
					reads, missed, err := attack.Vain(ctx, transport, url, authors[i], workload.Rand(env.Seed, 60+uint64(i)), c.travel(env))
					mu.Lock()
					defer mu.Unlock()
					facts["reads"] += float64(reads)
					facts["missed"] += float64(missed)
					return err
				})
			})
			after := s.Copies.Stats()
			facts["primary-reads"], facts["follower-reads"] = float64(after.Primary-before.Primary), float64(after.Followers-before.Followers)
			facts["primary-share"] = facts["primary-reads"] / facts["reads"]
			return facts, err
		})
	}
}

// failOver is claim f: writers write, the primary dies with all that it has, and half a lag later the follower that is furthest takes
// its place. The copies are in the memory of this process whatever engines are asked for: a primary that can be killed in a demo.
func (c *config) failOver(synchronous bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		lag := c.travel(env)
		s := replica.New(ctx, feed.NewMemory(), replica.Options{Followers: c.replicas, Lag: lag, Sync: synchronous})
		defer s.Close()
		var l attack.Ledger
		writing, stop := context.WithTimeout(ctx, 4*lag)
		defer stop()
		var all sync.WaitGroup
		for w := range 32 {
			all.Go(func() { l.Write(writing, s, w) })
		}
		attack.Wait(ctx, 2*lag)
		s.Kill()
		attack.Wait(ctx, lag/2) // nobody takes it for dead sooner
		before := l.Len()
		if _, err := s.Promote(); err != nil {
			return nil, err
		}
		all.Wait()
		return l.Audit(ctx, s, before)
	}
}
