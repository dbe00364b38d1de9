package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
)

// claims are what this program says of itself, each with the attack and with the naive way.
func (c *config) claims() []claim.Claim { return append(c.innerClaims(), c.outerClaims()...) }

// innerClaims are about what happens behind HTTP.
func (c *config) innerClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "a", Text: "no two links share a code",
			Run: c.distinct, Holds: func(f claim.Facts) bool {
				return f.Over("codes", 0) && f.Is("duplicates", 0) && f.Is("letters-segment", 7) && f.Is("letters-snowflake", 11)
			},
			ControlText: "random letters",
			Control:     drawn, Breaks: func(f claim.Facts) bool { return f.Over("duplicates", 0) },
			Show: []string{"codes", "instances", "duplicates", "letters-segment", "letters-snowflake", "letters", "expected"},
		},
		{
			ID: "b", Text: "the cache accounts for every read",
			Run: c.cached, Holds: func(f claim.Facts) bool {
				return f.Over("hits", 0) && f.Is("requests", f["hits"]+f["misses"]) && f.Is("store-reads", f["misses"]-f["coalesced"]) && f.AtMost("points-apart", 2)
			},
			ControlText: "no cache",
			Control:     c.uncached, Breaks: func(f claim.Facts) bool { return f.Over("requests", 0) && f.Is("store-reads", f["requests"]) },
			Show: []string{"requests", "hits", "misses", "coalesced", "store-reads", "hit-ratio", "alone", "points-apart"},
		},
		{
			ID: "c", Text: "codes that nobody made stay outside",
			Run: c.flooded(true), Holds: func(f claim.Facts) bool {
				return f.Over("unknown", 0) && f.AtMost("store-lookups", f["bound"]) && f.Over("existing", 0) && f.Is("refused-existing", 0)
			},
			ControlText: "no filter",
			Control:     c.flooded(false), Breaks: func(f claim.Facts) bool { return f.Over("unknown", 0) && f.Is("store-lookups", f["unknown"]) },
			Show: []string{"unknown", "store-lookups", "bound", "existing", "refused-existing"},
		},
		{
			ID: "d", Text: "a hot link that expires costs one read",
			Run: c.stampede(true), Holds: func(f claim.Facts) bool {
				return f.Over("readers", 1) && f.Is("answered", f["readers"]) && f.Is("store-reads", 1)
			},
			ControlText: "look, read, put",
			Control:     c.stampede(false), Breaks: func(f claim.Facts) bool { return f.Over("store-reads", 100) },
			Show: []string{"readers", "answered", "store-reads"},
		},
	}
}

// outerClaims are about what clients see.
func (c *config) outerClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "e", Text: "one quota for four instances, and honest advice",
			Run: c.greedy, Holds: func(f claim.Facts) bool {
				return f.Over("windows", 0) && f.Is("over-quota", 0) && f.Over("retries", 0) && f.Is("retry-too-early", 0)
			},
			ControlText: "a limiter in each instance",
			Control:     c.greedyApart, Breaks: func(f claim.Facts) bool { return f.Over("over-quota", 0) && f.Over("times-quota", 2) },
			Show: []string{"requests", "admitted", "quota", "times-quota", "windows", "over-quota", "retries", "retry-too-early"},
		},
		{
			ID: "f", Text: "HTTP as in the table of exchanges",
			Run: c.contract, Holds: func(f claim.Facts) bool { return f.Is("exchanges", 24) && f.Is("wrong", 0) },
			ControlText: "200 to everything",
			Control:     agreeable, Breaks: func(f claim.Facts) bool { return f.Over("wrong", 15) },
			Show: []string{"exchanges", "wrong"},
		},
		{
			ID: "g", Text: "\"my links\" while links come and go",
			Run: c.paged(""), Holds: func(f claim.Facts) bool {
				return f.Over("seen", 0) && f.Over("came", 0) && f.Over("went", 0) && f.Is("duplicates", 0) && f.Is("missed", 0)
			},
			ControlText: "pages by offset",
			Control:     c.paged("offset=0&"), Breaks: func(f claim.Facts) bool { return f.Over("duplicates", 0) && f.Over("missed", 0) },
			Show: []string{"links", "came", "went", "seen", "duplicates", "missed"},
		},
	}
}

// with runs an attack on a fresh system. size is the number of links that filter and caches are made for.
func (c *config) with(ctx context.Context, env claim.Env, size int, attack func(s *local.System) (claim.Facts, error)) (facts claim.Facts, err error) {
	dir, err := os.MkdirTemp("", "sysblocks-tinyurl-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := local.Open(ctx, local.Options{Engines: env.Engines, Dir: dir, Fresh: true, Codes: c.codes, Cache: c.cache, Links: size})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return attack(s)
}

const workers = 8

// fill creates n links, at all instances in turn, and returns their codes.
func fill(ctx context.Context, env claim.Env, s *local.System, n int) ([]string, error) {
	codes := make([]string, n)
	return codes, workload.Each(ctx, workers, n, func(ctx context.Context, _, i int) error {
		env.Note("%d of %d links created", i, n)
		l, err := s.Services[i%local.Instances].Create(ctx, links.Link{URL: fmt.Sprint("https://example.com/", i), Owner: "ada"})
		codes[i] = l.Code
		return err
	})
}

// counted counts the reads of a store, outside the system under test.
type counted struct {
	links.Store
	reads atomic.Int64
}

func (c *counted) Get(ctx context.Context, code string) (links.Link, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, code)
}

// count puts a counter between the instances and their store.
func count(s *local.System) *counted {
	c := &counted{Store: s.Store}
	for _, service := range s.Services {
		service.Store = c
	}
	return c
}
