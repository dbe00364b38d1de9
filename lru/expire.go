package lru

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

// timer wakes the cache when something is due. It is armed only while there is something to wait for, and it holds
// the cache weakly: a cache that nobody uses is collected with the timer armed.
type timer struct {
	at      atomic.Int64 // when it will fire, never if it is not armed; stored under mu, read by writers
	invalid atomic.Bool  // set by InvalidateTags: dead entries are spread over all shards

	mu sync.Mutex
	t  *time.Timer
}

// arm makes sure that the timer fires at the given time or before.
func (t *timer) arm(c sweeper, at int64) {
	if at >= t.at.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at >= t.at.Load() {
		return
	}
	t.at.Store(at)
	wait := time.Duration(at - c.now())
	if t.t == nil {
		t.t = time.AfterFunc(wait, c.weakSweep())
	} else {
		t.t.Reset(wait)
	}
}

// sweeper is a Cache of any types.
type sweeper interface {
	now() int64
	weakSweep() func()
}

func (c *Cache[K, V]) weakSweep() func() {
	w := weak.Make(c)
	return func() {
		if c := w.Value(); c != nil {
			c.timer.at.Store(never)
			next := c.sweep()
			c.timer.arm(c, next)
		}
	}
}

// sweepBatch entries are looked at under one hold of a shard's lock: well under 100 µs.
const sweepBatch = 128

// sweep reclaims what is due and returns when to come again.
func (c *Cache[K, V]) sweep() (next int64) {
	now := c.now()
	next = never
	invalid := c.timer.invalid.Swap(false)
	for i := range c.shards {
		s := &c.shards[i]
		if invalid {
			c.removeDead(s)
		}
		for more := true; more; {
			more = c.sweepShard(s, now, &next)
		}
	}
	return next
}

func (c *Cache[K, V]) sweepShard(s *shard[K, V], now int64, next *int64) (more bool) {
	s.mu.Lock()
	defer s.unlock()
	for key, f := range s.failures {
		if f.until <= now && f.retry <= now {
			delete(s.failures, key)
		} else {
			*next = min(*next, max(f.until, f.retry)+1<<wheelShift)
		}
	}
	if s.wheel == nil {
		return false
	}
	more = s.wheel.advance(now, sweepBatch, func(e *entry[K, V]) int64 {
		at := c.reclaimAt(e)
		if at > now {
			return at
		}
		c.remove(s, e, Expired)
		return 0
	})
	if !more {
		*next = min(*next, s.wheel.next())
	}
	return more
}

// removeDead reclaims all dead entries of a shard and returns how many of them expired.
func (c *Cache[K, V]) removeDead(s *shard[K, V]) (expired int) {
	all := s.entries()
	for len(all) > 0 {
		n := min(sweepBatch, len(all))
		expired += c.removeDeadOf(s, all[:n])
		all = all[n:]
	}
	return expired
}

func (c *Cache[K, V]) removeDeadOf(s *shard[K, V], batch []*entry[K, V]) (expired int) {
	s.mu.Lock()
	defer s.unlock()
	now := c.now()
	for _, e := range batch {
		if e.ref.Load()&(refGone|refTimed) != refTimed {
			continue
		}
		if cause := c.dead(e, now); cause == Invalidated || cause == Expired && c.reclaimAt(e) <= now {
			c.remove(s, e, cause)
			expired++
		}
	}
	return expired
}

// RemoveExpired reclaims at once, in O(Len), what the timer would reclaim a little later, and returns the number of
// entries. Values kept for Loading.StaleFor stay.
func (c *Cache[K, V]) RemoveExpired() int {
	n := 0
	for i := range c.shards {
		n += c.removeDead(&c.shards[i])
	}
	return n
}
