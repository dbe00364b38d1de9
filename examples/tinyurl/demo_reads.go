package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/lru"
)

// zipf is the exponent of the popularity of links; measured web traffic lies between 0.6 and 1.
const zipf = 0.9

// readers draw codes. Reader w asks instance w mod 4, always in the same order for one seed.
type readers struct {
	codes []string
	zipf  *workload.Zipf
	rng   [workers]*rand.Rand
}

func newReaders(env claim.Env, codes []string) *readers {
	r := &readers{codes: codes, zipf: workload.NewZipf(len(codes), zipf)}
	for w := range r.rng {
		r.rng[w] = workload.Rand(env.Seed, 20+uint64(w))
	}
	return r
}

func (r *readers) next(worker int) string { return r.codes[r.zipf.Next(r.rng[worker])] }

// cached is claim b: popular links are read through the instances, and every read must be found again in the books.
func (c *config) cached(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.read(ctx, env, env.Size(100_000), func(s *local.System, instance int) func(context.Context, string) (links.Link, error) {
		return s.Services[instance].Resolve
	})
}

// uncached is its control: every read goes to the store.
func (c *config) uncached(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.read(ctx, env, env.Size(20_000), func(s *local.System, instance int) func(context.Context, string) (links.Link, error) {
		return s.Services[instance].Store.Get
	})
}

func (c *config) read(
	ctx context.Context, env claim.Env, n int, way func(s *local.System, instance int) func(context.Context, string) (links.Link, error),
) (claim.Facts, error) {
	size := env.Size(5000)
	return c.with(ctx, env, size, func(s *local.System) (claim.Facts, error) {
		codes, err := fill(ctx, env, s, size)
		if err != nil {
			return nil, err
		}
		store, load := count(s), newReaders(env, codes)
		err = workload.Each(ctx, workers, n, func(ctx context.Context, worker, i int) error {
			env.Note("b: %d of %d reads", i, n)
			_, err := way(s, worker%local.Instances)(ctx, load.next(worker))
			return err
		})
		if err != nil {
			return nil, err
		}
		alone, err := c.replay(newReaders(env, codes), n)
		facts := claim.Facts{"requests": float64(n), "store-reads": float64(store.reads.Load()), "alone": alone}
		for _, service := range s.Services {
			stats := service.Stats()
			facts["hits"] += float64(stats.Hits)
			facts["misses"] += float64(stats.Misses)
			facts["coalesced"] += float64(stats.Shared)
		}
		facts["hit-ratio"] = facts["hits"] / facts["requests"]
		facts["points-apart"] = 100 * math.Abs(facts["hit-ratio"]-alone)
		return facts, err
	})
}

// replay gives the same reads to caches of the same size that stand alone, and returns their hit ratio.
func (c *config) replay(load *readers, n int) (float64, error) {
	var caches [local.Instances]*lru.Cache[string, bool]
	for i := range caches {
		var err error
		if caches[i], err = lru.New(max(int(c.cache*float64(len(load.codes))), 1), lru.Options[string, bool]{}); err != nil {
			return 0, err
		}
	}
	hits := 0
	for i := range n {
		code := load.next(i % workers)
		cache := caches[i%workers%local.Instances]
		if _, hit := cache.Get(code); hit {
			hits++
		} else {
			cache.Set(code, true)
		}
	}
	return float64(hits) / float64(n), nil
}

// flooded is claim c: codes that nobody made, one after the other, all different. The filter has a quarter of room left. Each existing one is asked for at an instance
// that has not made it.
func (c *config) flooded(filtered bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		size, n := env.Size(5000), env.Size(100_000)
		return c.with(ctx, env, size*5/4, func(s *local.System) (claim.Facts, error) {
			codes, err := fill(ctx, env, s, size)
			if err != nil {
				return nil, err
			}
			if !filtered {
				for _, service := range s.Services {
					service.Filter = local.Anything{}
				}
			}
			var refused, found atomic.Int64
			for i, code := range codes {
				if _, err := s.Services[(i+1)%local.Instances].Resolve(ctx, code); errors.Is(err, links.ErrNotFound) {
					refused.Add(1)
				} else if err != nil {
					return nil, err
				}
			}
			store, invented := count(s), invented(env, n)
			err = workload.Each(ctx, workers, n, func(ctx context.Context, worker, i int) error {
				env.Note("c: %d of %d unknown codes", i, n)
				_, err := s.Services[worker%local.Instances].Resolve(ctx, invented[i])
				if err == nil {
					found.Add(1)
				} else if errors.Is(err, links.ErrNotFound) {
					err = nil
				}
				return err
			})
			mean := float64(n) * local.FalseRate
			return claim.Facts{
				"unknown": float64(n) - float64(found.Load()), "store-lookups": float64(store.reads.Load()),
				"existing": float64(size), "refused-existing": float64(refused.Load()),
				"bound": math.Ceil(mean + 3.09*math.Sqrt(mean*(1-local.FalseRate))), // the normal quantile of 99.9 %
			}, err
		})
	}
}

// invented draws codes out of 2^63, so that it is most unlikely to meet one that exists, or one code twice.
func invented(env claim.Env, n int) []string {
	rng, codes := workload.Rand(env.Seed, 30), make([]string, n)
	for i := range codes {
		codes[i] = idgen.Base62.Encode(idgen.ID(rng.Int64()))
	}
	return codes
}

// slow is a store that takes its time, as one under load does.
type slow struct{ links.Store }

func (s slow) Get(ctx context.Context, code string) (links.Link, error) {
	select {
	case <-ctx.Done():
		return links.Link{}, ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return s.Store.Get(ctx, code)
	}
}

// stampede is claim d: a thousand readers of one instance ask for the link that has just left the cache.
func (c *config) stampede(coalesced bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		const readers = 1000
		return c.with(ctx, env, 100, func(s *local.System) (claim.Facts, error) {
			codes, err := fill(ctx, env, s, 1)
			if err != nil {
				return nil, err
			}
			store := count(s)
			hot := s.Services[0]
			hot.Store = slow{store}
			resolve, forget := hot.Resolve, hot.Forget
			if !coalesced {
				if resolve, forget, err = lookReadPut(hot.Store); err != nil {
					return nil, err
				}
			}
			if _, err := resolve(ctx, codes[0]); err != nil { // it was cached
				return nil, err
			}
			forget(codes[0]) // and is not any more
			before := store.reads.Load()
			var answered atomic.Int64
			err = workload.Each(ctx, readers, readers, func(ctx context.Context, _, _ int) error {
				l, err := resolve(ctx, codes[0])
				if l.Code == codes[0] {
					answered.Add(1)
				}
				return err
			})
			reads := store.reads.Load() - before
			return claim.Facts{"readers": readers, "answered": float64(answered.Load()), "store-reads": float64(reads)}, err
		})
	}
}

// lookReadPut is cache-aside as it is mostly written.
func lookReadPut(store links.Store) (resolve func(context.Context, string) (links.Link, error), forget func(string), err error) {
	cache, err := lru.New(100, lru.Options[string, links.Link]{})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, code string) (links.Link, error) {
		if l, hit := cache.Get(code); hit {
			return l, nil
		}
		l, err := store.Get(ctx, code)
		if err == nil {
			cache.Set(code, l)
		}
		return l, err
	}, func(code string) { cache.Remove(code) }, nil
}
