package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// Claim is a number of tokens of one bucket, for TakeAll.
type Claim struct {
	l Limiter
	n int
}

// Claim returns a claim on n tokens of l.
func (l Limiter) Claim(n int) Claim { return Claim{l: l.bucket(), n: n} }

// TakeAll charges all claims or none, with one reading of the clock. The Decision is that of the binding limit of all
// buckets. Claims may name one bucket twice: their costs add up. No claims are admitted; a claim with n < 0 denies all.
// In a race with a call that is itself denied, it can be denied although there would have been enough.
func TakeAll(claims ...Claim) Decision {
	if len(claims) == 0 {
		return Decision{OK: true, Limit: math.MaxInt64, Remaining: math.MaxInt64}
	}
	start := claims[0].l.q.start
	e := claims[0].l.q.elapsed()
	var ready [fewClaims]prepared
	if prepare(claims, &ready, start, e) {
		return takePrepared(claims, &ready, start, e)
	}
	for i := range claims {
		n, first := total(claims, i)
		if first && !claims[i].l.has(n, claims[i].l.at(start, e)) {
			return refusal(claims, start, e)
		}
	}
	var d Decision
	for i := range claims {
		n, first := total(claims, i)
		if !first {
			continue
		}
		c := &claims[i]
		var one Decision
		if n == 0 {
			one = c.l.peek(0, c.l.at(start, e))
		} else {
			one = c.l.take(uint64(n), c.l.at(start, e))
		}
		if !one.OK {
			undo(claims[:i], claims, start, e)
			return one
		}
		d = binding(d, one, i == 0)
	}
	return d
}

// fewClaims is how many claims are looked at and charged without a second look at each bucket.
const fewClaims = 4

// prepared is what a look at a bucket of one limit found, and the charge that follows from it.
type prepared struct {
	p        *params
	w        *atomic.Uint64
	s, to, v uint64
	now      int64
}

// prepare looks at all buckets. It reports false if a claim is not of the common kind (one limit, another bucket than
// the rest, a place in the table) or is not to be had.
func prepare(claims []Claim, ready *[fewClaims]prepared, start time.Time, e int64) bool {
	if len(claims) > fewClaims {
		return false
	}
	for i := range claims {
		l, n := claims[i].l, claims[i].n
		for j := range i {
			if claims[j].l == l {
				return false
			}
		}
		if n <= 0 || l.q.n != 1 || l.q.aside.Load() != nil {
			return false
		}
		p := l.q.params.Load()
		a := &p.axes[0]
		at, found := l.q.find(l.h)
		if !found || a.odd || uint64(n) > a.tokens {
			return false
		}
		w := &l.q.words[at.st]
		s := w.Load()
		if s&mark != 0 || !l.q.holds(at, l.h) || l.q.params.Load() != p {
			return false
		}
		now := l.at(start, e)
		v, cost := a.at(now), uint64(n)*a.token
		if a.used(s, v)+cost > a.burst {
			return false
		}
		ready[i] = prepared{p: p, w: w, s: s, to: a.charged(s, v, cost), v: v, now: now}
	}
	return true
}

// takePrepared charges what prepare found. A bucket that changed meanwhile is charged as it is now, or everything before
// it is given back.
func takePrepared(claims []Claim, ready *[fewClaims]prepared, start time.Time, e int64) Decision {
	best, left := 0, int64(0)
	for i := range claims {
		c := &ready[i]
		if !c.w.CompareAndSwap(c.s, c.to) {
			l, n := claims[i].l, uint64(claims[i].n)
			p, used, v := l.q.charge1(l.h, n, c.now)
			if v != granted {
				d := l.peek(int(n), c.now)
				undo(claims[:i], claims, start, e)
				if d.OK { // what was missing has come back meanwhile
					d.OK, d.RetryAfter = false, 1
				}
				return d
			}
			c.p, c.to, c.v = p, used, 0
		}
		a := &c.p.axes[0]
		if rem := a.remaining(c.to - c.v); i == 0 || rem < left {
			best, left = i, rem
		}
	}
	c := &ready[best]
	a := &c.p.axes[0]
	return Decision{true, int64(a.tokens), left, 0, a.until(c.to-c.v, 0, c.now), a.name}
}

// refusal returns the denial with the longest RetryAfter.
func refusal(claims []Claim, start time.Time, e int64) Decision {
	var d Decision
	for i := range claims {
		if n, first := total(claims, i); first {
			d = binding(d, claims[i].l.peek(n, claims[i].l.at(start, e)), i == 0)
		}
	}
	if d.OK { // what was missing has come back meanwhile
		d.OK, d.RetryAfter = false, 1
	}
	return d
}

// has reports whether n tokens are there.
func (l Limiter) has(n int, e int64) bool {
	if n <= 0 {
		return n == 0
	}
	if l.q.n == 1 && l.q.aside.Load() == nil {
		if _, _, v, ok := l.q.peek1(l.h, uint64(n), e); ok {
			return v == granted
		}
	}
	return l.peek(n, e).OK
}

// undo gives back what was charged for the claims done, a prefix of all.
func undo(done, all []Claim, start time.Time, e int64) {
	for i := range done {
		if n, first := total(all, i); first && n > 0 {
			l := done[i].l
			l.q.giveBack(l.h, uint64(n), l.q.n, l.at(start, e))
		}
	}
}

// at translates a time of the pool that began at start into one of l's pool.
func (l Limiter) at(start time.Time, e int64) int64 {
	if l.q.start == start { //nolint:staticcheck // the same reading of the clock, not the same instant
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
