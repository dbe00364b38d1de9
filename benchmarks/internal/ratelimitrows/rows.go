// Package ratelimitrows compares ratelimit, httplimit and redislimit with their peers.
package ratelimitrows

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/ratelimit"
)

// Rows returns the comparison. quick shrinks tables and storms.
func Rows(quick bool) ([]harness.Row, error) {
	million, waiters := 1_000_000, 10_000
	if quick {
		million, waiters = 10_000, 500
	}
	rows := single()
	rows = append(rows, several()...)
	rows = append(rows, keyed(1000)...)
	rows = append(rows, keyed(million)...)
	rows = append(rows, flood(million), memory(million), setLimits(million))
	rows = append(rows, storm(waiters)...)
	rows = append(rows, middleware()...)
	redis, err := redisRows(quick)
	return append(rows, redis...), err
}

// timed makes a contender whose operation is one call of f.
func timed(name string, f func()) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		return func(n int) {
			for range n {
				f()
			}
		}, nil, nil
	}}
}

// parallel makes a contender that shares n operations out to callers goroutines; worker returns a goroutine's operation.
func parallel(name string, callers int, worker func() func()) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		return shared(callers, worker), nil, nil
	}}
}

func shared(callers int, worker func() func()) harness.Op {
	workers := make([]func(), callers)
	for i := range workers {
		workers[i] = worker()
	}
	return func(n int) {
		var wg sync.WaitGroup
		for i, f := range workers {
			wg.Go(func() {
				for range (n + i) / callers {
					f()
				}
			})
		}
		wg.Wait()
	}
}

func value(name string, f func() (float64, error)) harness.Contender {
	return harness.Contender{Name: name, Value: f}
}

// Limits that never run dry, and that are empty after one call.
func open(name string) ratelimit.Limit {
	return ratelimit.Limit{Name: name, Count: 1_000_000_000, Per: time.Second, Burst: 1 << 40}
}

func shut() ratelimit.Limit { return ratelimit.Limit{Count: 1, Per: 1000 * time.Hour} }

// made makes a limiter from limits that are right by construction.
func made(limits ...ratelimit.Limit) ratelimit.Limiter {
	l, err := ratelimit.New(limits...)
	if err != nil {
		panic(err)
	}
	return l
}

func procs() int { return runtime.GOMAXPROCS(0) }

func single() []harness.Row {
	start := time.Now()
	clock := timed("time.Since", func() { _ = time.Since(start) })
	l, denied := made(open("")), made(shut())
	denied.Allow()
	x, xDenied := xtimeOpen(), xtimeShut()
	return []harness.Row{
		{
			Workload: "Allow, admitted, serial", Ours: timed("Allow", func() { l.Allow() }),
			Peers: []harness.Contender{timed("x/time/rate", func() { x.Allow() })}, Target: harness.AtLeast(2),
		},
		{
			Workload: "Allow, admitted, against the clock alone", Ours: timed("Allow", func() { l.Allow() }),
			Peers: []harness.Contender{clock}, Target: harness.Report(),
		},
		{
			Workload: "Allow, denied, serial", Ours: timed("Allow", func() { denied.Allow() }),
			Peers: []harness.Contender{timed("x/time/rate", func() { xDenied.Allow() })}, Target: harness.AtLeast(2.5),
		},
		{
			Workload: "Allow, denied, against the clock alone", Ours: timed("Allow", func() { denied.Allow() }),
			Peers: []harness.Contender{clock}, Target: harness.Report(),
		},
		{
			Workload: fmt.Sprintf("Allow, denied, %d goroutines", procs()),
			Ours:     parallel("Allow", procs(), func() func() { return func() { denied.Allow() } }),
			Peers:    []harness.Contender{parallel("x/time/rate", procs(), func() func() { return func() { xDenied.Allow() } })},
			Target:   harness.AtLeast(2.5),
		},
		{
			Workload: fmt.Sprintf("Allow, admitted, one bucket, %d goroutines", procs()),
			Ours:     parallel("Allow", procs(), func() func() { return func() { l.Allow() } }),
			Peers: []harness.Contender{
				parallel("x/time/rate", procs(), func() func() { return func() { x.Allow() } }), uber(procs()),
			},
			Target: harness.AtLeast(1.2),
		},
		{
			Workload: "Take, a Decision, against Allow", Ours: timed("Take", func() { l.Take(1) }),
			Peers: []harness.Contender{timed("Allow", func() { l.Allow() })}, Target: harness.Report(),
		},
		{
			Workload: "Peek, against Allow", Ours: timed("Peek", func() { l.Peek(1) }),
			Peers: []harness.Contender{timed("Allow", func() { l.Allow() })}, Target: harness.Report(),
		},
	}
}

func several() []harness.Row {
	three := made(open("a"), open("b"), open("c"))
	a, b, c := made(open("a")), made(open("b")), made(open("c"))
	peer := xtimeThree()
	return []harness.Row{
		{
			Workload: "Take, 3 limits", Ours: timed("Take", func() { three.Take(1) }),
			Peers: []harness.Contender{timed("3 x/time/rate in turn", peer)}, Target: harness.AtLeast(3),
		},
		{
			Workload: "TakeAll, 3 handles",
			Ours:     timed("TakeAll", func() { ratelimit.TakeAll(a.Claim(1), b.Claim(1), c.Claim(1)) }),
			Peers:    []harness.Contender{timed("3 x/time/rate in turn", peer)}, Target: harness.AtLeast(2),
		},
	}
}

// keySets are the orders in which keys are asked for.
func keySets(n int) map[string][]string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("192.0.%d.%d", i>>8, i&255)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.01, 1, uint64(n-1))
	const draws = 1 << 16
	uniform, skewed := make([]string, draws), make([]string, draws)
	for i := range draws {
		uniform[i], skewed[i] = names[rng.IntN(n)], names[zipf.Uint64()]
	}
	return map[string][]string{"uniform": uniform, "Zipf 1.01": skewed}
}

// cycle returns a function that walks through keys from a random place on.
func cycle(keys []string) func() string {
	i := rand.IntN(len(keys))
	return func() string {
		i++
		return keys[i&(len(keys)-1)]
	}
}

func keyed(n int) []harness.Row {
	var rows []harness.Row
	sets := keySets(n)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range sets {
			if !yield(name) {
				return
			}
		}
	}) {
		keys := sets[name]
		for _, callers := range []int{1, procs()} {
			target := harness.AtLeast(1.5)
			if callers >= 8 {
				target = harness.AtLeast(3)
			}
			row := harness.Row{
				Workload: fmt.Sprintf("Keyed hit, %d keys, %s, %d goroutines", n, name, callers),
				Ours:     onKeys("Keyed.Allow", callers, keys, func() (func(string), error) { return ours(n) }),
				Peers: []harness.Contender{
					onKeys("sethvargo/go-limiter", callers, keys, goLimiter),
					onKeys("sync.Map of x/time/rate", callers, keys, xtimeMap),
					onKeys("throttled", callers, keys, func() (func(string), error) { return throttle(n) }),
				},
				Target: target,
			}
			if callers == 1 || n == 1000 {
				row.Peers = append(row.Peers, onKeys("httprate", callers, keys, httprateOnKeys))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// onKeys makes a contender that asks for keys; limiter is made anew for each row.
func onKeys(name string, callers int, keys []string, limiter func() (func(string), error)) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		allow, err := limiter()
		if err != nil {
			return nil, nil, err
		}
		for _, key := range keys {
			allow(key)
		}
		return shared(callers, func() func() {
			next := cycle(keys)
			return func() { allow(next()) }
		}), nil, nil
	}}
}

func ours(capacity int) (func(string), error) {
	k, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{perMinute()}, ratelimit.Options{Capacity: capacity})
	if err != nil {
		return nil, err
	}
	return func(key string) { k.Allow(key) }, nil
}

// perMinute is the limit of keyed rows: large enough to be admitted, as in service.
func perMinute() ratelimit.Limit { return ratelimit.Per(keyedTokens, time.Minute) }

const keyedTokens = 1 << 20

func flood(n int) harness.Row {
	keys := keySets(n)["uniform"]
	return harness.Row{
		Workload: fmt.Sprintf("Keyed, every key new, against a hit (%d places)", n),
		Ours: harness.Contender{Name: "flood", Setup: func() (harness.Op, func(), error) {
			k, err := ratelimit.NewKeyed[uint64]([]ratelimit.Limit{perMinute()}, ratelimit.Options{Capacity: n})
			if err != nil {
				return nil, nil, err
			}
			key := uint64(0)
			for range 2 * n {
				key++
				k.Allow(key)
			}
			return func(n int) {
				for range n {
					key++
					k.Allow(key)
				}
			}, nil, nil
		}},
		Peers:  []harness.Contender{onKeys("Keyed hit", 1, keys, func() (func(string), error) { return ours(n) })},
		Target: harness.AtMost(2),
	}
}

func memory(n int) harness.Row {
	measure := func(fill func(n int) (any, error)) func() (float64, error) {
		return func() (float64, error) {
			before := heap()
			keep, err := fill(n)
			used := float64(heap()-before) / float64(n)
			runtime.KeepAlive(keep)
			return used, err
		}
	}
	return harness.Row{
		Workload: fmt.Sprintf("memory, %d keys, one limit", n), Unit: "bytes/key",
		Ours: value("Keyed", measure(func(n int) (any, error) {
			k, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{perMinute()}, ratelimit.Options{Capacity: n})
			if err != nil {
				return nil, err
			}
			for i := range n {
				k.Allow(strconv.Itoa(i))
			}
			return k, nil
		})),
		Peers: []harness.Contender{
			value("sync.Map of x/time/rate", measure(xtimeFill)), value("sethvargo/go-limiter", measure(goLimiterFill)),
		},
		Target: harness.Limit(24),
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// setLimits changes the limits of a table whose buckets refill at once, so that no earlier limits have to be kept.
func setLimits(n int) harness.Row {
	k, err := ratelimit.NewKeyed[int]([]ratelimit.Limit{open("a")}, ratelimit.Options{Capacity: 10 * n})
	i := int64(0)
	return harness.Row{
		Workload: fmt.Sprintf("SetLimits, %d keys", 10*n), MaxAllocs: 16, Target: harness.Limit(1000),
		Ours: harness.Contender{Name: "SetLimits", Setup: func() (harness.Op, func(), error) {
			return func(n int) {
				for range n {
					i++
					_ = k.SetLimits(ratelimit.Limit{Name: "a", Count: 1_000_000_000 + i&1, Per: time.Second, Burst: 1})
				}
			}, nil, err
		}},
	}
}
