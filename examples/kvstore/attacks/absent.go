package attacks

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/run"
)

// absent is claim e.
func (s *System) absent() claim.Claim {
	return claim.Claim{
		ID: "e", Text: "absent keys seldom touch the disk",
		Run: searched(false), Holds: func(f claim.Facts) bool {
			return f.Over("absent", 0) && f.Over("runs", 1) && f.AtMost("storage-reads", f["bound"]) && f.Over("present", 0) && f.Is("refused-present", 0)
		},
		ControlText: "every run searched",
		Control:     searched(true), Breaks: func(f claim.Facts) bool { return f.Over("absent", 0) && f.Over("storage-reads", f["bound"]) },
		Show: []string{"absent", "runs", "storage-reads", "bound", "present", "refused-present"},
	}
}

// searched is the attack: keys that nobody wrote, each just behind one that is there, so that every run has a block to look into.
// Without a cache each look is a read. Then every key that is there is asked for.
func searched(noFilter bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		o := storage.Options{CacheBytes: -1, NoFilter: noFilter}
		return withRuns(env, o, env.Size(6_000), func(s *storage.Store, r *diskReads, keys []string) (claim.Facts, error) {
			rng, absent, found := workload.Rand(env.Seed, 6), env.Size(10_000), 0
			for i := range absent {
				env.Note("e: %d of %d absent keys", i, absent)
				_, ok, err := s.Get(fmt.Sprint(keys[rng.IntN(len(keys))], "-", i)) // no two alike: each is a draw of its own
				if err != nil || ctx.Err() != nil {
					return nil, err
				}
				if ok {
					found++
				}
			}
			total, _ := r.counts()
			runs := s.Stats().Runs
			// Every filter lets a share of the absent keys through. Of so many independent draws, 4.75 standard deviations
			// above the mean are exceeded once in a million runs.
			mean := float64(absent*runs) * run.FalseRate
			f := claim.Facts{
				"absent": float64(absent - found), "runs": float64(runs), "storage-reads": total,
				"bound": math.Ceil(mean + 4.75*math.Sqrt(mean*(1-run.FalseRate))), "present": float64(len(keys)), "refused-present": 0,
			}
			for _, key := range keys {
				e, ok, err := s.Get(key)
				if err != nil {
					return nil, err
				}
				if !ok || !bytes.Equal(e.Value, value(key)) {
					f["refused-present"]++
				}
			}
			return f, ctx.Err()
		})
	}
}
