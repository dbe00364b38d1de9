package lrurows

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/lru"
)

// runtimeRows measures what a large cache costs the garbage collector and what its growth costs readers.
func runtimeRows(quick bool) []harness.Row {
	entries, growth := 10_000_000, 10_000_000
	if quick {
		entries, growth = 20_000, 20_000
	}
	peers := pick("otter")
	gc := func(m maker[uint64]) harness.Contender {
		return harness.Contender{Name: m.name, Value: func() (float64, error) { return markTime(m, entries) }}
	}
	tail := func(m maker[uint64]) harness.Contender {
		return harness.Contender{Name: m.name, Value: func() (float64, error) { return growthTail(m, growth) }}
	}
	return []harness.Row{
		{
			Workload: "GC with 10 M entries, processor time of one cycle", Unit: "ms",
			Ours: gc(ours[uint64](lru.Adaptive)), Peers: contenders(peers, gc),
			Target: harness.AtMost(0.8), MaxAllocs: harness.NoAllocLimit,
		},
		{
			Workload: "p99.9 of Get while another goroutine inserts up to 10 M entries", Unit: "ns",
			Ours: tail(ours[uint64](lru.Adaptive)), Peers: contenders(peers, tail),
			Target: harness.AtMost(0.5), MaxAllocs: harness.NoAllocLimit,
		},
	}
}

// markTime is the duration of a forced collection with a full cache times the processors that work on it; of three,
// the least.
func markTime(m maker[uint64], entries int) (float64, error) {
	s, err := m.make(entries, 0)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for i := range entries {
		s.Set(uint64(i)*0x9e3779b97f4a7c15, 1)
	}
	runtime.GC()
	best := time.Duration(1 << 62)
	for range 3 {
		start := time.Now()
		runtime.GC()
		best = min(best, time.Since(start))
	}
	runtime.KeepAlive(s)
	return float64(best.Microseconds()) / 1000 * float64(runtime.GOMAXPROCS(0)), nil
}

// growthTail reads present keys while a writer fills the cache, and returns the latency that one read in a thousand
// exceeds.
func growthTail(m maker[uint64], entries int) (float64, error) {
	s, err := m.make(entries, 0)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var filled atomic.Int64
	for i := range 1000 {
		s.Set(uint64(i)*0x9e3779b97f4a7c15, 1)
	}
	filled.Store(1000)
	go func() {
		for i := 1000; i < entries; i++ {
			s.Set(uint64(i)*0x9e3779b97f4a7c15, 1)
			if i%1024 == 0 {
				filled.Store(int64(i))
			}
		}
		filled.Store(int64(entries))
	}()
	rng := rand.New(rand.NewPCG(1, 2))
	samples := make([]time.Duration, 0, 1<<22)
	for n := filled.Load(); n < int64(entries); n = filled.Load() {
		k := uint64(rng.Int64N(n)) * 0x9e3779b97f4a7c15
		start := time.Now()
		s.Get(k)
		took := time.Since(start)
		if len(samples) < cap(samples) {
			samples = append(samples, took)
		} else {
			samples[rng.IntN(len(samples))] = took
		}
	}
	if len(samples) == 0 {
		return 0, nil
	}
	slices.Sort(samples)
	return float64(samples[len(samples)*999/1000]), nil
}
