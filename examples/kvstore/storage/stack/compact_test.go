package stack

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDueMergesDownToARunThatIsNotLarger(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		want  int
	}{
		{nil, 0},
		{[]int64{5}, 0},
		{[]int64{1, 2, 4}, 0},
		{[]int64{1, 1}, 2},
		{[]int64{1, 2, 3, 100}, 3},
		{[]int64{1, 1, 2, 4, 8}, 5},
		{[]int64{1, 2, 4, 100, 100}, 5},
		{[]int64{3, 1, 2, 6, 13}, 4},
	} {
		if got := due(c.sizes); got != c.want {
			t.Errorf("%v: %d, want %d", c.sizes, got, c.want)
		}
	}
}

// TestRunsStayFewAndRewritesToo pushes runs of one size, as if no key came twice, and counts.
func TestRunsStayFewAndRewritesToo(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var sizes []int64
		var pushed, written int64
		for range 1000 {
			sizes = append([]int64{100}, sizes...)
			pushed += 100
			if rng.IntN(3) == 0 { // merging is late now and then
				continue
			}
			for n := due(sizes); n > 0; n = due(sizes) {
				sum := int64(0)
				for _, size := range sizes[:n] {
					sum += size
				}
				sizes = append([]int64{sum}, sizes[n:]...)
				written += sum
			}
			newer := int64(0)
			for i, size := range sizes {
				if i > 0 && size <= newer {
					t.Fatalf("seed %d: %v", seed, sizes)
				}
				newer += size
			}
			if bound := math.Log2(float64(pushed)/100) + 2; float64(len(sizes)) > bound {
				t.Fatalf("seed %d: %d runs, bound %.1f", seed, len(sizes), bound)
			}
		}
		if bound := math.Log2(float64(pushed)/100) + 1; float64(written)/float64(pushed) > bound {
			t.Errorf("seed %d: each byte was written again %.1f times, bound %.1f", seed, float64(written)/float64(pushed), bound)
		}
	}
}
