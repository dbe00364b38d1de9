package ratelimit

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// Limiter is a handle on one bucket. It is a small value: copies refer to the same bucket. New makes a bucket of its
// own, Keyed.Key hands out the bucket of a key. It is safe for concurrent use. The zero Limiter has no bucket; it panics
// like a nil pointer.
type Limiter struct {
	q *pool
	h uint64 // the key's hash; 0 with a bucket of its own
}

// New returns a full bucket under 1 to 8 limits that are checked as one: a call is charged to all of them or to none.
// The error is an ErrInvalid that names the field.
func New(limits ...Limit) (Limiter, error) {
	if err := checkLimits(limits); err != nil {
		return Limiter{}, err
	}
	q := newPool(limits)
	q.words = make([]atomic.Uint64, len(limits))
	return Limiter{q: q}, nil
}

// Allow reports whether one token is there, and takes it.
func (l Limiter) Allow() bool { return l.AllowN(1) }

// AllowN reports whether n tokens are there, and takes them, all or none. n = 0 is allowed, n < 0 is not.
func (l Limiter) AllowN(n int) bool {
	if n <= 0 {
		return n == 0
	}
	e := l.q.elapsed()
	if l.q.aside.Load() != nil {
		if l = l.bucket(); l.q.pausedUntil(l.h, e) != 0 {
			return false
		}
	}
	if l.q.n == 1 {
		if _, _, v := l.q.charge1(l.h, uint64(n), e); v != uneven {
			return v == granted
		}
	}
	var r reading
	return l.q.charge(l.h, uint64(n), e, &r) == granted
}

// Take takes n tokens, all or none, and tells what is left and when to come back. n = 0 charges nothing and fills the
// Decision; n < 0, and n above the burst, are denied with RetryAfter Never.
func (l Limiter) Take(n int) Decision {
	e := l.q.elapsed()
	if l.q.aside.Load() != nil {
		if l = l.bucket(); l.q.pausedUntil(l.h, e) != 0 {
			return l.peek(n, e)
		}
	}
	if n > 0 && l.q.n == 1 {
		p, used, v := l.q.charge1(l.h, uint64(n), e)
		if v < refused {
			a := &p.axes[0]
			remaining, retry, reset := a.figures(uint64(n), used, e, v)
			return Decision{v == granted, int64(a.tokens), remaining, retry, reset, a.name}
		}
		if v == refused {
			if d := l.peek(n, e); !d.OK { // no place for a new key
				return d
			}
		}
	}
	if n <= 0 {
		return l.peek(n, e)
	}
	return l.take(uint64(n), e)
}

// take is Take for any number of limits.
func (l Limiter) take(n uint64, e int64) Decision {
	if d, ok := l.q.takeFew(l.h, n, e); ok {
		return d
	}
	var r reading
	v := l.q.charge(l.h, n, e, &r)
	return r.decision(n, v)
}

// fewLimits is how many limits are charged by the short way.
const fewLimits = 4

// takeFew is the short way of charge and decision: a few limits, all of them with enough. It reports false, and has
// charged nothing, in any other case, a race among them.
func (q *pool) takeFew(h, n uint64, e int64) (d Decision, ok bool) {
	p := q.params.Load()
	at, found := q.find(h)
	if !found || q.n > fewLimits || p.odd {
		return d, false
	}
	words := q.words[at.st : at.st+q.n]
	var s, to, used [fewLimits]uint64
	for i := range words {
		a := &p.axes[i]
		s[i] = words[i].Load()
		if s[i]&mark != 0 || !q.holds(at, h) || n > a.tokens {
			return d, false
		}
		v, cost := a.at(e), n*a.token
		if a.used(s[i], v)+cost > a.burst {
			return d, false
		}
		to[i] = a.charged(s[i], v, cost)
		used[i] = to[i] - v
	}
	if q.params.Load() != p {
		return d, false
	}
	best, left := 0, int64(math.MaxInt64)
	for i := range words {
		if !words[i].CompareAndSwap(s[i], to[i]) {
			q.giveBack(h, n, i, e)
			return d, false
		}
		if rem := p.axes[i].remaining(used[i]); rem < left {
			best, left = i, rem
		}
	}
	a := &p.axes[best]
	return Decision{true, int64(a.tokens), left, 0, a.until(used[best], 0, e), a.name}, true
}

// Peek returns what Take(n) would answer, and charges nothing.
func (l Limiter) Peek(n int) Decision {
	e := l.q.elapsed()
	if l.q.aside.Load() != nil {
		return l.bucket().peek(n, e)
	}
	if n > 0 && l.q.n == 1 {
		if p, used, v, ok := l.q.peek1(l.h, uint64(n), e); ok {
			a := &p.axes[0]
			remaining, retry, reset := a.figures(uint64(n), used, e, v)
			return Decision{v == granted, int64(a.tokens), remaining, retry, reset, a.name}
		}
	}
	return l.peek(n, e)
}

// peek is Peek for any number of limits, during a pause too.
func (l Limiter) peek(n int, e int64) Decision {
	d := l.look(n, e)
	if until := l.q.pausedUntil(l.h, e); until != 0 && n > 0 {
		return l.paused(d, e, time.Duration(until-e))
	}
	return d
}

func (l Limiter) look(n int, e int64) Decision {
	var r reading
	l.q.read(l.h, e, &r)
	switch {
	case n < 0:
		d := r.admitted()
		d.OK, d.RetryAfter = false, Never
		return d
	case n == 0:
		return r.admitted()
	case !r.fits(uint64(n)):
		return r.decision(uint64(n), denied)
	}
	if !r.found && !r.p.free && l.q.table.denyNew {
		if _, _, used := l.q.victim(l.h, &r); used > 0 {
			r.wait = l.q.firstFree(l.h, &r)
			return r.decision(uint64(n), refused)
		}
	}
	r.count(uint64(n))
	return r.decision(uint64(n), granted)
}

// TakeUpTo takes as many whole tokens as there are in the scarcest limit, at most n, and returns how many. Exactly that
// is charged to every limit.
func (l Limiter) TakeUpTo(n int) int {
	e := l.q.elapsed()
	if l = l.bucket(); l.q.pausedUntil(l.h, e) != 0 {
		return 0
	}
	var r reading
	for n > 0 {
		l.q.read(l.h, e, &r)
		n = r.whole(n)
		if n == 0 || l.q.charge(l.h, uint64(n), e, &r) == granted {
			return n
		}
		if r.fits(uint64(n)) {
			return 0 // a new key without a place
		}
	}
	return 0
}

// whole returns the whole tokens there are in every limit, at most n.
func (r *reading) whole(n int) int {
	for i := range r.p.axes {
		a := &r.p.axes[i]
		switch {
		case a.token == 0:
		case r.used[i] >= a.burst:
			return 0
		default:
			n = int(min(uint64(n), (a.burst-r.used[i])/a.token))
		}
	}
	return n
}

// Charge corrects the account afterwards. n > 0 always succeeds and may put the bucket into debt, at most one burst
// deep, so that a bad estimate does not lock a key out for hours; n < 0 gives tokens back, never above full.
// Any n is legal.
func (l Limiter) Charge(n int) {
	l = l.bucket()
	switch {
	case n > 0:
		l.q.owe(l.h, uint64(n), l.q.elapsed())
	case n < 0:
		l.q.restore(l.h, magnitude(n))
	}
}

// magnitude is -n for a negative n, the smallest int included.
func magnitude(n int) uint64 { return uint64(-(n + 1)) + 1 }

// Clear makes the bucket full again.
func (l Limiter) Clear() {
	l = l.bucket()
	l.q.clear(l.h)
}

// Limits returns the limits in force.
func (l Limiter) Limits() []Limit { return l.bucket().q.limits() }

// SetLimits replaces the limits by as many others. Used tokens stay used, at most the new burst: a full bucket stays
// full, one that owed 7 tokens owes 7. Waiters of a Limiter made by New are re-timed at once. On a Limiter from
// Keyed.Key it sets the limits of the whole table, as Keyed.SetLimits does.
func (l Limiter) SetLimits(limits ...Limit) error { return l.q.setLimits(limits) }

// charge1 is charge for one limit, without the arrays. It returns the limits it saw and the units used after the
// charge, or before the denial.
func (q *pool) charge1(h, n uint64, e int64) (*params, uint64, verdict) {
	for {
		p := q.params.Load()
		a := &p.axes[0]
		if a.odd {
			if a.token == 0 {
				return p, 0, granted
			}
			return p, 0, uneven
		}
		if n > a.tokens {
			break
		}
		at, found := q.find(h)
		if !found {
			break
		}
		w := &q.words[at.st]
		s := w.Load()
		if !q.holds(at, h) || q.params.Load() != p {
			continue
		}
		cost, v := n*a.token+a.tick, a.at(e)
		var used, to uint64
		if s > v {
			if used = s - v; used+cost > a.burst {
				if s&mark != 0 {
					break
				}
				return p, used, denied
			}
			to = s + cost
		} else {
			to = a.charged(s, v, cost)
			if used = a.used(s, v); used+cost > a.burst {
				return p, used, denied
			}
		}
		if w.CompareAndSwap(s, to) {
			return p, to - v, granted
		}
	}
	var r reading
	v := q.charge(h, n, e, &r)
	return r.p, r.used[0], v
}

// peek1 is charge1 without the charge; ok is false for what only peek can answer.
func (q *pool) peek1(h, n uint64, e int64) (p *params, used uint64, v verdict, ok bool) {
	p = q.params.Load()
	a := &p.axes[0]
	at, found := q.find(h)
	if !found || n > a.tokens || a.odd {
		return p, 0, denied, false
	}
	s := q.words[at.st].Load()
	if s&mark != 0 || !q.holds(at, h) || q.params.Load() != p {
		return p, 0, denied, false
	}
	now, cost := a.at(e), n*a.token+a.tick
	if used = a.used(s, now); used+cost > a.burst {
		return p, used, denied, true
	}
	return p, a.charged(s, now, cost) - now, granted, true
}

// figures are the numbers of a Decision on a single limit, returned one by one because a Decision that is passed through
// functions is copied in memory each time.
func (a *axis) figures(n, used uint64, e int64, v verdict) (remaining int64, retry, reset time.Duration) {
	if a.token == 0 {
		return math.MaxInt64, 0, 0
	}
	remaining, reset = a.remaining(used), a.until(used, 0, e)
	switch {
	case v == granted:
	case n > a.tokens:
		retry = Never
	default:
		retry = a.until(used, a.burst-n*a.token, e)
	}
	return remaining, retry, reset
}

// Wait blocks until one token is there and takes it; see WaitN.
func (l Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN blocks until it has taken n tokens. Waiters are served first come, first served, and nobody overtakes them.
// It charges nothing and returns at once with the context's error if that is done, with ErrDeadline if it ends too
// early, with ErrExceedsBurst if n exceeds the burst and with ErrInvalid if n is negative. A context that ends while
// waiting gives its error, and the full cost goes back.
func (l Limiter) WaitN(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n <= 0 {
		if n == 0 {
			return nil
		}
		return errNegative(n)
	}
	if l.AllowN(n) {
		return nil
	}
	l = l.bucket()
	return l.q.wait(ctx, l.h, uint64(n))
}

// Reserve charges n tokens now for use after Reservation.Delay. It reports false, and charges nothing, if that is
// farther away than maxWait, if n is negative or above the burst.
func (l Limiter) Reserve(n int, maxWait time.Duration) (Reservation, bool) {
	if n < 0 {
		return Reservation{}, false
	}
	if l.AllowN(n) {
		return Reservation{}, true
	}
	l = l.bucket()
	return l.q.reserve(l.h, uint64(n), maxWait)
}
