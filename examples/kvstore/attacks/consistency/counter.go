package consistency

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Counter is claim i.
func Counter() claim.Claim {
	return claim.Claim{
		ID: "i", Text: "with operation ids, repeating is safe",
		Run: counted(true), Holds: func(f claim.Facts) bool {
			return f.Over("acked", 0) && f.Is("failed", 0) && f.Over("lost-replies", 0) && f.Is("counter", f["acked"])
		},
		ControlText: "no ids",
		Control:     counted(false), Breaks: func(f claim.Facts) bool { return f.Over("acked", 0) && f.Over("counter", f["acked"]) },
		Show: []string{"acked", "failed", "lost-replies", "counter"},
	}
}

// workers is how many clients work at once.
const workers = 8

const counters = 8

// counted is the attack: of the replies to clients one in ten is lost with its connection, so that the client asks another node to do
// what is done already.
func counted(ids bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return local.Scratch(cluster.Quorum{N: 3, W: 2, R: 2, Mode: cluster.Linear}, local.Names(5), env.Seed, func(nodes *local.Cluster) (claim.Facts, error) {
			clients := make([]*wire.Client, workers)
			for i := range clients {
				clients[i] = nodes.Client()
				defer clients[i].Close()
				if !ids {
					clients[i].IDs = nil
				}
			}
			lost := lose(nodes, env.Seed, 0.1)
			var acked, failed atomic.Int64
			increments := env.Size(1_500)
			err := workload.Each(ctx, workers, increments, func(ctx context.Context, worker, i int) error {
				env.Note("i: %d of %d increments", i, increments)
				if err := clients[worker].Add(ctx, fmt.Sprint("counter-", i%counters), 1); err != nil {
					env.Note("i: %v", err)
					failed.Add(1)
				} else {
					acked.Add(1)
				}
				return nil
			})
			nodes.Network().SetScript(nil)
			sum := 0
			for i := range counters {
				e, _, failed := clients[0].Get(ctx, fmt.Sprint("counter-", i))
				if err == nil {
					err = failed
				}
				n, _ := strconv.Atoi(string(e.Value)) // no number counts nothing
				sum += n
			}
			return claim.Facts{
				"acked": float64(acked.Load()), "failed": float64(failed.Load()), "lost-replies": float64(lost.Load()), "counter": float64(sum),
			}, err
		})
	}
}

// lose breaks the connection under a share of what the nodes write to clients, and counts.
func lose(nodes *local.Cluster, seed int64, share float64) *atomic.Int64 {
	var mu sync.Mutex // guards rng
	rng := workload.Rand(seed, 400)
	var lost atomic.Int64
	nodes.Network().SetScript(func(_, to string, _ []byte) fakenet.Action {
		mu.Lock()
		defer mu.Unlock()
		if to != "client" || rng.Float64() >= share {
			return fakenet.Deliver
		}
		lost.Add(1)
		return fakenet.Cut
	})
	return &lost
}
