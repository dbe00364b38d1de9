package lru

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCurveAgreesWithRealCaches(t *testing.T) {
	z := rand.NewZipf(rand.New(rand.NewPCG(5, 6)), 1.05, 10, 200_000)
	keys := make([]uint64, 400_000)
	for i := range keys {
		keys[i] = z.Uint64()
	}
	curve, err := NewCurve[uint64](0)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(curve.HitRatio(10)) {
		t.Error("a curve without reads is not NaN")
	}
	for _, k := range keys {
		curve.Add(k)
	}
	sum := 0.0
	capacities := []int{300, 1000, 2000, 5000, 10_000, 20_000, 40_000, 80_000}
	for _, capacity := range capacities {
		c := mustNew(t, capacity, Options[uint64, struct{}]{Policy: LRU})
		hits := 0
		for _, k := range keys {
			if _, ok := c.Get(k); ok {
				hits++
			} else {
				c.Set(k, struct{}{})
			}
		}
		want := float64(hits) / float64(len(keys))
		got := curve.HitRatio(capacity)
		t.Logf("capacity %d: %.4f, curve says %.4f", capacity, want, got)
		sum += math.Abs(got - want)
	}
	if mean := sum / float64(len(capacities)); mean > 0.02 {
		t.Errorf("mean error %.4f", mean)
	}
}

func BenchmarkCurveAdd(b *testing.B) {
	curve, _ := NewCurve[uint64](0)
	keys := zipfKeys(1<<16, 1.01, 1<<20)
	for i := 0; b.Loop(); i++ {
		curve.Add(keys[i&(1<<16-1)])
	}
}
