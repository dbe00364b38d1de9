// Package consistency attacks what several clients see of each other: claims b, c, f and i. Their clusters always have five nodes,
// since what they claim is about a mode and not about the flags.
package consistency

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/history"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Linear is claim b.
func Linear() claim.Claim {
	return claim.Claim{
		ID: "b", Text: "mode linear is linearizable through kills and partitions",
		Run: recorded(cluster.Quorum{N: 3, W: 2, R: 2, Mode: cluster.Linear}), Holds: func(f claim.Facts) bool {
			return f.Over("ops", 0) && f.Over("keys", 0) && f.Over("conditional", 0) && f.Is("rejected", 0) && f.Is("undecided", 0) && f.Is("stale-reads", 0)
		},
		ControlText: "one answer is enough (R=W=1)",
		Control:     recorded(cluster.Quorum{N: 3, W: 1, R: 1, Mode: cluster.Linear}), Breaks: func(f claim.Facts) bool {
			return f.Over("stale-reads", 0) && f.Over("rejected", 0)
		},
		Show: []string{"ops", "keys", "conditional", "stale-reads", "rejected", "undecided"},
	}
}

const (
	askers     = 10
	retryAfter = 3 * time.Millisecond
	judgment   = 5 * time.Second // for one key; a key that needs more is undecided
)

// recorded is the attack: clients read, write and write conditionally on few keys over slow links, a node dies and comes back,
// the network splits and heals; then the record of it all is judged.
func recorded(q cluster.Quorum) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return local.Scratch(q, local.Names(5), env.Seed, func(nodes *local.Cluster) (claim.Facts, error) {
			var record history.Recorder
			var conditional atomic.Int64
			nodes.Network().SetDelay(0, time.Millisecond/2)
			clients := make([]asker, askers)
			for i := range clients {
				host := fmt.Sprint("client-", i)
				clients[i] = asker{
					number: i, rng: workload.Rand(env.Seed, 300+uint64(i)), client: nodes.ClientOf(host, "n1", "n2", "n3", "n4", "n5"),
					record: &record, conditional: &conditional, keys: env.Size(100), seen: make(map[string]storage.Entry),
				}
				defer clients[i].client.Close()
			}
			ops := env.Size(1_000)
			if env.Quick {
				ops = 250
			}
			faults := map[int]func() error{ // by the last client, which stays with the majority
				ops*1/5 - 1: func() error { return nodes.Kill("n1") },
				ops*2/5 - 1: func() error { return nodes.Restart("n1") },
				ops*2/5 + askers - 1: func() error {
					nodes.Network().Partition(nil, []string{"n4", "n5", "client-0", "client-1", "client-2"})
					return nil
				},
				ops*4/5 - 1: func() error { nodes.Network().Heal(); return nil },
			}
			err := workload.Each(ctx, askers, ops, func(ctx context.Context, worker, i int) error {
				env.Note("b: %d of %d operations", i, ops)
				if fault := faults[i]; fault != nil {
					if err := fault(); err != nil {
						return err
					}
				}
				if out := clients[worker].step(ctx, i); out.Unknown { // as a program would, and the attack does not run ahead of the others
					<-time.After(retryAfter)
				}
				return nil
			})
			env.Note("b: judging %d operations", ops)
			r := record.Judge(judgment)
			return claim.Facts{
				"ops": float64(r.Ops), "keys": float64(r.Keys), "conditional": float64(conditional.Load()),
				"stale-reads": float64(r.Stale), "rejected": float64(r.Rejected), "undecided": float64(r.Undecided),
			}, err
		})
	}
}

// asker is one client of the recorded history.
type asker struct {
	number      int
	rng         *rand.Rand
	client      *wire.Client
	record      *history.Recorder
	conditional *atomic.Int64
	keys        int
	seen        map[string]storage.Entry // what it last read of a key
}

// step makes one call. Of twenty, ten read, five write, and five write on condition that nobody has since the last read.
func (a *asker) step(ctx context.Context, i int) history.Output {
	in := history.Input{Key: fmt.Sprint("k", a.rng.IntN(max(a.keys/8, 3))), Value: fmt.Sprint("v", i)}
	before := a.seen[in.Key]
	switch draw := a.rng.IntN(20); {
	case draw < 10:
		in.Op, in.Value = history.Get, ""
	case draw < 15:
		in.Op = history.Put
	default:
		in.Op, in.Expect = history.PutIf, string(before.Value)
	}
	return a.record.Do(a.number, in, func() (out history.Output) {
		var err error
		switch in.Op {
		case history.Get:
			var e storage.Entry
			e, _, err = a.client.Get(ctx, in.Key)
			a.seen[in.Key], out.Value = e, string(e.Value)
		case history.Put:
			err = a.client.Put(ctx, in.Key, []byte(in.Value))
		case history.PutIf:
			var version storage.Stamp
			version, err = a.client.PutIf(ctx, in.Key, []byte(in.Value), before.Stamp)
			if err == nil {
				a.conditional.Add(1)
				a.seen[in.Key] = storage.Entry{}
				if version != (storage.Stamp{}) { // it is none for a repeated put that others have replaced
					a.seen[in.Key] = storage.Entry{Stamp: version, Value: []byte(in.Value)}
				}
			}
		}
		out.Conflict = errors.Is(err, wire.ErrConflict)
		out.Unknown = err != nil && !out.Conflict
		return out
	})
}
