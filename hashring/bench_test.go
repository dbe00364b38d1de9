package hashring

import (
	"fmt"
	"testing"
)

// benchKeys are random-looking keys of 13 bytes from a table that is larger than a branch predictor remembers.
func benchKeys() []string {
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%09d", mix64(uint64(i))%1e9)
	}
	return keys
}

func benchNodes(n, zones int) []Node[string] {
	nodes := make([]Node[string], n)
	for i := range nodes {
		nodes[i].ID = fmt.Sprintf("node-%03d", i)
		nodes[i].Value = nodes[i].ID
		if zones > 0 {
			nodes[i].Zone = fmt.Sprintf("zone-%d", i%zones)
		}
	}
	return nodes
}

func benchRing(b *testing.B, nodes, zones int, o Options) *Ring[string] {
	b.Helper()
	r, err := New(benchNodes(nodes, zones), o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// forRings runs a benchmark over sizes, zones and bounds.
func forRings(b *testing.B, run func(b *testing.B, r *Ring[string])) {
	b.Helper()
	for _, nodes := range []int{10, 100, 1000} {
		for _, zones := range []int{0, 3} {
			for _, bound := range []float64{0, 1.25} {
				b.Run(fmt.Sprintf("nodes=%d/points=160/zones=%d/bound=%v", nodes, zones, bound), func(b *testing.B) {
					r := benchRing(b, nodes, zones, Options{VNodes: 160, LoadFactor: bound})
					b.ReportAllocs()
					run(b, r)
				})
			}
		}
	}
}

func BenchmarkHash(b *testing.B) {
	keys := benchKeys()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Hash(keys[i&(1<<16-1)])
	}
}

func BenchmarkGet(b *testing.B) {
	keys := benchKeys()
	for _, nodes := range []int{10, 100, 1000, 10_000} {
		for _, points := range []int{160, 256} {
			b.Run(fmt.Sprintf("nodes=%d/points=%d", nodes, points), func(b *testing.B) {
				r := benchRing(b, nodes, 0, Options{VNodes: points})
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					r.Get(keys[i&(1<<16-1)])
				}
			})
		}
	}
}

func BenchmarkGetParallel(b *testing.B) {
	keys := benchKeys()
	r := benchRing(b, 100, 0, Options{VNodes: 160})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r.Get(keys[i&(1<<16-1)])
		}
	})
}

func BenchmarkGetN(b *testing.B) {
	keys := benchKeys()
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		buf := make([]string, 0, 3)
		for i := 0; b.Loop(); i++ {
			buf = r.AppendN(buf[:0], keys[i&(1<<16-1)], 3)
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	keys := benchKeys()
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		for i := 0; b.Loop(); i++ {
			left := 5
			for range r.Walk(keys[i&(1<<16-1)]) {
				if left--; left == 0 {
					break
				}
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	for _, nodes := range []int{10, 100, 1000} {
		for _, zones := range []int{0, 3} {
			for _, bound := range []float64{0, 1.25, 1.05} {
				b.Run(fmt.Sprintf("nodes=%d/points=160/zones=%d/bound=%v", nodes, zones, bound), func(b *testing.B) {
					members := benchNodes(nodes, zones)
					b.ReportAllocs()
					for b.Loop() {
						if _, err := New(members, Options{VNodes: 160, LoadFactor: bound}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkAddRemove(b *testing.B) {
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		joiner := Node[string]{ID: "node-x"}
		if r.Snapshot().Stats().Zones > 0 {
			joiner.Zone = "zone-0"
		}
		for b.Loop() {
			if _, err := r.Add(joiner); err != nil {
				b.Fatal(err)
			}
			r.Remove("node-x")
		}
	})
}

func BenchmarkMoves(b *testing.B) {
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		joiner := Node[string]{ID: "node-x"}
		if r.Snapshot().Stats().Zones > 0 {
			joiner.Zone = "zone-0"
		}
		change, err := r.Add(joiner)
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{1, 3} {
			b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
				boundaries := change.Old.Stats().Points + change.New.Stats().Points
				b.ReportAllocs()
				loops := 0
				for b.Loop() {
					loops++
					for range change.Moves(n) {
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(loops)/float64(boundaries), "ns/boundary")
			})
		}
	})
}

func BenchmarkAllRanges(b *testing.B) {
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		s := r.Snapshot()
		for b.Loop() {
			for range s.AllRanges(3) {
			}
		}
	})
}

func BenchmarkStats(b *testing.B) {
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		s := r.Snapshot()
		for b.Loop() {
			s.Stats()
		}
	})
}

func BenchmarkAcquire(b *testing.B) {
	keys := benchKeys()
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		balancer, err := NewBalancer(r, BalancerOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			lease, _ := balancer.Acquire(keys[i&(1<<16-1)])
			lease.Release()
		}
	})
}

func BenchmarkGroup(b *testing.B) {
	keys := benchKeys()[:1000]
	forRings(b, func(b *testing.B, r *Ring[string]) {
		b.Helper()
		s := r.Snapshot()
		for b.Loop() {
			for range s.Group(keys) {
			}
		}
	})
}
