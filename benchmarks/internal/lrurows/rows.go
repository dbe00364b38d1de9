// Package lrurows compares lru with other caches.
package lrurows

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/benchmarks/simulate"
	"github.com/sysblocks/sysblocks/lru"
)

// store is what every cache in the table can do.
type store[K comparable] interface {
	Get(k K) bool
	Set(k K, v uint64)
	Close()
}

// maker makes a cache with a capacity and, unless that is 0, a lifetime.
type maker[K comparable] struct {
	name string
	make func(capacity int, ttl time.Duration) (store[K], error)
}

type sizes struct{ keys, capacity, entries int }

// Rows returns the table; quick shrinks the data.
func Rows(quick bool) ([]harness.Row, error) {
	z := sizes{keys: 1 << 20, capacity: 100_000, entries: 1_000_000}
	if quick {
		z = sizes{keys: 1 << 12, capacity: 1000, entries: 20_000}
	}
	numbers := zipf(z.keys, uint64(z.capacity))
	texts := make([]string, len(numbers))
	for i, k := range numbers {
		texts[i] = fmt.Sprintf("%032x", k)
	}
	rows := []harness.Row{
		hits("Get, all hit, Zipf 1.01, uint64 keys, parallel", numbers, z, 0, numberPeers(), harness.AtLeast(3)),
		hits("Get, all hit, string keys of 32 B, parallel", texts, z, 0, textPeers(), harness.AtLeast(2)),
		hits("Get, all hit, with TTL, parallel", numbers, z, time.Hour, numberPeers()[:2], harness.AtLeast(2)),
		mixed("75 % Get, 25 % Set of present keys, parallel", 4, numbers, z, harness.AtLeast(3)),
		mixed("50 % Get, 50 % Set of present keys, parallel", 2, numbers, z, harness.AtLeast(3)),
		inserts(z, pick("otter"), harness.AtLeast(2)),
		inserts(z, pick("golang-lru"), harness.AtLeast(1)),
		getOrSet(z),
		policyLRU("Policy LRU, Get hit, one goroutine", 1, numbers, z, harness.AtLeast(1.5)),
		policyLRU("Policy LRU, Get hit, parallel", 0, numbers, z, harness.AtLeast(1.3)),
		reference(numbers, z),
		countHits(numbers, z),
		getOrLoad(numbers, z),
		stampede(quick),
	}
	rows = append(rows, memoryRows(z)...)
	rows = append(rows, runtimeRows(quick)...)
	rows = append(rows, tierRows(quick)...)
	return append(rows, ratioRow(quick)), nil
}

// zipf draws keys of space values with exponent 1.01, scattered.
func zipf(n int, space uint64) []uint64 {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, space-1)
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = z.Uint64() * 0x9e3779b97f4a7c15
	}
	return keys
}

// parallel runs n operations on all cores, or on so many goroutines as asked. body gets the range of its share.
func parallel(n, workers int, body func(from, to int)) {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if workers == 1 {
		body(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { body(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
}

// contender fills a cache with keys and times op on it.
func contender[K comparable](m maker[K], keys []K, capacity int, ttl time.Duration, workers int,
	op func(s store[K], i int),
) harness.Contender {
	return harness.Contender{Name: m.name, Setup: func() (harness.Op, func(), error) {
		s, err := m.make(capacity, ttl)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range keys {
			s.Set(k, 1)
		}
		var base atomic.Uint64
		return func(n int) {
			start := int(base.Add(uint64(n)))
			parallel(n, workers, func(from, to int) {
				for i := from; i < to; i++ {
					op(s, start+i)
				}
			})
		}, s.Close, nil
	}}
}

func contenders[K comparable](ms []maker[K], one func(m maker[K]) harness.Contender) []harness.Contender {
	out := make([]harness.Contender, 0, len(ms))
	for _, m := range ms {
		out = append(out, one(m))
	}
	return out
}

func hits[K comparable](name string, keys []K, z sizes, ttl time.Duration, peers []maker[K], target harness.Target) harness.Row {
	one := func(m maker[K]) harness.Contender {
		return contender(m, keys, 2*z.capacity, ttl, 0, func(s store[K], i int) { s.Get(keys[i%len(keys)]) })
	}
	return harness.Row{
		Workload: name, Ours: one(ours[K](lru.Adaptive)), Peers: contenders(peers, one), Target: target,
	}
}

func mixed(name string, every int, keys []uint64, z sizes, target harness.Target) harness.Row {
	one := func(m maker[uint64]) harness.Contender {
		return contender(m, keys, 2*z.capacity, 0, 0, func(s store[uint64], i int) {
			if k := keys[i%len(keys)]; i%every == 0 {
				s.Set(k, uint64(i))
			} else {
				s.Get(k)
			}
		})
	}
	return harness.Row{
		Workload: name, Ours: one(ours[uint64](lru.Adaptive)), Peers: contenders(numberPeers()[:3], one), Target: target,
	}
}

func inserts(z sizes, peers []maker[uint64], target harness.Target) harness.Row {
	one := func(m maker[uint64]) harness.Contender {
		return contender(m, nil, z.capacity, 0, 0, func(s store[uint64], i int) {
			s.Set(uint64(i)*0x9e3779b97f4a7c15, 1)
		})
	}
	return harness.Row{
		Workload: "Set of unique keys, evicting, parallel (against " + peers[0].name + ")",
		Ours:     one(ours[uint64](lru.Adaptive)), Peers: contenders(peers, one), Target: target, MaxAllocs: 1.1,
	}
}

func getOrSet(z sizes) harness.Row {
	keys := zipf(z.keys, uint64(8*z.capacity))
	one := func(m maker[uint64]) harness.Contender {
		return contender(m, keys, z.capacity, 0, 0, func(s store[uint64], i int) {
			if k := keys[i%len(keys)]; !s.Get(k) {
				s.Set(k, 1)
			}
		})
	}
	return harness.Row{
		Workload: "Get, on a miss Set, Zipf 1.01, capacity 1/8 of the keys, parallel",
		Ours:     one(ours[uint64](lru.Adaptive)), Peers: contenders(pick("otter"), one),
		Target: harness.AtLeast(1.5), MaxAllocs: 1.1,
	}
}

func policyLRU(name string, workers int, keys []uint64, z sizes, target harness.Target) harness.Row {
	one := func(m maker[uint64]) harness.Contender {
		return contender(m, keys, 2*z.capacity, 0, workers, func(s store[uint64], i int) { s.Get(keys[i%len(keys)]) })
	}
	return harness.Row{
		Workload: name, Ours: one(ours[uint64](lru.LRU)), Peers: contenders(pick("golang-lru"), one), Target: target,
	}
}

// reference compares a hit with the fastest concurrent map, which evicts nothing.
func reference(keys []uint64, z sizes) harness.Row {
	one := func(m maker[uint64]) harness.Contender {
		return contender(m, keys, 2*z.capacity, 0, 0, func(s store[uint64], i int) { s.Get(keys[i%len(keys)]) })
	}
	return harness.Row{
		Workload: "Get, all hit, against a map without eviction, parallel",
		Ours:     one(ours[uint64](lru.Adaptive)), Peers: []harness.Contender{one(newXsync())}, Target: harness.AtLeast(0.8),
	}
}

func countHits(keys []uint64, z sizes) harness.Row {
	one := func(name string, count bool) harness.Contender {
		m := maker[uint64]{name, func(capacity int, _ time.Duration) (store[uint64], error) {
			c, err := lru.New(capacity, lru.Options[uint64, uint64]{CountHits: count})
			return oursStore[uint64]{c}, err
		}}
		return contender(m, keys, 2*z.capacity, 0, 0, func(s store[uint64], i int) { s.Get(keys[i%len(keys)]) })
	}
	return harness.Row{
		Workload: "Get, all hit, CountHits, against ours without, parallel",
		Ours:     one("CountHits", true), Peers: []harness.Contender{one("without", false)}, Target: harness.AtLeast(0.7),
	}
}

func getOrLoad(keys []uint64, z sizes) harness.Row {
	one := func(name string, newLoad func(capacity int) (func(k uint64), func(), error)) harness.Contender {
		return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
			load, done, err := newLoad(2 * z.capacity)
			if err != nil {
				return nil, nil, err
			}
			for _, k := range keys {
				load(k)
			}
			return func(n int) {
				parallel(n, 0, func(from, to int) {
					for i := from; i < to; i++ {
						load(keys[i%len(keys)])
					}
				})
			}, done, nil
		}}
	}
	return harness.Row{
		Workload: "GetOrLoad, all hit, parallel",
		Ours:     one("lru", oursLoad), Peers: []harness.Contender{one("otter", otterLoad)}, Target: harness.AtLeast(2),
	}
}

func oursLoad(capacity int) (func(uint64), func(), error) {
	c, err := lru.New(capacity, lru.Options[uint64, uint64]{})
	load := func(_ context.Context, k uint64) (uint64, error) { return k, nil }
	return func(k uint64) { _, _ = c.GetOrLoad(context.Background(), k, load) }, nil, err
}

// stampede is many callers of one missing key; an operation is one caller.
func stampede(quick bool) harness.Row {
	callers := 1000
	if quick {
		callers = 50
	}
	one := func(name string, newLoad func(capacity int) (func(k uint64), func(), error)) harness.Contender {
		return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
			load, done, err := newLoad(100_000)
			var key atomic.Uint64
			return func(n int) {
				for range (n + callers - 1) / callers {
					k := key.Add(1)
					var wg sync.WaitGroup
					for range callers {
						wg.Go(func() { load(k) })
					}
					wg.Wait()
				}
			}, done, err
		}}
	}
	return harness.Row{
		Workload: fmt.Sprintf("GetOrLoad, %d callers of one missing key, per caller", callers),
		Ours:     one("lru", oursLoad), Peers: []harness.Contender{one("otter", otterLoad)},
		Target: harness.AtLeast(1), MaxAllocs: harness.NoAllocLimit,
	}
}

// memoryRows measures the live heap per entry.
func memoryRows(z sizes) []harness.Row {
	per := func(m maker[uint64], ttl time.Duration) harness.Contender {
		return harness.Contender{Name: m.name, Value: func() (float64, error) {
			before := heap()
			s, err := m.make(z.entries, ttl)
			if err != nil {
				return 0, err
			}
			for i := range z.entries {
				s.Set(uint64(i)*0x9e3779b97f4a7c15, 1)
			}
			used := heap() - before
			s.Close()
			return used / float64(z.entries), nil
		}}
	}
	row := func(name string, ttl time.Duration, limit float64) harness.Row {
		return harness.Row{
			Workload: name, Unit: "B", Ours: per(ours[uint64](lru.Adaptive), ttl),
			Peers:  contenders(numberPeers()[:2], func(m maker[uint64]) harness.Contender { return per(m, ttl) }),
			Target: harness.Limit(limit), MaxAllocs: harness.NoAllocLimit,
		}
	}
	empty := harness.Row{
		Workload: "Ten thousand empty caches of capacity 10, each", Unit: "B", Target: harness.Limit(2048), MaxAllocs: harness.NoAllocLimit,
		Ours: harness.Contender{Name: "lru", Value: func() (float64, error) {
			const n = 10_000
			before := heap()
			all := make([]store[uint64], n)
			for i := range all {
				s, err := ours[uint64](lru.Adaptive).make(10, 0)
				if err != nil {
					return 0, err
				}
				all[i] = s
			}
			used := (heap() - before) / n
			runtime.KeepAlive(all)
			return used, nil
		}},
	}
	return []harness.Row{
		row("Memory per entry, uint64 to uint64", 0, 60),
		row("Memory per entry, uint64 to uint64, with TTL", time.Hour, 76),
		empty,
	}
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// ratioRow is the mean hit ratio over the synthetic streams; cmd/simulate has the whole table.
func ratioRow(quick bool) harness.Row {
	n := 400_000
	if quick {
		n = 20_000
	}
	one := func(p simulate.Policy) harness.Contender {
		return harness.Contender{Name: p.Name, Value: func() (float64, error) {
			sum, count := 0.0, 0
			for _, t := range simulate.Synthetic(n) {
				for _, capacity := range t.Capacities {
					if t.Weights == nil {
						sum += simulate.HitRatio(p, t, capacity)
						count++
					}
				}
			}
			return sum / float64(count), nil
		}}
	}
	row := harness.Row{
		Workload: "Mean hit ratio on the synthetic streams of cmd/simulate", Unit: "%",
		HigherIsBetter: true, Target: harness.AtLeast(1), MaxAllocs: harness.NoAllocLimit,
	}
	for _, p := range simulate.Policies() {
		switch p.Name {
		case "Adaptive":
			row.Ours = one(p)
		case "otter", "golang-lru", "2Q", "ARC":
			row.Peers = append(row.Peers, one(p))
		}
	}
	return row
}
