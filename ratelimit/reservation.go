package ratelimit

import (
	"math"
	"time"
)

// Reservation is a charge for later use. Copies are the same reservation. The zero Reservation is due now.
type Reservation struct {
	q *pool
	t *ticket
}

// Delay returns the time from now until the reserved moment, never negative.
func (r Reservation) Delay() time.Duration {
	if r.t == nil {
		return 0
	}
	return time.Duration(max(0, r.t.at-r.q.elapsed()))
}

// Cancel gives the tokens back, except those that later reservations rely on, whose moments do not move. After the
// reserved moment, and the second time, it does nothing.
func (r Reservation) Cancel() {
	if r.t == nil {
		return
	}
	q, t := r.q, r.t
	q.queue.mu.Lock()
	defer q.queue.mu.Unlock()
	e := q.elapsed()
	if t.done || e >= t.at {
		return
	}
	if q.table == nil {
		q.leave(t)
		return
	}
	t.done = true
	var now reading
	q.read(t.h, e, &now)
	back := t.n
	for i := range now.p.axes {
		a := &now.p.axes[i]
		if a.token == 0 || !now.found {
			continue
		}
		end := a.translate(t.end[i], false)
		if own := a.used(end, now.v[i]); now.used[i] > own {
			later := (now.used[i] - own + a.token - 1) / a.token
			back = min(back, t.n-min(t.n, later))
		}
	}
	if back > 0 {
		q.giveBack(t.h, back, q.n, e)
	}
}

// reserve issues a ticket whose moment is promised.
func (q *pool) reserve(h, n uint64, maxWait time.Duration) (Reservation, bool) {
	u := &q.queue
	u.mu.Lock()
	defer u.mu.Unlock()
	e := q.elapsed()
	if maxWait <= 0 {
		return Reservation{}, false
	}
	latest := int64(math.MaxInt64 - 1)
	if int64(maxWait) < latest-e {
		latest = e + int64(maxWait)
	}
	t, err := q.issue(h, n, latest)
	if err != nil {
		return Reservation{}, false
	}
	if t == nil {
		return Reservation{}, true
	}
	t.fixed = true
	if q.table == nil {
		u.purge(e)
		u.push(t)
	}
	return Reservation{q: q, t: t}, true
}
