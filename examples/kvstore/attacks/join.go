package attacks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/hashring"
)

// join is claim d.
func (s *System) join() claim.Claim {
	return claim.Claim{
		ID: "d", Text: "a node that joins under load moves only its share",
		Run: s.joined, Holds: func(f claim.Facts) bool {
			return f.Is("failed", 0) && f.Is("stale", 0) && f.Is("lost", 0) && f.Over("moved", 0) && f.Is("moved", f["listed"]) &&
				f.Is("moved-elsewhere", 0) && f.Is("left-behind", 0) && f.AtMost("moved-share", f["bound"]) && f.AtMost("copied-share", f["bound"])
		},
		ControlText: "placement by modulo",
		Control:     s.modulo, Breaks: func(f claim.Facts) bool { return f.Over("moved-share", f["bound"]) },
		Show: []string{"keys", "load", "failed", "stale", "lost", "listed", "moved", "moved-elsewhere", "left-behind", "moved-share", "copied-share", "bound"},
	}
}

// bound is the share that one more node may take: its fair share, and four standard deviations of it. With 256 points a node the
// deviation is a sixteenth of the share (hashring, Choosing).
func bound(nodes int) float64 { return (1 + 4.0/16) / float64(nodes+1) }

// joined is the attack: a node joins while keys are written and read, and every copy is counted where it lies.
func (s *System) joined(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return s.with(env, s.Quorum, func(nodes *local.Cluster) (claim.Facts, error) {
		w := local.NewWriter(nodes)
		defer w.Close()
		keys := make([]string, env.Size(20_000))
		err := workload.Each(ctx, workers, len(keys), func(ctx context.Context, _, i int) error {
			env.Note("d: %d of %d keys stored", i, len(keys))
			keys[i] = fmt.Sprint("key-", i)
			w.Put(ctx, keys[i], 1)
			return nil
		})
		if err != nil {
			return nil, err
		}
		before, err := nodes.Ring()
		if err != nil {
			return nil, err
		}
		joiner := local.Names(s.Nodes + 1)[s.Nodes]
		load, err := underLoad(ctx, env, w, keys, func() error { return nodes.Join(ctx, joiner) })
		if err != nil {
			return nil, err
		}
		patience, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := nodes.Settle(patience); err != nil {
			return nil, err
		}
		after, err := nodes.Ring()
		if err != nil {
			return nil, err
		}
		// First look, then read: reads repair, and would bring the joiner what the join has left out.
		facts := s.compare(nodes, keys, joiner.ID, hashring.Change[string]{Old: before, New: after})
		lost, err := w.Lost(ctx, workers, func(i, n int) { env.Note("d: read %d of %d keys", i, n) })
		maps.Copy(facts, load)
		facts["failed"], facts["lost"] = float64(w.Failed()), float64(lost)
		return facts, err
	})
}

// underLoad runs work while every worker writes keys of its own and reads them back. It counts the operations, and the reads that
// were older than what the same worker had written.
func underLoad(ctx context.Context, env claim.Env, w *local.Writer, keys []string, work func() error) (claim.Facts, error) {
	var ended atomic.Bool // set when the work is done, read by the workers
	var operations, stale atomic.Int64
	var all sync.WaitGroup
	for worker := range workers {
		rng := workload.Rand(env.Seed, 200+uint64(worker))
		all.Go(func() {
			for version := uint64(2); !ended.Load() && ctx.Err() == nil; version++ {
				key := keys[rng.IntN(len(keys)/workers)*workers+worker]
				w.Put(ctx, key, version)
				if w.Owes(ctx, key) {
					stale.Add(1)
				}
				env.Note("d: a node joins, %d operations meanwhile", operations.Add(2))
			}
		})
	}
	err := work()
	ended.Store(true)
	all.Wait()
	return claim.Facts{"load": float64(operations.Load()), "stale": float64(stale.Load())}, errors.Join(err, ctx.Err())
}

// compare looks into every node: what the ring's plan lists must lie on the joiner, and nothing else may have moved.
func (s *System) compare(nodes *local.Cluster, keys []string, joiner string, change hashring.Change[string]) claim.Facts {
	moves := slices.Collect(change.Moves(s.Quorum.N))
	listed := func(token uint64) bool {
		return slices.ContainsFunc(moves, func(m hashring.Move[string]) bool {
			return m.Range.Contains(token) && slices.ContainsFunc(m.Gained(), func(g hashring.Node[string]) bool { return g.ID == joiner })
		})
	}
	f := claim.Facts{"keys": float64(len(keys)), "listed": 0, "moved": 0, "moved-elsewhere": 0, "left-behind": 0, "bound": bound(s.Nodes)}
	owners := 0
	for _, key := range keys {
		before, after := change.Old.GetN(key, s.Quorum.N), change.New.GetN(key, s.Quorum.N)
		if before[0] != after[0] {
			owners++
		}
		if listed(change.Old.Token(key)) {
			f["listed"]++
		}
		for id, n := range nodes.Up() {
			switch holds := n.Holds(key); {
			case !holds:
			case id == joiner:
				f["moved"]++
			case !slices.Contains(before, id):
				f["moved-elsewhere"]++
			case !slices.Contains(after, id):
				f["left-behind"]++
			}
		}
	}
	f["moved-share"] = float64(owners) / f["keys"]
	f["copied-share"] = f["moved"] / (f["keys"] * float64(s.Quorum.N))
	return f
}

// modulo is the control of claim d: the same keys, placed by their token modulo the number of nodes.
func (s *System) modulo(_ context.Context, env claim.Env) (claim.Facts, error) {
	f := claim.Facts{"keys": float64(env.Size(20_000)), "moved": 0, "moved-elsewhere": 0, "bound": bound(s.Nodes)}
	owners := 0
	for i := range env.Size(20_000) {
		token := hashring.Hash(fmt.Sprint("key-", i))
		before, after := hashring.Modulo(token, s.Nodes), hashring.Modulo(token, s.Nodes+1)
		if before != after {
			owners++
		}
		for r := range s.Quorum.N { // replica r stands r nodes further on
			node := (after + r) % (s.Nodes + 1)
			if held := node < s.Nodes && (node-before+s.Nodes)%s.Nodes < s.Quorum.N; held {
				continue
			}
			f["moved"]++
			if node != s.Nodes {
				f["moved-elsewhere"]++
			}
		}
	}
	f["moved-share"] = float64(owners) / f["keys"]
	f["copied-share"] = f["moved"] / (f["keys"] * float64(s.Quorum.N))
	return f, nil
}
