package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
)

// claims are what this program says of itself, each with the attack and with the naive way.
func (c *config) claims() []claim.Claim {
	alone := &cluster.Quorum{N: 1, W: 1, R: 1}
	return []claim.Claim{
		{
			ID: "a", Text: "killing a node in mid-write loses nothing",
			Run: c.killed(&c.quorum), Holds: func(f claim.Facts) bool {
				return f.Over("acked", 0) && f.Is("failed", 0) && f.Is("stale", 0) && f.Is("lost", 0) && f.Over("replayed", 0)
			},
			ControlText: "one copy (N=1)",
			Control:     c.killed(alone), Breaks: func(f claim.Facts) bool { return f.Over("failed", 0) || f.Over("lost", 0) },
			Show: []string{"acked", "failed", "stale", "lost", "replayed", "hinted", "repaired"},
		},
		{
			ID: "d", Text: "a node that joins under load moves only its share",
			Run: c.joined, Holds: func(f claim.Facts) bool {
				return f.Is("failed", 0) && f.Is("stale", 0) && f.Is("lost", 0) && f.Over("moved", 0) && f.Is("moved", f["listed"]) &&
					f.Is("moved-elsewhere", 0) && f.Is("left-behind", 0) && f.AtMost("moved-share", f["bound"]) && f.AtMost("copied-share", f["bound"])
			},
			ControlText: "placement by modulo",
			Control:     c.modulo, Breaks: func(f claim.Facts) bool { return f.Over("moved-share", 0.7) && f.Over("moved-elsewhere", 0) },
			Show: []string{"keys", "load", "failed", "stale", "lost", "listed", "moved", "moved-elsewhere", "left-behind", "moved-share", "copied-share", "bound"},
		},
		{
			ID: "g", Text: "files survive a node, byte for byte",
			Run: c.stored(&c.quorum, true), Holds: func(f claim.Facts) bool {
				return f.Over("files", 0) && f.Is("unreadable", 0) && f.Is("different-bytes", 0) && f.Is("new-chunks", 0) && f.Is("wrong-answers", 0)
			},
			ControlText: "one copy (N=1)",
			Control:     c.stored(alone, false), Breaks: func(f claim.Facts) bool { return f.Over("unreadable", 0) },
			Show: []string{"files", "bytes", "chunks", "unreadable", "different-bytes", "new-chunks", "exchanges", "wrong-answers"},
		},
	}
}

// with runs an attack on a fresh cluster in a temporary folder.
func (c *config) with(env claim.Env, q cluster.Quorum, attack func(nodes *local.Cluster) (claim.Facts, error)) (facts claim.Facts, err error) {
	dir, err := os.MkdirTemp("", "sysblocks-kvstore-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nodes, err := local.Run(dir, q, local.Names(c.nodes), env.Seed)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, nodes.Close()) }()
	return attack(nodes)
}

const workers = 8

// killed is claim a. One node dies under the writes and comes back from its log. When it has caught up another one dies, so that
// what is read then rests on the one that came back.
func (c *config) killed(q *cluster.Quorum) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return c.with(env, *q, func(nodes *local.Cluster) (claim.Facts, error) {
			w := local.NewWriter(nodes)
			defer w.Close()
			first, second := victims(env, c.nodes)
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
	load := workload.NewVersions(env.Seed, workers, writes/2)
	var stale atomic.Int64
	err := workload.Each(ctx, workers, writes, func(ctx context.Context, worker, i int) error {
		env.Note("a: %d of %d writes", i, writes)
		key, version := load.Next(worker)
		w.Put(ctx, key, version)
		if i%4 == 0 && w.Owes(ctx, key) {
			stale.Add(1)
		}
		switch i {
		case writes * 2 / 5:
			return nodes.Kill(victim)
		case writes * 7 / 10:
			return nodes.Restart(victim)
		}
		return nil
	})
	return stale.Load(), err
}

// victims draws two nodes, different ones if there are two.
func victims(env claim.Env, nodes int) (first, second string) {
	order := workload.Rand(env.Seed, 1).Perm(nodes)
	names := local.Names(nodes)
	return names[order[0]].ID, names[order[len(order)-1]].ID
}

func totals(nodes *local.Cluster) claim.Facts {
	f := claim.Facts{"hinted": 0, "repaired": 0}
	for _, n := range nodes.Up() {
		s := n.Stats()
		f["hinted"] += float64(s.Hinted)
		f["repaired"] += float64(s.Repaired)
	}
	return f
}
