package ratelimit

import (
	"maps"
	"sync/atomic"
)

// pinShards bounds what an Override copies: the map of a 256th of the pinned keys.
const pinShards = 256

// aside holds what single keys have beyond a bucket of the table: a pause, or limits of their own. A pool has none until
// the first of them, so the others pay for a nil check. Writers hold queue.mu and publish a changed copy of a map;
// every call on the pool reads it.
type aside struct {
	pauses atomic.Pointer[pauses]
	pins   [pinShards]atomic.Pointer[map[uint64]*pool]
}

// besides returns the pool's aside, which it makes when there is none. queue.mu is held.
func (q *pool) besides() *aside {
	s := q.aside.Load()
	if s == nil {
		s = new(aside)
		q.aside.Store(s)
	}
	return s
}

// pin returns the pool of h's own limits, or nil.
func (s *aside) pin(h uint64) *pool {
	if m := s.pins[h%pinShards].Load(); m != nil {
		return (*m)[h]
	}
	return nil
}

// setPin publishes the pool of h's own limits; nil: none. queue.mu is held.
func (s *aside) setPin(h uint64, p *pool) {
	shard := &s.pins[h%pinShards]
	next := map[uint64]*pool{}
	if m := shard.Load(); m != nil {
		next = maps.Clone(*m)
	}
	if p != nil {
		next[h] = p
	} else {
		delete(next, h)
	}
	shard.Store(&next)
}

// bucket returns the handle on the bucket that answers for l: that of its own limits where there are such.
func (l Limiter) bucket() Limiter {
	if s := l.q.aside.Load(); s != nil {
		if p := s.pin(l.h); p != nil {
			return Limiter{q: p}
		}
	}
	return l
}

// override gives h limits of its own, or takes them away. A bucket of its own counts on the table's time, so that a
// reading of the clock is good for both.
func (q *pool) override(h uint64, limits []Limit) error {
	if len(limits) > 0 {
		if err := checkSame(limits, q.n); err != nil {
			return err
		}
	}
	u := &q.queue
	u.mu.Lock()
	defer u.mu.Unlock()
	s := q.besides()
	own := s.pin(h)
	switch e := q.elapsed(); {
	case own != nil && len(limits) > 0:
		return own.setLimits(limits)
	case own != nil:
		s.setPin(h, nil)
		q.takeBack(h, own, e)
	case len(limits) > 0:
		own = &pool{start: q.start, n: q.n, words: make([]atomic.Uint64, q.n)}
		own.params.Store(own.newParams(limits, e, nil))
		own.words[0].Store(mark) // whoever comes waits until it is known what the key used
		s.setPin(h, own)
		old, used := q.drain(h, e)
		for i := q.n - 1; i >= 0; i-- {
			own.words[i].Store(carry(&old.axes[i], &own.params.Load().axes[i], used[i]))
		}
	}
	return nil
}

// drain makes the bucket of h full and returns what was used in it.
func (q *pool) drain(h uint64, e int64) (p *params, used [maxLimits]uint64) {
	var r reading
	for i := q.n - 1; i >= 0; i-- {
		for {
			q.read(h, e, &r)
			if !r.found || r.used[i] == 0 {
				break
			}
			if q.words[r.at.st+i].CompareAndSwap(r.s[i], r.p.axes[i].full()) {
				used[i] = r.used[i]
				break
			}
		}
	}
	return r.p, used
}

// takeBack charges to the table's bucket of h what was used in own.
func (q *pool) takeBack(h uint64, own *pool, e int64) {
	old, used := own.drain(0, e)
	if used == [maxLimits]uint64{} {
		return
	}
	for i := range q.n {
		for {
			var r reading
			q.read(h, e, &r)
			a := &r.p.axes[i]
			if used[i] == 0 || a.token == 0 || old.axes[i].token == 0 {
				break
			}
			if !r.found {
				if v, done := q.insert(h, 0, e, &r); done && v == refused {
					return
				}
				continue
			}
			cost := min(scale(used[i], a.token, old.axes[i].token), a.burst)
			if q.words[r.at.st+i].CompareAndSwap(r.s[i], a.owed(r.s[i], r.v[i], cost)) {
				break
			}
		}
	}
}

// eachPin calls do for every bucket of its own limits.
func (q *pool) eachPin(do func(own *pool)) {
	s := q.aside.Load()
	if s == nil {
		return
	}
	for i := range s.pins {
		if m := s.pins[i].Load(); m != nil {
			for _, own := range *m {
				do(own)
			}
		}
	}
}
