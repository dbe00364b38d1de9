package ratelimit

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"time"
)

const (
	// mark in the first state word of a bucket says that the bucket is changing hands; whoever meets it looks again.
	mark = uint64(1) << 63
	// maxExact is the largest refill, in units per nanosecond, for which the exact unit is taken: at 16 the clock
	// reaches the mark after 18 years of uptime.
	maxExact = 16
	// maxUnits bounds the burst in units, so that clock, burst and debt fit below the mark.
	maxUnits = uint64(1) << 60
	// inexactRate bounds the units per second where no exact unit fits: a unit is then about a nanosecond.
	inexactRate = uint64(1) << 30
	// markers is the room between the states of the limits before and this clock's start. Numbers in it mean "full";
	// picking one at random tells apart two times at which a bucket was full, for a compare-and-swap that comes late.
	markers = uint64(1) << 32
	// raceRoom keeps the states apart that are written with the old and with the new limits: a call that read the old
	// limits has read the clock before SetLimits published the new ones, so an hour of refill is far more than enough.
	raceRoom = uint64(1) << 42
	// renumberAt is where the number line is begun anew. Above it a clock could meet the mark within 8 years.
	renumberAt = uint64(1) << 62
)

// axis is the virtual clock of one limit: a line on which the clock v moves at the refill rate and on which a bucket's
// state s is the point up to which tokens are used up. See the package documentation. It never changes once published.
type axis struct {
	base   uint64 // v at time t0
	t0     int64  // nanoseconds since the pool's start
	m      uint64 // refill in units per nanosecond is m>>shift; the top bit of m is set, or m is 0
	shift  uint   // 59 to 126
	c      uint64 // units per nanosecond where that is a whole number, and v then exact; else 0
	up     uint64 // what rounds v up: 0 where it is exact, else 1
	token  uint64 // units per token
	tick   uint64 // units per call: 0, or 1 for Unlimited, whose states are never compared but must change
	burst  uint64 // in units
	tokens uint64 // the burst in tokens
	floor  uint64 // states up to here were written with earlier limits, except 0, which is a bucket never used
	prev   *earlier
	// inverse is 1/token, or 0 for Unlimited; it only ranks buckets by tokens used.
	inverse float64
	limit   Limit
	name    string
	window
	sliding bool
	// odd axes, of Unlimited and of a SlidingWindow, are not for the short cuts.
	odd bool
}

// earlier is the axis that an axis replaced at time at. States at or below the axis' floor are read through it.
type earlier struct {
	axis axis
	at   int64
}

// newAxis chooses the unit. If Count/Per in lowest terms is c tokens per u nanoseconds with a small c, a token is u
// units and every nanosecond refills c: nothing is ever rounded. Otherwise a token is a power of two of units. epoch is
// the wall clock at the pool's start, for windows.
func newAxis(l Limit, t0 int64, floor uint64, epoch int64) axis {
	a := axis{
		base: floor + markers, t0: t0, floor: floor, limit: l, name: l.policy(),
		shift: 64, token: 1, tokens: uint64(l.burst()),
	}
	a.odd = l.unlimited() || l.Algorithm == SlidingWindow
	switch {
	case l.unlimited():
		a.token, a.tick, a.c, a.m, a.shift = 0, 1, 1, 1<<63, 63
		a.burst, a.inverse = maxUnits, 0
		return a
	case l.Algorithm != TokenBucket:
		a.newWindow(l, epoch)
		return a
	case l.Count == 0:
		// Fractions of a token only come from limits before; keep them as well as they fit.
		k := min(30, bits.LeadingZeros64(a.tokens)-4)
		if k > 0 {
			a.token = 1 << k
		}
		a.burst, a.inverse = a.tokens*a.token, 1/float64(a.token)
		return a
	}
	count, per := uint64(l.Count), uint64(l.Per)
	g := gcd(count, per)
	c, u := count/g, per/g
	if hi, units := bits.Mul64(a.tokens, u); c <= maxExact && hi == 0 && (units <= maxUnits || u == 1) {
		lz := bits.LeadingZeros64(c)
		a.c, a.token, a.burst, a.inverse = c, u, units, 1/float64(u)
		a.m, a.shift = c<<lz, uint(lz)
		return a
	}
	f := fractionBits(count, per, a.tokens)
	a.token, a.burst, a.up, a.inverse = 1<<f, a.tokens<<f, 1, 1/float64(uint64(1)<<f)
	a.m, a.shift = ratio(count, per, f)
	return a
}

// fractionBits is the largest f such that a unit of 2^-f token neither refills nor counts a burst beyond its bounds.
func fractionBits(count, per, tokens uint64) uint {
	f := uint(0)
	for f < 62 && tokens<<(f+1) <= maxUnits {
		// count·1e9·2^(f+1) ≤ per·inexactRate, in 128 bits; f+1 is small enough while the product fits.
		hi, lo := bits.Mul64(count, 1e9)
		if hi>>(63-f) != 0 || bits.Len64(hi)+int(f+1) > 64 {
			break
		}
		hi, lo = hi<<(f+1)|lo>>(63-f), lo<<(f+1)
		phi, plo := bits.Mul64(per, inexactRate)
		if hi > phi || hi == phi && lo > plo {
			break
		}
		f++
	}
	return f
}

// ratio returns count·2^f/per as m/2^shift, m rounded down to 64 bits with the top bit set.
func ratio(count, per uint64, f uint) (m uint64, shift uint) {
	lc, lp := uint(bits.LeadingZeros64(count)), uint(bits.LeadingZeros64(per))
	a, b := count<<lc, per<<lp
	if a >= b {
		m, _ = bits.Div64(a>>1, a<<63, b)
		return m, 63 + lc - lp - f
	}
	m, _ = bits.Div64(a, 0, b)
	return m, 64 + lc - lp - f
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// at returns v, rounded down, e nanoseconds after the pool's start. A time before t0 counts as t0: an older reading of
// the clock can make a caller see fewer tokens, never more.
func (a *axis) at(e int64) uint64 {
	x := max(0, e-a.t0)
	hi, lo := bits.Mul64(uint64(x), a.m)
	if a.shift <= 64 {
		return a.base + (hi<<(64-a.shift) | lo>>a.shift)
	}
	if a.shift == windowed {
		return a.atWindow(e)
	}
	return a.base + hi>>(a.shift-64)
}

// when returns the first time at which v is target or more; math.MaxInt64 if there is none.
func (a *axis) when(target uint64) int64 {
	if target <= a.base {
		return a.t0
	}
	if a.shift == windowed {
		return a.whenWindow(target)
	}
	if a.m == 0 {
		return math.MaxInt64
	}
	need := target - a.base
	var hi, lo uint64
	if a.shift <= 64 {
		hi, lo = need>>(64-a.shift), need<<a.shift
	} else {
		if bits.Len64(need)+int(a.shift)-64 > 64 {
			return math.MaxInt64
		}
		hi = need << (a.shift - 64)
	}
	if hi >= a.m {
		return math.MaxInt64
	}
	x, rest := bits.Div64(hi, lo, a.m)
	if rest != 0 {
		x++
	}
	if x > uint64(math.MaxInt64-a.t0) {
		return math.MaxInt64
	}
	return a.t0 + int64(x)
}

// used returns how many units state s has used up at v. A bucket is full when that is 0.
func (a *axis) used(s, v uint64) uint64 {
	if s > v {
		return s - v
	}
	if a.sliding {
		return a.slidingUsed(s, v)
	}
	if s > a.floor || s == 0 {
		return 0
	}
	return a.usedEarlier(s, v, true)
}

// usedEarlier is used for a state written under earlier limits: what was used when they ended stays used, at most the
// burst; tickets of waiters (clamp false) keep their place even beyond it.
func (a *axis) usedEarlier(s, v uint64, clamp bool) uint64 {
	return a.used(a.translate(s, clamp), v)
}

// translate returns the state on this axis that means what s meant on the axis on which it was written.
func (a *axis) translate(s uint64, clamp bool) uint64 {
	if s > a.floor {
		return s
	}
	if a.prev == nil || s == 0 {
		return a.base
	}
	old := &a.prev.axis
	v := old.at(a.prev.at)
	used := old.used(old.translate(s, clamp), v)
	if used == 0 || old.token == 0 {
		return a.base
	}
	used = scale(used, a.token, old.token)
	if clamp && used > a.burst || used > maxUnits<<1 {
		used = a.burst
	}
	return a.owing(used)
}

// owing returns the state that owes used units when the axis begins.
func (a *axis) owing(used uint64) uint64 {
	if a.sliding {
		return a.pack(counters{now: (used + slideUnits - 1) / slideUnits})
	}
	return a.base + used
}

// scale returns ⌈x·num/den⌉, saturated.
func scale(x, num, den uint64) uint64 {
	hi, lo := bits.Mul64(x, num)
	if hi >= den {
		return math.MaxUint64
	}
	q, rest := bits.Div64(hi, lo, den)
	if rest != 0 {
		q++
	}
	return q
}

// cost returns n tokens in units. n is at most the burst.
func (a *axis) cost(n uint64) uint64 { return n*a.token + a.tick }

// units is cost for any n, saturated far above every state.
func (a *axis) units(n uint64) uint64 {
	hi, lo := bits.Mul64(n, a.token)
	if hi != 0 || lo > 1<<62 {
		return 1 << 62
	}
	return lo + a.tick
}

// charged returns the state after a charge of cost on top of s. A full bucket starts at v rounded up, so that no token
// is there before its time.
func (a *axis) charged(s, v, cost uint64) uint64 {
	if s > v {
		return s + cost
	}
	if a.sliding {
		return a.slidingCharged(s, v, cost)
	}
	if used := a.used(s, v); used > 0 {
		return v + used + cost
	}
	return v + a.up + cost
}

// returned returns the state after giving cost back, never above full.
func (a *axis) returned(s, v, cost uint64) uint64 {
	if a.sliding {
		return a.slidingReturned(s, v, cost)
	}
	if used := a.used(s, v); used > cost {
		return v + used - cost
	}
	return a.full()
}

// full returns one of the states that mean "full", different from the last with near certainty: a late
// compare-and-swap that still expects the last one must fail.
func (a *axis) full() uint64 { return a.floor + 1 + rand.Uint64N(markers-1) }

// remaining returns the whole tokens left when used units are used up. A charge on a full bucket was rounded up by one
// unit where v is not exact; that unit is not held against the caller here.
func (a *axis) remaining(used uint64) int64 {
	if a.token == 0 {
		return math.MaxInt64
	}
	if used >= a.burst {
		return 0
	}
	return int64(min((a.burst+a.up-used)/a.token, a.tokens))
}

// owed returns the state after charging cost whether it is there or not, at most two bursts deep.
func (a *axis) owed(s, v, cost uint64) uint64 {
	if !a.sliding {
		return min(v+a.up+2*a.burst, a.charged(s, v, cost))
	}
	c, _ := a.roll(a.unpack(s), v)
	c.now = max(c.now, min(c.now+(cost+slideUnits-1)/slideUnits, 2*a.count))
	return a.pack(c)
}

// lowered returns a ticket's state without cost of what was charged before it.
func (a *axis) lowered(end, cost uint64) uint64 {
	if a.sliding {
		return a.pack(a.unpack(end).less(cost / slideUnits))
	}
	return end - min(end, cost)
}

// due returns the first time at which a ticket's state is within the burst.
func (a *axis) due(end uint64) int64 {
	switch {
	case a.sliding:
		return a.slidingReach(end, a.burst)
	case a.token > 0 && end > a.base+a.burst:
		return a.when(end - a.burst)
	}
	return 0
}

// top is above every state that a call can write that read this axis before time e.
func (a *axis) top(e int64) uint64 {
	if a.sliding {
		return a.slidingTop(e)
	}
	return a.at(e) + 2*a.burst + raceRoom + a.count
}

// wait returns the time from e until state s, of which used units are used up, has come down to at most left.
func (a *axis) wait(s, used, left uint64, e int64) time.Duration {
	if !a.sliding || used <= left {
		return a.until(used, left, e)
	}
	at := a.slidingReach(s, left)
	if at == math.MaxInt64 {
		return Never
	}
	return time.Duration(max(1, at-max(e, a.t0)))
}

// until returns the time from e until used has fallen to at most left.
func (a *axis) until(used, left uint64, e int64) time.Duration {
	if used <= left {
		return 0
	}
	if a.c == 1 {
		return time.Duration(min(used-left, math.MaxInt64))
	}
	if a.c != 0 { // v is exact: no need to start from t0
		return time.Duration(min((used-left+a.c-1)/a.c, math.MaxInt64))
	}
	at := a.when(a.at(e) + used - left)
	if at == math.MaxInt64 {
		return Never
	}
	return time.Duration(at - max(e, a.t0))
}

// settled reports whether every state written before this axis is full again at e.
func (a *axis) settled(e int64) bool {
	if a.sliding {
		return a.prev == nil || uint64(max(e, a.t0)-a.origin) >= 3*a.per
	}
	return a.prev == nil || a.tick > 0 || a.at(e) >= a.base+a.burst
}
