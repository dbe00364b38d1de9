package ratelimit

import (
	"maps"
	"time"
)

// maxPause keeps a pause's end on every clock.
const maxPause = 365 * 24 * time.Hour

// pauses says until when buckets are paused, by hash; never changed once published.
type pauses struct {
	until map[uint64]int64
	last  int64 // when the last one ends
}

// Pause admits nothing for d, at most a year: a server said Retry-After. Of two pauses the one that ends later counts;
// d ≤ 0 ends a pause. Tokens come back meanwhile as always, but no more than the burst waits at the end: those who
// queue come through after it in their order and at the rate. What was reserved before keeps its moment. A call under
// way at that instant may still be admitted. A pause on a key of a Keyed costs some 50 bytes until it ends.
func (l Limiter) Pause(d time.Duration) {
	l = l.bucket()
	q, h := l.q, l.h
	u := &q.queue
	u.mu.Lock()
	defer u.mu.Unlock()
	e := q.elapsed()
	until := e + int64(min(d, maxPause))
	if d > 0 && until <= q.pausedUntil(h, e) {
		return
	}
	s := q.besides()
	next := &pauses{until: map[uint64]int64{}}
	if old := s.pauses.Load(); old != nil {
		next.until = maps.Clone(old.until)
	}
	delete(next.until, h)
	if d > 0 {
		next.until[h] = until
	}
	maps.DeleteFunc(next.until, func(_ uint64, until int64) bool { return until <= e })
	for _, until := range next.until {
		next.last = max(next.last, until)
	}
	s.pauses.Store(next)
	if d > 0 {
		q.holdUp(h, e, until)
	}
	for w := u.first; w != nil; w = w.next {
		if w.h == h {
			q.rewind(w, e)
		}
	}
}

// pausedUntil returns the end of the pause of h, 0 if there is none at e.
func (q *pool) pausedUntil(h uint64, e int64) int64 {
	s := q.aside.Load()
	if s == nil {
		return 0
	}
	p := s.pauses.Load()
	if p == nil {
		return 0
	}
	if p.last <= e { // all are over: calls need not look them up any more
		s.pauses.CompareAndSwap(p, nil)
		return 0
	}
	if until := p.until[h]; until > e {
		return until
	}
	return 0
}

// holdUp moves those who wait for the bucket of h back, as far as they would otherwise come through together at the end
// of the pause beyond the burst. queue.mu is held.
func (q *pool) holdUp(h uint64, e, until int64) {
	var r reading
	for i := range q.n {
		for {
			q.read(h, e, &r)
			a := &r.p.axes[i]
			waiting := uint64(0)
			for w := q.queue.first; w != nil; w = w.next {
				if w.h == h && !w.fixed {
					waiting += a.cost(w.n)
				}
			}
			if !r.found || waiting == 0 || a.token == 0 {
				break
			}
			by := a.standstill(r.v[i]+r.used[i]-min(waiting, r.used[i]), e, until)
			if by == 0 {
				break
			}
			if !q.words[r.at.st+i].CompareAndSwap(r.s[i], a.translate(r.s[i], true)+by) {
				continue
			}
			for w := q.queue.first; w != nil; w = w.next {
				if w.h == h && !w.fixed {
					w.end[i] += by
					q.queue.far[i] = max(q.queue.far[i], w.end[i])
				}
			}
			break
		}
	}
}

// standstill is by how much states move that are served after the one at from, when nothing is admitted from e to until.
func (a *axis) standstill(from uint64, e, until int64) uint64 {
	if a.sliding {
		k := func(at int64) uint64 { return (a.at(at) &^ mark) / a.per }
		return (k(until) - k(e)) << (2 * a.width)
	}
	if v := a.at(until); v > from {
		return v - from
	}
	return 0
}

// paused turns d, what would have been answered, into the answer during a pause that ends in left.
func (l Limiter) paused(d Decision, e int64, left time.Duration) Decision {
	if d.OK { // as before the call
		var r reading
		l.q.read(l.h, e, &r)
		d = r.admitted()
	}
	d.OK, d.RetryAfter = false, max(d.RetryAfter, left)
	return d
}
