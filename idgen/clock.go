package idgen

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// resyncEvery is how long a step of the wall clock can stay unseen.
	resyncEvery = int64(time.Second)
	// stepTolerance is the disagreement of wall and monotonic clock that is noise: the two are read one after the
	// other, so that a preemption between them looks like a step.
	stepTolerance = int64(100 * time.Microsecond)
	// farTick stands for "further than any clock reaches" in nanoseconds; sums of two of them still fit.
	farTick = int64(1) << 61
)

// clock turns one reading of the monotonic clock into a tick of a layout. Readings are nanoseconds since the start of
// the tick in which the clock was made, so that any epoch works without 128-bit arithmetic on the way.
type clock struct {
	base     time.Time // carries the monotonic reading; every read is time.Since(base)
	baseWall time.Time // the same instant without it
	rem      int64     // nanoseconds of base into its tick
	tick0    int64     // tick of base
	unit     int64     // nanoseconds per tick
	mul      uint64    // ceil(2^(62+l)/unit), l = bits in unit-1: the product's high part is the quotient
	shift    uint8     // l - 2
	layout   Layout

	off  atomic.Int64 // reading = off + time.Since(base); resync publishes, every read loads
	next atomic.Int64 // time.Since(base) at which the wall clock is looked at again; as off
	skew atomic.Int64 // tests move the wall clock by it

	mu      sync.Mutex    // one resync at a time
	steps   atomic.Uint64 // backward steps seen; resync writes, Stats reads
	largest atomic.Int64  // the largest of them in nanoseconds; likewise
}

// start sets the clock to now. l has its defaults filled in.
//
// The reciprocal is exact for every reading below 2^62 ns (146 years): with l = ceil(log2 unit) and
// m = ceil(2^(62+l)/unit), 2^(62+l) <= m*unit < 2^(62+l)+2^l, which is the condition of Granlund and Montgomery
// (1994, theorem 4.2) for 62-bit dividends.
func (c *clock) start(l Layout) {
	c.layout, c.unit = l, int64(l.Unit)
	c.base = time.Now()
	c.baseWall = c.base.Round(0)
	c.tick0, c.rem = l.tickOf(c.baseWall)
	c.off.Store(c.rem)
	c.next.Store(resyncEvery)
	width := bits.Len64(uint64(c.unit - 1))
	hi, lo := uint64(0), uint64(0)
	if width+62 >= 64 {
		hi = 1 << (width + 62 - 64)
	}
	q, r := bits.Div64(hi, lo, uint64(c.unit))
	if r > 0 {
		q++
	}
	c.mul, c.shift = q, uint8(width-2)
}

// tickAt returns the tick of a reading.
func (c *clock) tickAt(d int64) int64 {
	if uint64(d) < 1<<62 {
		hi, _ := bits.Mul64(c.mul, uint64(d))
		return c.tick0 + int64(hi>>(c.shift&63)) // the mask spares a comparison
	}
	q := d / c.unit
	if d%c.unit < 0 {
		q--
	}
	return c.tick0 + q
}

// startOf returns the reading at which a tick starts; it saturates at farTick.
func (c *clock) startOf(tick int64) int64 {
	n := tick - c.tick0
	if hi, lo := bits.Mul64(uint64(max(n, -n)), uint64(c.unit)); hi == 0 && lo < uint64(farTick) {
		return n * c.unit
	}
	if n < 0 {
		return -farTick
	}
	return farTick
}

// wall returns the instant of a reading.
func (c *clock) wall(d int64) time.Time { return c.baseWall.Add(time.Duration(d - c.rem)) }

// resync looks at the wall clock, at most one caller at a time. m is time.Since(base). It returns true, and the reading
// that m had before, when the wall clock was found to have gone back.
func (c *clock) resync(m int64) (old int64, back bool) {
	if !c.mu.TryLock() {
		return 0, false
	}
	defer c.mu.Unlock()
	c.next.Store(m + resyncEvery)
	before := c.off.Load()
	seen := c.measure()
	if distance(seen, before) <= stepTolerance {
		return 0, false
	}
	// A preemption between the two clock reads gives one wrong difference, hardly two equal ones.
	for range 3 {
		again := c.measure()
		if distance(again, seen) <= stepTolerance {
			c.off.Store(again)
			if again > before {
				return 0, false
			}
			c.steps.Add(1)
			if before-again > c.largest.Load() {
				c.largest.Store(before - again)
			}
			return m + before, true
		}
		seen = again
	}
	return 0, false
}

// measure returns what off has to be for readings to follow the wall clock.
func (c *clock) measure() int64 {
	t := time.Now()
	return int64(t.Round(0).Sub(c.baseWall)) + c.skew.Load() - int64(t.Sub(c.base)) + c.rem
}

func distance(a, b int64) int64 { return max(a-b, b-a) }
