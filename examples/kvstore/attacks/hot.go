package attacks

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// hot is claim h.
func (s *System) hot() claim.Claim {
	return claim.Claim{
		ID: "h", Text: "hot reads cost one storage read per block",
		Run: hammered(0), Holds: func(f claim.Facts) bool {
			return f.Over("blocks", 0) && f.Over("gets", 10*f["blocks"]) && f.Is("storage-reads", f["blocks"]) && f.Is("wrong", 0)
		},
		ControlText: "no cache",
		Control:     hammered(-1), Breaks: func(f claim.Facts) bool { return f.Over("blocks", 0) && f.Over("storage-reads", f["blocks"]) },
		Show: []string{"gets", "readers", "blocks", "storage-reads", "wrong"},
	}
}

// hammered is the attack: all readers draw the same popular keys in the same order, so that they want every block at the same time, at
// first when nobody has it.
func hammered(cacheBytes int) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		o := storage.Options{CacheBytes: cacheBytes}
		return withRuns(env, o, env.Size(6_000), func(s *storage.Store, r *diskReads, keys []string) (claim.Facts, error) {
			popular := workload.NewZipf(len(keys), 1)
			gets := env.Size(40_000) / workers
			var wrong atomic.Int64
			err := workload.Each(ctx, workers, workers, func(ctx context.Context, _, _ int) error {
				rng := workload.Rand(env.Seed, 7)
				for i := 0; i < gets && ctx.Err() == nil; i++ {
					env.Note("h: %d of %d reads by each reader", i, gets)
					key := keys[popular.Next(rng)]
					e, ok, err := s.Get(key)
					if err != nil {
						return err
					}
					if !ok || !bytes.Equal(e.Value, value(key)) {
						wrong.Add(1)
					}
				}
				return ctx.Err()
			})
			total, places := r.counts()
			return claim.Facts{
				"gets": float64(gets * workers), "readers": workers, "blocks": places, "storage-reads": total, "wrong": float64(wrong.Load()),
			}, err
		})
	}
}
