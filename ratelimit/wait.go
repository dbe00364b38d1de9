package ratelimit

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// queue holds the tickets of a pool in the order in which they were issued. No Allow, Take or Peek touches its mutex.
// Lock order: queue.mu before the stripes of a table.
type queue struct {
	mu          sync.Mutex
	first, last *ticket
	far         [maxLimits]uint64 // the farthest state a ticket was given on the axes in force
}

// ticket is a charge whose moment has not come. Its cost stands in the bucket's state, so that nobody overtakes it. All
// fields but n, h and fixed are guarded by queue.mu.
type ticket struct {
	h, n       uint64
	fixed      bool              // a Reservation: its moment was promised and does not move
	end        [maxLimits]uint64 // the bucket's states with this ticket charged
	at         int64             // its moment
	timer      *time.Timer
	err        error // set when the limits changed so that its moment cannot come
	queued     bool
	done       bool // granted, or cancelled
	prev, next *ticket
}

func errNegative(n int) error { return fmt.Errorf("%w: n is %d, must not be negative", ErrInvalid, n) }

// wait queues for n ≥ 1 tokens.
func (q *pool) wait(ctx context.Context, h, n uint64) error {
	latest := int64(math.MaxInt64)
	if deadline, ok := ctx.Deadline(); ok {
		latest = q.elapsed() + int64(time.Until(deadline))
	}
	u := &q.queue
	u.mu.Lock()
	t, err := q.issue(h, n, latest)
	if t == nil {
		u.mu.Unlock()
		return err
	}
	t.timer = time.NewTimer(time.Duration(t.at - q.elapsed()))
	defer t.timer.Stop()
	u.push(t)
	u.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			u.mu.Lock()
			q.leave(t)
			u.mu.Unlock()
			return ctx.Err()
		case <-t.timer.C:
			u.mu.Lock()
			over, err := q.arrive(t)
			u.mu.Unlock()
			if over {
				return err
			}
		}
	}
}

// arrive ends the wait of t if its moment has come, and winds its timer again otherwise.
func (q *pool) arrive(t *ticket) (over bool, err error) {
	if t.done || t.err != nil {
		return true, t.err
	}
	e := q.elapsed()
	q.schedule(t, e)
	if left := t.at - e; left > 0 {
		t.timer.Reset(time.Duration(left))
		return false, nil
	}
	t.done = true
	q.queue.remove(t)
	return true, nil
}

// issue charges n tokens in advance. It returns no ticket when they are there now, or on an error, uncharged.
func (q *pool) issue(h, n uint64, latest int64) (*ticket, error) {
	t := &ticket{h: h, n: n}
	for {
		var r reading
		e := q.elapsed()
		pause := q.pausedUntil(h, e)
		switch q.chargeOrReach(h, n, e, pause, &r) {
		case granted:
			if pause == 0 {
				return nil, nil
			}
			// Charged at once, for use after the pause.
			t.end, t.at = r.s, pause
			if pause > latest {
				q.giveBack(h, n, q.n, e)
				return nil, ErrDeadline
			}
			return t, nil
		case refused:
			return nil, r.decision(n, refused).Err()
		case denied, uneven:
		}
		for i := range r.p.axes {
			a := &r.p.axes[i]
			if n > a.tokens {
				return nil, ErrExceedsBurst
			}
			t.end[i] = a.charged(r.s[i], r.v[i], a.cost(n))
			if t.end[i] >= mark-raceRoom || a.sliding && a.used(t.end[i], r.v[i]) < r.used[i]+a.cost(n) {
				return nil, ErrDeadline // centuries away, or beyond what a counter holds
			}
		}
		t.at = max(moment(r.p, &t.end), pause)
		if r.p.free && t.at <= latest { // only a pause can be in the way: there is nothing to charge
			return t, nil
		}
		if t.at == math.MaxInt64 || t.at > latest {
			return nil, ErrDeadline
		}
		if r.found && q.advance(t, &r) {
			return t, nil
		}
	}
}

// chargeOrReach charges the bucket of h, or in a pause reads it.
func (q *pool) chargeOrReach(h, n uint64, e, pause int64, r *reading) verdict {
	if pause == 0 {
		return q.charge(h, n, e, r)
	}
	return q.reach(h, n, e, pause, r)
}

// reach reads the bucket of h as it will be at the end of a pause. A key that has no place gets one, charged.
func (q *pool) reach(h, n uint64, e, pause int64, r *reading) verdict {
	for {
		if q.read(h, e, r); r.found || r.p.free || n > r.p.axes[0].tokens {
			q.read(h, pause, r)
			return denied
		}
		if v, done := q.insert(h, n, e, r); done {
			return v
		}
	}
}

// advance writes the states of t in place of those that r saw.
func (q *pool) advance(t *ticket, r *reading) bool {
	for i := range r.p.axes {
		if !q.words[r.at.st+i].CompareAndSwap(r.s[i], t.end[i]) {
			q.giveBack(t.h, t.n, i, r.e)
			return false
		}
		q.queue.far[i] = max(q.queue.far[i], t.end[i])
	}
	return true
}

// moment is the first time at which every limit has made the tokens up to end.
func moment(p *params, end *[maxLimits]uint64) int64 {
	at := int64(0)
	for i := range p.axes {
		a := &p.axes[i]
		at = max(at, a.due(end[i]))
	}
	return at
}

// schedule computes the moment of t anew.
func (q *pool) schedule(t *ticket, e int64) {
	if !t.fixed {
		t.at = max(moment(q.params.Load(), &t.end), q.pausedUntil(t.h, e))
	}
}

// leave gives back the cost of a ticket that is not used. Waiters behind it move up by its cost. A reservation behind it
// keeps its promised moment, so what it relies on is not given back.
func (q *pool) leave(t *ticket) {
	if t.err != nil { // given back when the limits changed
		return
	}
	e := q.elapsed()
	t.done = true
	if q.table != nil || !t.queued {
		q.queue.remove(t)
		q.giveBack(t.h, t.n, q.n, e)
		return
	}
	back := t.n
	for w := t.next; w != nil; w = w.next {
		if w.fixed && w.at > e {
			back -= min(back, w.n)
		}
	}
	shift := t.n
	for w := t.next; w != nil; w = w.next {
		if w.fixed && w.at > e {
			shift = back
		} else {
			q.moveUp(w, shift, e)
		}
	}
	q.queue.remove(t)
	if back > 0 {
		q.giveBack(t.h, back, q.n, e)
	}
}

// moveUp brings a waiter n tokens forward.
func (q *pool) moveUp(w *ticket, n uint64, e int64) {
	p := q.params.Load()
	for i := range p.axes {
		w.end[i] = p.axes[i].lowered(w.end[i], p.axes[i].cost(n))
	}
	q.rewind(w, e)
}

// rewind sets a waiter's timer to its present moment.
func (q *pool) rewind(w *ticket, e int64) {
	q.schedule(w, e)
	if w.timer != nil {
		w.timer.Reset(time.Duration(max(0, w.at-e)))
	}
}

// restore gives n tokens back. Those who wait for a bucket of its own move up; they are not overtaken.
func (q *pool) restore(h, n uint64) {
	if q.table != nil {
		q.giveBack(h, n, q.n, q.elapsed())
		return
	}
	u := &q.queue
	u.mu.Lock()
	defer u.mu.Unlock()
	e := q.elapsed()
	u.purge(e)
	for i := q.n - 1; i >= 0; i-- {
		for {
			var r reading
			q.read(h, e, &r)
			a := &r.p.axes[i]
			owed := uint64(0)
			for w := u.first; w != nil; w = w.next {
				owed += a.cost(w.n)
			}
			back := min(a.units(n), r.used[i]-min(r.used[i], owed))
			if back == 0 || a.tick > 0 {
				break
			}
			if q.words[r.at.st+i].CompareAndSwap(r.s[i], a.returned(r.s[i], r.v[i], back)) {
				for w := u.first; w != nil; w = w.next {
					w.end[i] = a.lowered(w.end[i], back)
				}
				break
			}
		}
	}
	for w := u.first; w != nil; w = w.next {
		q.rewind(w, e)
	}
}

// clear makes the bucket of h full, but for the tokens that waiters have coming.
func (q *pool) clear(h uint64) {
	if q.table != nil {
		q.refill(h, q.elapsed())
		return
	}
	q.restore(h, math.MaxUint64)
}

func (u *queue) push(t *ticket) {
	t.queued = true
	t.prev = u.last
	if u.last != nil {
		u.last.next = t
	} else {
		u.first = t
	}
	u.last = t
}

func (u *queue) remove(t *ticket) {
	if !t.queued {
		return
	}
	t.queued = false
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		u.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		u.last = t.prev
	}
	t.prev, t.next = nil, nil
}

// purge drops the reservations at the front whose moment is past: nobody comes for them.
func (u *queue) purge(e int64) {
	for t := u.first; t != nil && t.fixed && t.at <= e; t = u.first {
		u.remove(t)
	}
}
