package attacks

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
)

// kill is claim a.
func (s *System) kill() claim.Claim {
	return claim.Claim{
		ID: "a", Text: "killing a node in mid-write loses nothing",
		Run: s.killed(&s.Quorum), Holds: func(f claim.Facts) bool {
			return f.Over("acked", 0) && f.Is("failed", 0) && f.Is("stale", 0) && f.Is("lost", 0) && f.Over("replayed", 0)
		},
		ControlText: "one copy (N=1)",
		Control:     s.killed(alone()), Breaks: func(f claim.Facts) bool { return f.Over("failed", 0) || f.Over("lost", 0) },
		Show: []string{"acked", "failed", "stale", "lost", "replayed", "hinted", "repaired"},
	}
}

// killed is the attack: one node dies under the writes and comes back from its log. When it has caught up another one dies, so that
// what is read then rests on the one that came back.
func (s *System) killed(q *cluster.Quorum) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return s.with(env, *q, func(nodes *local.Cluster) (claim.Facts, error) {
			w := local.NewWriter(nodes)
			defer w.Close()
			first, second := victims(env, s.Nodes)
			stale, err := writeThrough(ctx, env, nodes, w, first)
			if err != nil {
				return nil, err
			}
			patience, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			if err := nodes.Settle(patience); err != nil {
				return nil, err
			}
			facts := totals(nodes)
			facts["replayed"] = float64(nodes.Up()[first].Stats().Replayed)
			if second != first {
				if err := nodes.Kill(second); err != nil {
					return nil, err
				}
			}
			lost, err := w.Lost(ctx, workers, func(i, n int) { env.Note("a: read %d of %d keys", i, n) })
			facts["acked"], facts["failed"] = float64(w.Acked()), float64(w.Failed())
			facts["stale"], facts["lost"] = float64(stale), float64(lost)
			return facts, err
		})
	}
}

// writeThrough writes while the node dies, at two fifths, and returns, at seven tenths. Every fourth write is read back at once: it
// counts the reads that were older.
func writeThrough(ctx context.Context, env claim.Env, nodes *local.Cluster, w *local.Writer, victim string) (int64, error) {
	writes := env.Size(50_000)
	if env.Quick {
		writes /= 2
	}
	load := workload.NewVersions(env.Seed, workers, writes/2)
	var stale atomic.Int64
	err := workload.Each(ctx, workers, writes, func(ctx context.Context, worker, i int) error {
		env.Note("a: %d of %d writes", i, writes)
		key, version := load.Next(worker)
		w.Put(ctx, key, version)
		if i%4 == 0 && w.Owes(ctx, key) {
			stale.Add(1)
		}
		switch i { // both by the first worker, and so in this order
		case writes * 2 / 5 / workers * workers:
			return nodes.Kill(victim)
		case writes * 7 / 10 / workers * workers:
			return nodes.Restart(victim)
		}
		return nil
	})
	return stale.Load(), err
}

func totals(nodes *local.Cluster) claim.Facts {
	f := claim.Facts{"hinted": 0, "repaired": 0}
	for _, n := range nodes.Up() {
		st := n.Stats()
		f["hinted"] += float64(st.Hinted)
		f["repaired"] += float64(st.Repaired)
	}
	return f
}
