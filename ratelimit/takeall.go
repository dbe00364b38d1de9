package ratelimit

import (
	"math"
	"time"
)

// Claim is a number of tokens of one bucket, for TakeAll.
type Claim struct {
	l Limiter
	n int
}

// Claim returns a claim on n tokens of l.
func (l Limiter) Claim(n int) Claim { return Claim{l: l, n: n} }

// TakeAll charges all claims or none, with one reading of the clock. The Decision is that of the binding limit of all
// buckets. Claims may name one bucket twice: their costs add up. No claims are admitted; a claim with n < 0 denies all.
// In a race with a call that is itself denied, it can be denied although there would have been enough.
func TakeAll(claims ...Claim) Decision {
	if len(claims) == 0 {
		return Decision{OK: true, Limit: math.MaxInt64, Remaining: math.MaxInt64}
	}
	start := claims[0].l.q.start
	e := claims[0].l.q.elapsed()
	d, ok := Decision{}, true
	for i := range claims {
		n, first := total(claims, i)
		if !first {
			continue
		}
		c := &claims[i]
		one := c.l.peekOne(n, c.l.at(start, e))
		ok = ok && one.OK
		d = binding(d, one, i == 0)
	}
	if !ok {
		return d
	}
	for i := range claims {
		n, first := total(claims, i)
		if !first || n == 0 {
			continue
		}
		c := &claims[i]
		if one := c.l.take(uint64(n), c.l.at(start, e)); !one.OK {
			for j := range i {
				if n, first := total(claims, j); first && n > 0 {
					claims[j].l.undo(uint64(n), claims[j].l.at(start, e))
				}
			}
			return one
		}
	}
	return d
}

// at translates a time of the pool that began at start into one of l's pool.
func (l Limiter) at(start time.Time, e int64) int64 {
	if l.q.start == start {
		return e
	}
	return max(0, e+int64(start.Sub(l.q.start)))
}

// total returns the sum of the claims on the bucket of claim i, and whether i is the first of them. A negative claim
// makes the sum negative.
func total(claims []Claim, i int) (n int, first bool) {
	l := claims[i].l
	for j := range i {
		if claims[j].l == l {
			return 0, false
		}
	}
	for j := i; j < len(claims); j++ {
		if claims[j].l != l {
			continue
		}
		switch c := claims[j].n; {
		case c < 0:
			return -1, true
		case n > math.MaxInt-c:
			n = math.MaxInt
		default:
			n += c
		}
	}
	return n, true
}

// peekOne is Peek at a given time.
func (l Limiter) peekOne(n int, e int64) Decision {
	if l.q.n == 1 && n > 0 {
		if p, used, v, ok := l.q.peek1(l.h, uint64(n), e); ok {
			return p.axes[0].decision(uint64(n), used, e, v)
		}
	}
	return l.peek(n, e)
}

// undo gives back what take charged.
func (l Limiter) undo(n uint64, e int64) { l.q.giveBack(l.h, n, l.q.n, e) }

// binding returns the one that binds: a denial before an admission, the longest RetryAfter of two denials, the fewest
// Remaining of two admissions; the earlier of equals.
func binding(d, other Decision, none bool) Decision {
	switch {
	case none:
		return other
	case d.OK != other.OK:
		if d.OK {
			return other
		}
	case !d.OK && other.RetryAfter > d.RetryAfter,
		d.OK && other.Remaining < d.Remaining:
		return other
	}
	return d
}
