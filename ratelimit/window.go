package ratelimit

import (
	"math"
	"math/bits"
	"time"
)

// Algorithm is what a Limit does between two moments.
type Algorithm uint8

// The choices of Algorithm. A bucket admits Burst at once and then at the rate; windows give everything back at moments
// that are aligned to the Unix epoch, by the wall clock as it was in New.
const (
	// TokenBucket refills evenly: at most Burst + Count in one Per.
	TokenBucket Algorithm = iota
	// FixedWindow admits Count per window, and everything returns at its end: up to twice the Count within a moment
	// around it.
	FixedWindow
	// SlidingWindow counts the window and the one before, the latter weighted by how much of it lies within the last
	// Per: Count per Per if the requests of the window before came evenly, at worst nearly twice as many.
	SlidingWindow
)

const (
	// windowed is the shift of an axis whose clock does not move evenly.
	windowed = 255
	// maxWindow bounds the Count of a FixedWindow, so that a step of its clock is small beside the number line.
	maxWindow = int64(1) << 56
	// slideUnits is the number of units per token of a SlidingWindow: the resolution of the weight.
	slideUnits = 1 << 20
	// lifetime is the number of nanoseconds whose windows a state can tell apart: 18 years.
	lifetime = uint64(1) << 59
)

// counterBits is the width of one counter of a SlidingWindow: what the window's number leaves of 60 bits, halved.
func counterBits(per time.Duration) uint {
	return min(31, (59-uint(bits.Len64(lifetime/uint64(per))))/2)
}

// maxSliding is the largest Count of a SlidingWindow: a counter also holds debt and what waiters have coming.
func maxSliding(per time.Duration) int64 { return int64(1) << counterBits(per) / 4 }

// window is what an axis needs to count windows.
type window struct {
	per    uint64 // nanoseconds
	origin int64  // when the window of the axis' start began, in the pool's time
	count  uint64
	// width is the number of bits of a counter; 0 for a FixedWindow. The state of a SlidingWindow is, above base, the
	// window's number, the tokens of the window before, and those of the window itself.
	width uint
}

// newWindow makes a an axis of windows. A FixedWindow is a bucket whose clock stands still within a window and then
// makes a step of Count: a token is a unit, and everything else is as on any axis.
func (a *axis) newWindow(l Limit, epoch int64) {
	a.m, a.shift, a.sliding = 0, windowed, l.Algorithm == SlidingWindow
	a.per, a.count = uint64(l.Per), uint64(l.Count)
	into := (epoch + a.t0) % int64(l.Per)
	if into < 0 {
		into += int64(l.Per)
	}
	a.origin = a.t0 - into
	a.burst, a.inverse = a.tokens, 1
	if a.sliding {
		a.width = counterBits(l.Per)
		a.token, a.burst, a.inverse = slideUnits, a.tokens*slideUnits, 1.0/slideUnits
	}
}

// atWindow is at. The clock of a SlidingWindow counts nanoseconds from origin, above every state, so that no state is
// taken for one of a line.
func (a *axis) atWindow(e int64) uint64 {
	since := uint64(max(e, a.t0) - a.origin)
	if a.sliding {
		return mark | since
	}
	return a.base + since/a.per*a.count
}

// whenWindow is when for a FixedWindow: the beginning of the window that brings target.
func (a *axis) whenWindow(target uint64) int64 {
	return max(a.t0, a.edge((target-a.base+a.count-1)/a.count, 0))
}

// edge is the time at which window k begins, and into nanoseconds more.
func (a *axis) edge(k, into uint64) int64 {
	hi, lo := bits.Mul64(k, a.per)
	lo += into
	if hi != 0 || lo > uint64(math.MaxInt64) || a.origin > 0 && lo > uint64(math.MaxInt64-a.origin) {
		return math.MaxInt64
	}
	return a.origin + int64(lo)
}

// counters are a SlidingWindow's state: the tokens of window k and of the one before.
type counters struct{ k, before, now uint64 }

func (a *axis) unpack(s uint64) counters {
	if s = a.translate(s, false); s <= a.base {
		return counters{}
	}
	s -= a.base
	counter := uint64(1)<<a.width - 1
	return counters{k: s >> (2 * a.width), before: s >> a.width & counter, now: s & counter}
}

func (a *axis) pack(c counters) uint64 {
	counter := uint64(1)<<a.width - 1
	return a.base + (c.k<<(2*a.width) | min(c.before, counter)<<a.width | min(c.now, counter))
}

// roll brings c to the window of v. What is owed beyond the Count stays owed in the next window. An older reading of
// the clock counts as the beginning of c's window.
func (a *axis) roll(c counters, v uint64) (rolled counters, into uint64) {
	since := v &^ mark
	k := since / a.per
	if k < c.k {
		return c, 0
	}
	return c.forward(k-c.k, a.count), since % a.per
}

// forward returns c d windows later.
func (c counters) forward(d, count uint64) counters {
	if d == 0 {
		return c
	}
	hi, gone := bits.Mul64(d-1, count)
	if hi != 0 || gone >= c.now {
		return counters{k: c.k + d}
	}
	left := c.now - gone
	return counters{k: c.k + d, before: min(left, count), now: left - min(left, count)}
}

// slidingUsed is used: the tokens of this window, and those of the one before by the share of it that still counts.
func (a *axis) slidingUsed(s, v uint64) uint64 {
	c, into := a.roll(a.unpack(s), v)
	hi, lo := bits.Mul64(c.before*slideUnits, a.per-into)
	weighted, rest := bits.Div64(hi, lo, a.per)
	if rest != 0 {
		weighted++
	}
	return c.now*slideUnits + weighted
}

// slidingCharged is charged, by whole tokens.
func (a *axis) slidingCharged(s, v, cost uint64) uint64 {
	c, _ := a.roll(a.unpack(s), v)
	c.now += cost / slideUnits
	return a.pack(c)
}

// slidingReturned is returned: tokens of this window first, then of the one before.
func (a *axis) slidingReturned(s, v, cost uint64) uint64 {
	if a.slidingUsed(s, v) <= cost {
		return a.full()
	}
	c, _ := a.roll(a.unpack(s), v)
	return a.pack(c.less(cost / slideUnits))
}

func (c counters) less(n uint64) counters {
	part := min(n, c.now)
	c.now -= part
	c.before -= min(n-part, c.before)
	return c
}

// slidingReach returns the first time at which at most left units of s are used.
func (a *axis) slidingReach(s, left uint64) int64 {
	c := a.unpack(s)
	if now := c.now * slideUnits; now > left {
		c = c.forward((now-left+a.count*slideUnits-1)/(a.count*slideUnits), a.count)
	}
	into := uint64(0)
	if c.before > 0 {
		// c.before·(per-into)/per ≤ what the tokens of the window itself leave
		hi, lo := bits.Mul64(left-c.now*slideUnits, a.per)
		if weight := c.before * slideUnits; hi < weight {
			within, _ := bits.Div64(hi, lo, weight)
			into = a.per - min(within, a.per)
		}
	}
	return max(a.t0, a.edge(c.k, into))
}

// slidingTop is above every state that can be written until an hour after e.
func (a *axis) slidingTop(e int64) uint64 {
	k := uint64(max(e, a.t0)-a.origin)/a.per + uint64(time.Hour)/a.per + 2
	if hi, lo := bits.Mul64(k, 1<<(2*a.width)); hi == 0 && lo < renumberAt {
		return a.base + lo
	}
	return renumberAt
}
