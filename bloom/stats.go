package bloom

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Stats is a snapshot of a filter.
type Stats struct {
	Capacity   uint64  // keys that the filter was sized for
	TargetRate float64 // false-positive rate at that number of keys
	Bytes      uint64  // memory of the bits
	Filters    int     // 1; the stages of a Scalable, the generations that a Window consults
	Keys       float64 // estimated number of distinct keys; +Inf when saturated
	Rate       float64 // chance that a fresh key tests true now, from the bits as they are
	Fill       float64 // share of bits that are set, 0 to 1
}

// Stats reads all blocks and returns what they say. Rate is exact for the bits as they stand, whatever was added,
// united or folded; it is what to alarm on. Use it now and then, not per request: it costs a pass over the memory.
func (f *Filter) Stats() Stats {
	l := f.layout
	s := Stats{Capacity: l.Capacity, TargetRate: l.TargetRate, Bytes: l.Bytes(), Filters: 1}
	if l.Blocks == 0 {
		return s
	}
	// covered[n] is the chance that p random bits of a word with n ones are all set.
	var covered [65]float64
	for n := range covered {
		covered[n] = math.Pow(float64(n)/64, float64(l.Bits))
	}
	perGroup := 8 / l.Words
	var ones uint64
	var sum float64
	for i := range f.blocks {
		b := &f.blocks[i]
		rate := 1.0
		for from := 0; from < 8; from += perGroup {
			var group float64
			for w := from; w < from+perGroup; w++ {
				n := bits.OnesCount64(atomic.LoadUint64(&b[w]))
				ones += uint64(n)
				group += covered[n]
			}
			rate *= group / float64(perGroup)
		}
		sum += rate
	}
	s.Rate = sum / float64(l.Blocks)
	s.Fill = float64(ones) / (512 * float64(l.Blocks))
	s.Keys = l.keysFor(ones)
	return s
}

// keysFor estimates how many distinct keys set that many bits. A key picks one word of w in a group and leaves a
// given bit of it clear with the chance (63/64)^p, so a bit stays clear with exp(-keys/(B·w)·(1-(63/64)^p)).
func (l Layout) keysFor(ones uint64) float64 {
	if l.Blocks == 0 || ones == 0 {
		return 0
	}
	total := 512 * float64(l.Blocks)
	perGroup := float64(8 / l.Words)
	hit := 1 - math.Pow(63.0/64, float64(l.Bits))
	return -float64(l.Blocks) * perGroup / hit * math.Log1p(-float64(ones)/total)
}
