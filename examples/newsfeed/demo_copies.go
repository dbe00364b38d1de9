package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/replica"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
	"github.com/sysblocks/sysblocks/idgen"
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
			authors := people("author", max(env.Size(40), 8))
			facts = claim.Facts{"posts": float64(len(authors)), "reads": 0, "missed": 0}
			before := s.Copies.Stats()
			err = exchange.Online(ctx, s.Front, func(url string) error {
				transport := &http.Transport{MaxIdleConnsPerHost: len(authors)}
				defer transport.CloseIdleConnections()
				var mu sync.Mutex
				return workload.Each(ctx, len(authors), len(authors), func(ctx context.Context, i, _ int) error {
					reads, missed, err := vain(ctx, transport, url, authors[i], workload.Rand(env.Seed, 60+uint64(i)), c.travel(env))
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

// vain is an author who posts and looks at his feed again and again.
func vain(ctx context.Context, transport http.RoundTripper, url, author string, rng *rand.Rand, lag time.Duration) (reads, missed int, err error) {
	client, err := web.NewClient(transport, url, author)
	if err != nil {
		return 0, 0, err
	}
	status, mine, err := client.Publish(ctx, "look at me")
	if err != nil || status != http.StatusCreated {
		return 0, 0, errors.Join(err, fmt.Errorf("publish: status %d", status))
	}
	posted := time.Now()
	looks := make([]time.Duration, 20) // the first one at once
	for i := range looks[1:] {
		looks[i+1] = time.Duration(rng.Int64N(int64(3 * lag)))
	}
	slices.Sort(looks)
	for _, at := range looks {
		if !wait(ctx, at-time.Since(posted)) {
			return reads, missed, ctx.Err()
		}
		posts, err := client.Home(ctx)
		if err != nil {
			return reads, missed, err
		}
		reads++
		if !slices.ContainsFunc(posts, func(p feed.Post) bool { return p.ID == mine.ID }) {
			missed++
		}
	}
	return reads, missed, nil
}

// failOver is claim f: writers write, the primary dies with all that it has, and half a lag later the follower that is furthest takes
// its place. The copies are in the memory of this process whatever engines are asked for: a primary that can be killed in a demo.
func (c *config) failOver(synchronous bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		lag := c.travel(env)
		s := replica.New(ctx, feed.NewMemory(), replica.Options{Followers: c.replicas, Lag: lag, Sync: synchronous})
		defer s.Close()
		l := &ledger{acked: make(map[idgen.ID]bool)}
		writing, stop := context.WithTimeout(ctx, 4*lag)
		defer stop()
		var all sync.WaitGroup
		for w := range 32 {
			all.Go(func() { l.write(writing, s, w) })
		}
		wait(ctx, 2*lag)
		s.Kill()
		wait(ctx, lag/2) // nobody takes it for dead sooner
		before := l.len()
		if _, err := s.Promote(); err != nil {
			return nil, err
		}
		all.Wait()
		return l.audit(ctx, s, before)
	}
}

// ledger remembers what writers were told.
type ledger struct {
	mu    sync.Mutex
	acked map[idgen.ID]bool
	took  time.Duration
}

// write writes until ctx ends. What is refused or in doubt is not counted, and tried again under another number.
func (l *ledger) write(ctx context.Context, s *replica.Set, writer int) {
	for n := 1; wait(ctx, 2*time.Millisecond); n++ {
		id, began := idgen.ID(writer*1_000_000+n), time.Now()
		if _, err := s.Write(ctx, feed.Change{Kind: feed.Published, ID: id, Author: fmt.Sprint(writer), Text: "."}); err == nil {
			l.mu.Lock()
			l.acked[id] = true
			l.took += time.Since(began)
			l.mu.Unlock()
		}
	}
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// audit asks the new primary for everything that was acknowledged.
func (l *ledger) audit(ctx context.Context, s *replica.Set, before int) (claim.Facts, error) {
	facts := claim.Facts{"acked-before": float64(before), "acked-after": float64(len(l.acked) - before), "lost": 0}
	facts["latency-ms"] = l.took.Seconds() * 1000 / max(float64(len(l.acked)), 1)
	for id := range l.acked {
		found, err := s.Primary().Posts(ctx, id)
		if err != nil {
			return nil, err
		}
		if _, kept := found[id]; !kept {
			facts["lost"]++
		}
	}
	return facts, nil
}
