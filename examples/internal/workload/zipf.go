package workload

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Zipf draws ranks 0 … n-1 so that rank r has a probability proportional to 1/(r+1)^s: a few hot items and a long tail.
// Unlike the generator of math/rand/v2 it allows s <= 1, which is where measured web traffic lies. It costs 8 bytes a rank.
type Zipf struct {
	below []float64 // below[r] is the probability of a rank <= r
}

// NewZipf makes a distribution over n >= 1 ranks with exponent s >= 0; s = 0 is uniform.
func NewZipf(n int, s float64) *Zipf {
	z := &Zipf{below: make([]float64, max(n, 1))}
	sum := 0.0
	for r := range z.below {
		sum += math.Pow(float64(r+1), -s)
		z.below[r] = sum
	}
	for r := range z.below {
		z.below[r] /= sum
	}
	return z
}

// Next draws a rank. The distribution is shared safely; the generator is not.
func (z *Zipf) Next(rng *rand.Rand) int {
	return min(sort.SearchFloat64s(z.below, rng.Float64()), len(z.below)-1)
}
