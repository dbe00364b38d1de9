package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
)

// claims are what this program says of itself, each with the attack and with the naive way.
func (c *config) claims() []claim.Claim { return append(c.listClaims(), c.copyClaims()...) }

// listClaims are about what readers see, and how it gets there.
func (c *config) listClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "a", Text: "three strategies, one timeline",
			Run: c.strategies, Holds: func(f claim.Facts) bool {
				return f.Over("compared", 0) && f.Is("differing", 0) && f.Over("crossover", 0) &&
					f.AtMost("writes-hybrid", 0.75*f["writes-write"]) && f.Is("writes-read", 0) && f.AtMost("lists-hybrid", f["lists-read"]/2)
			},
			ControlText: "hybrid that forgets whom to pull",
			Control:     c.forgetful, Breaks: func(f claim.Facts) bool { return f.Over("differing", 0) },
			Show: []string{"compared", "differing", "writes-write", "writes-hybrid", "writes-read", "lists-write", "lists-hybrid", "lists-read", "crossover"},
		},
		{
			ID: "b", Text: "paging at 200 changes a second",
			Run: c.paged(""), Holds: func(f claim.Facts) bool {
				return f.Over("seen", 0) && f.Over("came", 0) && f.Over("went", 0) && f.Is("duplicates", 0) && f.Is("missed", 0)
			},
			ControlText: "pages by offset",
			Control:     c.paged("offset=0&"), Breaks: func(f claim.Facts) bool { return f.Over("duplicates", 0) && f.Over("missed", 0) },
			Show: []string{"present", "came", "went", "seen", "duplicates", "missed"},
		},
		{
			ID: "c", Text: "consumers die in mid-batch",
			Run: c.mortal, Holds: func(f claim.Facts) bool {
				return f.Over("posts", 0) && f.Is("lost", 0) && f.Is("doubled", 0) && f.Over("redelivered", 0) && f.Is("dead-letters", 1) && f.AtMost("looked", f["posts"]/2)
			},
			ControlText: "no idempotency key; acknowledge first",
			Control:     c.careless, Breaks: func(f claim.Facts) bool { return f.Over("doubled", 0) && f.Over("lost", 0) },
			Show: []string{"posts", "killed", "redelivered", "looked", "lost", "doubled", "dead-letters"},
		},
	}
}

// copyClaims are about copies, load and order.
func (c *config) copyClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "d", Text: "authors see their own posts",
			Run: c.ownPosts(true), Holds: func(f claim.Facts) bool {
				return f.Over("reads", 0) && f.Is("missed", 0) && f.Over("follower-reads", 0) && f.AtMost("primary-share", 0.5)
			},
			ControlText: "any follower",
			Control:     c.ownPosts(false), Breaks: func(f claim.Facts) bool { return f.Over("missed", 0) },
			Show: []string{"posts", "reads", "missed", "follower-reads", "primary-reads", "primary-share"},
		},
		{
			ID: "e", Text: "a tenfold spike",
			Run: c.spike, Holds: func(f claim.Facts) bool {
				return f.Over("accepted", 0) && f.Is("delivered", f["accepted"]) && f.Is("rejected", 0) && f.Over("depth-max", 0) &&
					f.Over("probe-ms", 0) && f.AtMost("p99-ms", 250+4*f["probe-ms"])
			},
			ControlText: "no queue: the request does the work",
			Control:     c.spikeInline, Breaks: func(f claim.Facts) bool { return f.Over("rejected", 0) },
			Show: []string{"sent", "accepted", "rejected", "delivered", "depth-max", "depth", "p50-ms", "p99-ms", "probe-ms"},
		},
		{
			ID: "f", Text: "the primary dies, the most advanced takes over",
			Run: c.failOver(true), Holds: func(f claim.Facts) bool {
				return f.Over("acked-before", 0) && f.Over("acked-after", 0) && f.Is("lost", 0)
			},
			ControlText: "asynchronous",
			Control:     c.failOver(false), Breaks: func(f claim.Facts) bool { return f.Over("lost", 0) },
			Show: []string{"acked-before", "acked-after", "lost", "latency-ms"},
		},
		{
			ID: "g", Text: "order per author with 8 workers",
			Run: c.ordered(true), Holds: func(f claim.Facts) bool { return f.Over("delivered", 0) && f.Is("out-of-order", 0) },
			ControlText: "any worker takes any message",
			Control:     c.ordered(false), Breaks: func(f claim.Facts) bool { return f.Over("out-of-order", 0) },
			Show: []string{"authors", "workers", "delivered", "out-of-order"},
		},
	}
}

// with runs an attack on a fresh system.
func (c *config) with(ctx context.Context, env claim.Env, change func(o *local.Options), attack func(s *local.System) (claim.Facts, error)) (facts claim.Facts, err error) {
	dir, err := os.MkdirTemp("", "sysblocks-newsfeed-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o := c.options()
	o.Engines, o.Dir, o.Fresh, o.Celebrity, o.Replicas.Lag = env.Engines, dir, true, env.Size(c.celebrity), c.travel(env)
	o.Replicas.Sync = false // only claims d and f are about copies; the others would wait and show nothing
	if change != nil {
		change(&o)
	}
	s, err := local.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return attack(s)
}

// travel is the lag; a quarter with -quick.
func (c *config) travel(env claim.Env) time.Duration {
	if env.Quick {
		return c.lag / 4
	}
	return c.lag
}

// count asks the tables of the primary.
func count(ctx context.Context, s *local.System, query string) (n float64, err error) {
	err = s.Engines.SQL.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
