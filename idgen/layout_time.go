package idgen

import (
	"math"
	"math/bits"
	"time"
)

// Ticks are computed in 128 bits of nanoseconds: a time.Duration ends after 292 years, layouts do not.

// tickTime returns the start of a tick. ok is false where time.Time cannot hold it (a limit of 2^62 seconds).
func (l Layout) tickTime(tick uint64) (t time.Time, ok bool) {
	hi, lo := bits.Mul64(tick, uint64(l.Unit))
	if hi >= 1e9 {
		return time.Time{}, false
	}
	sec, nsec := bits.Div64(hi, lo, 1e9)
	if sec > 1<<62 {
		return time.Time{}, false
	}
	return time.Unix(l.Epoch.Unix()+int64(sec), int64(l.Epoch.Nanosecond())+int64(nsec)).UTC(), true
}

// tickOf returns the tick that t lies in and the nanoseconds since the start of that tick. Both directions saturate
// at the ends of int64, far outside every layout.
func (l Layout) tickOf(t time.Time) (tick, rem int64) {
	sec, nsec := t.Unix(), int64(t.Nanosecond())-int64(l.Epoch.Nanosecond())
	e := l.Epoch.Unix()
	d := sec - e
	if (d < sec) != (e > 0) && e != 0 { // wrapped
		if sec < 0 {
			return math.MinInt64, 0
		}
		return math.MaxInt64, 0
	}
	if nsec < 0 {
		d, nsec = d-1, nsec+1e9
	}
	if d >= 0 {
		q, r, ok := ticksIn(uint64(d), uint64(nsec), uint64(l.Unit))
		if !ok {
			return math.MaxInt64, 0
		}
		return int64(q), int64(r)
	}
	// Before the epoch: the distance is -d seconds less nsec, and the tick rounds towards the past.
	back, part := uint64(-d), uint64(0)
	if nsec > 0 {
		back, part = back-1, uint64(1e9-nsec)
	}
	q, r, ok := ticksIn(back, part, uint64(l.Unit))
	if !ok {
		return math.MinInt64, 0
	}
	if r == 0 {
		return -int64(q), 0
	}
	return -int64(q) - 1, int64(l.Unit) - int64(r)
}

// ticksIn divides sec seconds and nsec nanoseconds by unit.
func ticksIn(sec, nsec, unit uint64) (q, r uint64, ok bool) {
	hi, lo := bits.Mul64(sec, 1e9)
	lo, carry := bits.Add64(lo, nsec, 0)
	hi += carry
	if hi >= unit {
		return 0, 0, false
	}
	q, r = bits.Div64(hi, lo, unit)
	return q, r, q <= math.MaxInt64
}

// tickFrom returns the first tick that starts at or after t.
func (l Layout) tickFrom(t time.Time) int64 {
	tick, rem := l.tickOf(t)
	if rem > 0 {
		tick++
	}
	return tick
}

// Range returns the bounds for a scan by creation time, WHERE id >= lo AND id < hi: exactly the IDs whose tick starts
// at or after from and before to. It is clamped to the layout and to 63 bits, and hi is never below lo. An invalid
// layout gives the empty range 0, 0.
func (l Layout) Range(from, to time.Time) (lo, hi ID) {
	if l.Validate() != nil {
		return 0, 0
	}
	l = l.full()
	ts, _, _, _ := l.shifts()
	end := uint64(1) << l.TimeBits
	edge := func(t time.Time) ID {
		tick := min(uint64(max(l.tickFrom(t), 0)), end)
		if tick == end && l.bits() == 63 {
			return maxID
		}
		return ID(tick << ts)
	}
	lo, hi = edge(from), edge(to)
	return lo, max(lo, hi)
}

// Expires returns the first instant without IDs: a generator of this layout then answers ErrOverflow. Without
// TimeBits nothing expires and the zero Time is returned.
func (l Layout) Expires() time.Time {
	l = l.full()
	if l.TimeBits == 0 {
		return time.Time{}
	}
	t, _ := l.tickTime(1 << l.TimeBits)
	return t
}
