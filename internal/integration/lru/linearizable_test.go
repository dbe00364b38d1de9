// Package lru_test checks histories of concurrent calls of the cache for linearizability.
package lru_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sysblocks/sysblocks/lru"
)

// input is one call; output what it returned.
type input struct {
	op    string
	key   int
	value int
}

type output struct {
	value int
	ok    bool
}

// model is one key: 0 is absent, everything else the value. A cache that is never full forgets nothing by itself.
func model() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[int][]porcupine.Operation{}
			for _, op := range history {
				k := op.Input.(input).key
				byKey[k] = append(byKey[k], op)
			}
			var out [][]porcupine.Operation
			for _, ops := range byKey {
				out = append(out, ops)
			}
			return out
		},
		Init: func() any { return 0 },
		Step: func(state, in, out any) (bool, any) { return step(state.(int), in.(input), out.(output)) },
		DescribeOperation: func(in, out any) string {
			return fmt.Sprintf("%v → %v", in, out)
		},
	}
}

func step(state int, in input, out output) (bool, any) {
	switch in.op {
	case "get":
		return out.ok == (state != 0) && out.value == state, state
	case "set":
		return true, in.value
	case "remove":
		return out.ok == (state != 0) && out.value == state, 0
	case "setIfAbsent":
		if state != 0 {
			return !out.ok && out.value == state, state
		}
		return out.ok, in.value
	case "add":
		return out.value == state+in.value, state + in.value
	case "expire":
		return out.ok == (state != 0), 0
	}
	return false, state
}

// value is wider than a word: a torn one would not be the same twice.
type value struct{ a, b, c int }

func wide(v int) value { return value{v, v, v} }

func TestSingleKeyOperationsAreLinearizable(t *testing.T) {
	for _, policy := range []lru.Policy{lru.Adaptive, lru.LRU, lru.LFU, lru.FIFO, lru.SIEVE} {
		t.Run(policy.String(), func(t *testing.T) {
			history(t, policy, func(v int) int { return v }, func(v int) int { return v })
			history(t, policy, wide, func(v value) int {
				if v.a != v.b || v.b != v.c {
					t.Errorf("torn value %v", v)
				}
				return v.a
			})
		})
	}
}

func history[V any](t *testing.T, policy lru.Policy, wrap func(int) V, open func(V) int) {
	t.Helper()
	const clients, calls, keys = 4, 300, 3
	seed := rand.Uint64()
	c, err := lru.New(100_000, lru.Options[int, V]{Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	var ops [clients][]porcupine.Operation
	var next atomic.Int64
	begin := time.Now()
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(client)))
			for range calls {
				in := input{key: rng.IntN(keys), value: int(next.Add(1)) * 1000}
				call := time.Since(begin)
				out := run(c, &in, rng.IntN(8), wrap, open)
				ops[client] = append(ops[client], porcupine.Operation{
					ClientId: client, Input: in, Call: int64(call), Output: out, Return: int64(time.Since(begin)),
				})
			}
		})
	}
	wg.Wait()
	var all []porcupine.Operation
	for _, o := range ops {
		all = append(all, o...)
	}
	if result := porcupine.CheckOperationsTimeout(model(), all, 20*time.Second); result == porcupine.Illegal {
		t.Fatalf("%v: the history is not linearizable, seed %d", policy, seed)
	}
}

func run[V any](c *lru.Cache[int, V], in *input, kind int, wrap func(int) V, open func(V) int) (out output) {
	switch kind {
	case 0:
		in.op = "set"
		c.Set(in.key, wrap(in.value))
	case 1:
		in.op = "remove"
		v, ok := c.Remove(in.key)
		out.ok = ok
		if ok {
			out.value = open(v)
		}
	case 2:
		in.op = "setIfAbsent"
		v, stored := c.SetIfAbsent(in.key, wrap(in.value))
		out = output{open(v), stored}
	case 3:
		in.op, in.value = "add", 1
		v, _ := c.Compute(in.key, func(old V, ok bool) (V, lru.Action) {
			if !ok {
				return wrap(1), lru.Set
			}
			return wrap(open(old) + 1), lru.Set
		})
		out.value = open(v)
	case 4:
		in.op = "expire"
		out.ok = c.Expire(in.key, 0)
	default:
		in.op = "get"
		v, ok := c.Get(in.key)
		out.ok = ok
		if ok {
			out.value = open(v)
		}
	}
	return out
}

// TestLoadsAreLinearizable: the source is a register that changes before the cache is told; after the removal of the
// key no fetch may return what the source had before.
func TestLoadsAreLinearizable(t *testing.T) {
	var source atomic.Int64
	c, err := lru.New(100, lru.Options[int, int]{Load: func(context.Context, int) (int, error) {
		return int(source.Load()), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				atLeast := published(&source, c)
				v, err := c.Fetch(context.Background(), 1)
				if err != nil && !errors.Is(err, lru.ErrNotFound) {
					t.Error(err)
				}
				if int64(v) < atLeast {
					t.Errorf("fetched %d after %d was published", v, atLeast)
					return
				}
			}
		})
	}
	for range 3000 {
		v := source.Add(1)
		c.Remove(1)
		c.Set(2, int(v)) // from here on everybody must see it
	}
	stop.Store(true)
	wg.Wait()
}

func published(_ *atomic.Int64, c *lru.Cache[int, int]) int64 {
	v, _ := c.Get(2)
	return int64(v)
}
