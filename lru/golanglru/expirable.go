package golanglru

import (
	"sync"
	"time"
	"weak"
)

// EvictCallback hears of an entry that left a cache: evicted, expired, removed or purged, but not replaced.
type EvictCallback[K comparable, V any] func(key K, value V)

// Expirable is a Cache whose entries live for a fixed time after they were added. Use NewExpirable.
type Expirable[K comparable, V any] struct {
	onEvict EvictCallback[K, V]

	mu    sync.Mutex
	s     entries[K, V]
	timer *time.Timer // made with the first entry
	armed bool
}

// NewExpirable stands for expirable.NewLRU: a cache of size entries, below 1 of any number, whose entries live for
// ttl, below 1 for ever. onEvict may be nil. It runs on the goroutine whose call removed the entry, or on that of a
// timer.
func NewExpirable[K comparable, V any](size int, onEvict EvictCallback[K, V], ttl time.Duration) *Expirable[K, V] {
	c := &Expirable[K, V]{onEvict: onEvict, s: newEntries[K, V](max(size, 0), size > 0, max(ttl, 0))}
	c.s.listening = onEvict != nil
	return c
}

// lock begins a method: what is over is gone before anything else happens.
func (c *Expirable[K, V]) lock() (now time.Time) {
	c.mu.Lock()
	if c.s.ages == nil {
		return now
	}
	now = time.Now()
	c.s.expire(now)
	return now
}

func (c *Expirable[K, V]) unlock() {
	gone := c.s.departed()
	c.mu.Unlock()
	for _, p := range gone {
		c.onEvict(p.key, p.value)
	}
}

// arm sets the timer for entries that nobody asks for. It comes a little after the first deadline, for more than one.
// The timer holds the cache weakly, so that an unused cache is collected.
func (c *Expirable[K, V]) arm(now time.Time) {
	if c.s.ages == nil || c.armed {
		return
	}
	front := c.s.ages[0].newer
	if front == 0 {
		return
	}
	c.armed = true
	wait := c.s.ages[front].deadline.Sub(now) + c.s.lifetime/100
	if c.timer != nil {
		c.timer.Reset(wait)
		return
	}
	w := weak.Make(c)
	c.timer = time.AfterFunc(wait, func() {
		if c := w.Value(); c != nil {
			c.sweep()
		}
	})
}

func (c *Expirable[K, V]) sweep() {
	now := c.lock()
	defer c.unlock()
	c.armed = false
	c.arm(now)
}

// Add stores a value, makes it the newest and lets it live for the whole lifetime, and reports whether another entry
// was evicted.
func (c *Expirable[K, V]) Add(key K, value V) (evicted bool) {
	now := c.lock()
	defer c.unlock()
	evicted = c.s.add(key, value, now)
	c.arm(now)
	return evicted
}

// Get returns the value of key and makes it the newest. Its deadline stays.
func (c *Expirable[K, V]) Get(key K) (value V, ok bool) {
	c.lock()
	defer c.unlock()
	i, ok := c.s.index[key]
	if ok {
		c.s.touch(i)
		value = c.s.nodes[i].value
	}
	return value, ok
}

// Contains reports whether key has a value, without a use.
func (c *Expirable[K, V]) Contains(key K) (ok bool) {
	_, ok = c.Peek(key)
	return ok
}

// Peek returns the value of key without a use.
func (c *Expirable[K, V]) Peek(key K) (value V, ok bool) {
	c.lock()
	defer c.unlock()
	i, ok := c.s.index[key]
	if ok {
		value = c.s.nodes[i].value
	}
	return value, ok
}

// Remove removes key and reports whether it had a value.
func (c *Expirable[K, V]) Remove(key K) bool {
	c.lock()
	defer c.unlock()
	i, ok := c.s.index[key]
	if ok {
		c.s.remove(i)
	}
	return ok
}

// RemoveOldest removes and returns the entry that was used least recently.
func (c *Expirable[K, V]) RemoveOldest() (key K, value V, ok bool) {
	c.lock()
	defer c.unlock()
	return c.s.removeOldest()
}

// GetOldest returns the entry that was used least recently, without a use.
func (c *Expirable[K, V]) GetOldest() (key K, value V, ok bool) {
	c.lock()
	defer c.unlock()
	i := c.s.nodes[0].newer
	return c.s.nodes[i].key, c.s.nodes[i].value, i != 0
}

// Keys returns the keys, oldest use first.
func (c *Expirable[K, V]) Keys() []K {
	c.lock()
	defer c.unlock()
	return c.s.keys()
}

// Values returns the values, oldest use first.
func (c *Expirable[K, V]) Values() []V {
	c.lock()
	defer c.unlock()
	return c.s.values()
}

// Len returns the number of entries.
func (c *Expirable[K, V]) Len() int {
	c.lock()
	defer c.unlock()
	return c.s.len
}

// Cap returns the size, 0 for any number of entries.
func (c *Expirable[K, V]) Cap() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s.size
}

// Resize changes the size, below 1 to any number of entries, and returns how many were evicted.
func (c *Expirable[K, V]) Resize(size int) (evicted int) {
	c.lock()
	defer c.unlock()
	c.s.limit = size > 0
	return c.s.resize(size)
}

// Purge removes all entries. Entries that were over already are told like the others.
func (c *Expirable[K, V]) Purge() {
	c.lock()
	defer c.unlock()
	c.s.purge()
}
