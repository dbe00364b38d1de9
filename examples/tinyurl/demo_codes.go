package main

import (
	"context"
	"errors"
	"math"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
)

// distinct is claim a: four instances make codes at the same time, by either scheme, and know of each other only through the
// counter or the list of workers.
func (c *config) distinct(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.with(ctx, env, 1, func(s *local.System) (claim.Facts, error) {
		facts := claim.Facts{"codes": 0, "duplicates": 0, "instances": local.Instances}
		seen := make(map[string]struct{})
		for _, scheme := range []string{"segment", "snowflake"} {
			codes, err := makeCodes(ctx, env, s, scheme, env.Size(100_000))
			if err != nil {
				return nil, err
			}
			for _, code := range codes {
				if _, twice := seen[code]; twice {
					facts["duplicates"]++
				}
				seen[code] = struct{}{}
				facts["letters-"+scheme] = max(facts["letters-"+scheme], float64(len(code)))
			}
			facts["codes"] += float64(len(codes))
		}
		return facts, nil
	})
}

// makeCodes lets every instance make its part of n codes.
func makeCodes(ctx context.Context, env claim.Env, s *local.System, scheme string, n int) ([]string, error) {
	all := make([]string, n)
	part := n / local.Instances
	err := workload.Each(ctx, local.Instances, local.Instances, func(ctx context.Context, instance, _ int) error {
		codes, err := s.Codes(ctx, scheme)
		if err != nil {
			return err
		}
		for i := instance * part; i < (instance+1)*part && err == nil; i++ {
			env.Note("a: %d %s codes", i, scheme)
			all[i], err = codes.Next(ctx)
		}
		return errors.Join(err, codes.Close(ctx))
	})
	return all, err
}

// drawn is the control of claim a: as many codes of random letters. The length is the largest at which chance alone makes 15
// pairs of equal ones, which n codes out of m do n²/2m times on average.
func drawn(_ context.Context, env claim.Env) (claim.Facts, error) {
	n := 2 * env.Size(100_000)
	length, expected := 1.0, 0.0
	for e := math.Inf(1); e >= 15; length++ {
		e = float64(n) * float64(n) / 2 / math.Pow(62, length+1)
		if e >= 15 {
			expected = e
		}
	}
	length--
	rng, seen, duplicates := workload.Rand(env.Seed, 10), make(map[uint64]struct{}), 0
	for range n {
		code := rng.Uint64N(uint64(math.Pow(62, length)))
		if _, twice := seen[code]; twice {
			duplicates++
		}
		seen[code] = struct{}{}
	}
	return claim.Facts{"codes": float64(n), "letters": length, "expected": expected, "duplicates": float64(duplicates)}, nil
}
