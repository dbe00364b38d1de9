package golanglru

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrInvalid is wrapped by the error of New and NewWithEvict; the text names the argument and its limit.
var ErrInvalid = errors.New("golanglru: invalid argument")

// Cache is an LRU cache of fixed size for any number of goroutines. Use New or NewWithEvict.
type Cache[K comparable, V any] struct {
	onEvict func(key K, value V)

	mu sync.Mutex
	s  entries[K, V]
}

// New returns a cache of size entries; a size below 1 is an error.
func New[K comparable, V any](size int) (*Cache[K, V], error) {
	return NewWithEvict[K, V](size, nil)
}

// NewWithEvict is New with a function that hears of each entry that leaves: evicted, removed or purged, but not
// replaced.
func NewWithEvict[K comparable, V any](size int, onEvicted func(key K, value V)) (*Cache[K, V], error) {
	if size < 1 {
		return nil, fmt.Errorf("%w: size %d, want at least 1", ErrInvalid, size)
	}
	c := &Cache[K, V]{onEvict: onEvicted, s: newEntries[K, V](size, true, 0)}
	c.s.listening = onEvicted != nil
	return c, nil
}

// unlock gives the lock back and tells who left.
func (c *Cache[K, V]) unlock() {
	if !c.s.listening {
		c.mu.Unlock()
		return
	}
	gone := c.s.departed()
	c.mu.Unlock()
	for _, p := range gone {
		c.onEvict(p.key, p.value)
	}
}

// Add stores a value, makes it the newest, and reports whether another entry was evicted.
func (c *Cache[K, V]) Add(key K, value V) (evicted bool) {
	c.mu.Lock()
	defer c.unlock()
	return c.s.add(key, value, time.Time{})
}

// Get returns the value of key and makes it the newest.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock() // also when a key of interface type cannot be hashed
	i, ok := c.s.index[key]
	if ok {
		c.s.touch(i)
		value = c.s.nodes[i].value
	}
	return value, ok
}

// Contains reports whether key has a value, without a use.
func (c *Cache[K, V]) Contains(key K) bool {
	_, ok := c.Peek(key)
	return ok
}

// Peek returns the value of key without a use.
func (c *Cache[K, V]) Peek(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.s.index[key]
	if ok {
		value = c.s.nodes[i].value
	}
	return value, ok
}

// ContainsOrAdd adds the value unless key has one. It reports whether key had one, and whether an entry was evicted.
// It is no use of an entry that is there.
func (c *Cache[K, V]) ContainsOrAdd(key K, value V) (ok, evicted bool) {
	_, ok, evicted = c.PeekOrAdd(key, value)
	return ok, evicted
}

// PeekOrAdd is ContainsOrAdd and returns the value that key had.
func (c *Cache[K, V]) PeekOrAdd(key K, value V) (previous V, ok, evicted bool) {
	c.mu.Lock()
	defer c.unlock()
	if i, ok := c.s.index[key]; ok {
		return c.s.nodes[i].value, true, false
	}
	return previous, false, c.s.add(key, value, time.Time{})
}

// Remove removes key and reports whether it had a value.
func (c *Cache[K, V]) Remove(key K) (present bool) {
	c.mu.Lock()
	defer c.unlock()
	i, ok := c.s.index[key]
	if ok {
		c.s.remove(i)
	}
	return ok
}

// RemoveOldest removes and returns the entry that was used least recently.
func (c *Cache[K, V]) RemoveOldest() (key K, value V, ok bool) {
	c.mu.Lock()
	defer c.unlock()
	return c.s.removeOldest()
}

// GetOldest returns the entry that was used least recently, without a use.
func (c *Cache[K, V]) GetOldest() (key K, value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.s.nodes[0].newer
	return c.s.nodes[i].key, c.s.nodes[i].value, i != 0
}

// Keys returns the keys, oldest first.
func (c *Cache[K, V]) Keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s.keys()
}

// Values returns the values, oldest first.
func (c *Cache[K, V]) Values() []V {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s.values()
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s.len
}

// Cap returns the size.
func (c *Cache[K, V]) Cap() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s.size
}

// Resize changes the size and returns the number of entries evicted. With size 0 nothing that is added stays.
func (c *Cache[K, V]) Resize(size int) (evicted int) {
	c.mu.Lock()
	defer c.unlock()
	return c.s.resize(size)
}

// Purge removes all entries.
func (c *Cache[K, V]) Purge() {
	c.mu.Lock()
	defer c.unlock()
	c.s.purge()
}
