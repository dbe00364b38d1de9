// Package workload makes the load that examples put on a system, and keeps the books outside it.
//
// Everything random is drawn from a generator that the caller seeds, so that a run is repeated by its seed.
package workload

import (
	"context"
	"math/rand/v2"
	"sync"
)

// Rand returns a generator for one purpose. Different streams of one seed are independent, so that adding a consumer does
// not change what the others draw.
func Rand(seed int64, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), stream))
}

// Each runs op for i = 0 … n-1 on the given number of workers and returns when all have ended. Worker w runs every i with
// i mod workers = w, in order. The first error stops all workers and is returned.
func Each(ctx context.Context, workers, n int, op func(ctx context.Context, worker, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				if ctx.Err() != nil {
					return
				}
				if err := op(ctx, w, i); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
