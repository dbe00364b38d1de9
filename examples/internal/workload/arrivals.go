package workload

import (
	"iter"
	"math/rand/v2"
	"time"
)

// Poisson yields the arrival times of independent users, counted from the start, for ever: the gaps are exponential with a
// mean of 1/perSecond.
func Poisson(rng *rand.Rand, perSecond float64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		seconds := 0.0
		for {
			seconds += rng.ExpFloat64() / perSecond
			if !yield(time.Duration(seconds * float64(time.Second))) {
				return
			}
		}
	}
}
