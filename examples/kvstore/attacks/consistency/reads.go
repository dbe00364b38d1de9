package consistency

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/history"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Reads is claim c.
func Reads() claim.Claim {
	return claim.Claim{
		ID: "c", Text: "reads write back: nobody sees new, then old",
		Run: inTurn(cluster.Linear), Holds: func(f claim.Facts) bool {
			return f.Is("reads", 2) && f.Is("saw-new", 2) && f.Is("old-after-new", 0) && f.Is("rejected", 0)
		},
		ControlText: "R+W>N, no write-back",
		Control:     inTurn(cluster.Newest), Breaks: func(f claim.Facts) bool { return f.Is("old-after-new", 1) && f.Is("rejected", 1) },
		Show: []string{"reads", "saw-new", "old-after-new", "rejected"},
	}
}

// inTurn is the schedule, on a key with the replicas a, b and c. While a slow write has reached a only, one client reads from a and
// b; when it has its answer, another one reads from b and c.
//
//	write by x   a ───────────────────────────────── b, c
//	read by y          a, b → new
//	read by c                        b, c → new, only if the first read has told b
func inTurn(mode cluster.Mode) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return local.Scratch(cluster.Quorum{N: 3, W: 2, R: 2, Mode: mode}, local.Names(5), env.Seed, func(nodes *local.Cluster) (claim.Facts, error) {
			key := fmt.Sprint("key-", env.Seed)
			ring, err := nodes.Ring()
			if err != nil {
				return nil, err
			}
			replicas := ring.GetN(key, 3)
			others := slices.DeleteFunc([]string{"n1", "n2", "n3", "n4", "n5"}, func(id string) bool { return slices.Contains(replicas, id) })
			turn := &schedule{nodes: nodes, key: key, a: replicas[0], b: replicas[1], c: replicas[2], x: others[0], y: others[1]}
			return turn.play(ctx)
		})
	}
}

type schedule struct {
	nodes         *local.Cluster
	record        history.Recorder
	key           string
	a, b, c, x, y string
}

func (s *schedule) play(ctx context.Context) (claim.Facts, error) {
	s.put(ctx, s.y, "old")
	err := s.until(ctx, func() bool { // all three have the old value
		for _, id := range []string{s.a, s.b, s.c} {
			if s.nodes.Up()[id].Stamp(s.key) != s.nodes.Up()[s.a].Stamp(s.key) || !s.nodes.Up()[id].Holds(s.key) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	before := s.nodes.Up()[s.a].Stamp(s.key)
	s.nodes.Network().SetScript(s.slow)
	defer s.nodes.Network().SetScript(nil)
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.put(ctx, s.x, "new")
	}()
	if err := s.until(ctx, func() bool { return s.nodes.Up()[s.a].Stamp(s.key) != before }); err != nil {
		return nil, err
	}
	first := s.get(ctx, s.y)
	second := s.get(ctx, s.c)
	s.nodes.Network().SetScript(nil)
	<-written
	f := claim.Facts{"reads": 0, "saw-new": 0, "old-after-new": 0, "rejected": float64(s.record.Judge(judgment).Rejected)}
	for _, value := range []string{first, second} {
		if value != "" {
			f["reads"]++
		}
		if value == "new" {
			f["saw-new"]++
		}
	}
	if first == "new" && second == "old" {
		f["old-after-new"] = 1
	}
	return f, ctx.Err()
}

// slow is the network of the schedule.
func (s *schedule) slow(from, to string, frame []byte) fakenet.Action {
	switch k := wire.KindOf(frame); {
	case from == s.x && to != s.a && (k == wire.Put || k == wire.Accept), // the slow write
		from == s.y && to == s.c,                  // the first read
		from == s.c && to == s.a && k == wire.Get: // the second
		return fakenet.Hold
	}
	return fakenet.Deliver
}

func (s *schedule) put(ctx context.Context, through, value string) {
	client := s.nodes.ClientOf("client", through)
	defer client.Close()
	s.record.Do(0, history.Input{Op: history.Put, Key: s.key, Value: value}, func() history.Output {
		return history.Output{Unknown: client.Put(ctx, s.key, []byte(value)) != nil}
	})
}

func (s *schedule) get(ctx context.Context, through string) (value string) {
	client := s.nodes.ClientOf("client", through)
	defer client.Close()
	s.record.Do(1, history.Input{Op: history.Get, Key: s.key}, func() history.Output {
		e, _, err := client.Get(ctx, s.key)
		value = string(e.Value)
		return history.Output{Value: value, Unknown: err != nil}
	})
	return value
}

func (s *schedule) until(ctx context.Context, condition func() bool) error {
	every := time.NewTicker(time.Millisecond)
	defer every.Stop()
	for !condition() {
		select {
		case <-every.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
