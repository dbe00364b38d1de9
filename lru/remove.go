package lru

// Remove removes key and returns the value that it had. A load of the key that is in flight will not be stored.
func (c *Cache[K, V]) Remove(key K) (V, bool) {
	h := c.hash(key)
	s := c.shard(h)
	s.mu.Lock()
	defer s.unlock()
	s.void(h, key)
	var zero V
	e := c.alive(s, h, key, 0)
	if e == nil {
		return zero, false
	}
	v := e.load(c.kind)
	c.remove(s, e, Removed)
	return v, true
}

// RemoveFunc removes the entries for which match returns true and returns their number. match runs outside all
// locks. Entries written while the call runs may or may not be seen. Loads in flight are not stored.
func (c *Cache[K, V]) RemoveFunc(match func(key K, value V) bool) int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.voidAll()
		s.mu.Unlock()
		for _, e := range s.entries() {
			v := e.load(c.kind)
			if e.ref.Load()&refGone == 0 && c.dead(e, c.now()) == 0 && match(e.key, v) && c.removeSame(s, e, v) {
				n++
			}
		}
	}
	c.clearTier() // which cannot be asked
	return n
}

// removeSame removes e if it is still in the cache with this value.
func (c *Cache[K, V]) removeSame(s *shard[K, V], e *entry[K, V], v V) bool {
	s.mu.Lock()
	defer s.unlock()
	if e.ref.Load()&refGone != 0 || !e.holds(c.kind, v) {
		return false
	}
	cause := c.dead(e, c.now())
	if cause == 0 {
		cause = Removed
	}
	c.remove(s, e, cause)
	return cause == Removed
}

// entries returns the entries of a shard as they are now, next victims first.
func (s *shard[K, V]) entries() []*entry[K, V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*entry[K, V], 0, s.table.Load().count)
	s.order(func(e *entry[K, V]) bool {
		out = append(out, e)
		return true
	})
	return out
}

// order is the order of the policy, with the pinned entries at the end.
func (s *shard[K, V]) order(f func(*entry[K, V]) bool) {
	on := true
	s.policy.order(func(e *entry[K, V]) bool {
		on = f(e)
		return on
	})
	if on {
		s.pins.each(&s.pinned, f)
	}
}

// Clear removes all entries. Loads in flight are not stored.
func (c *Cache[K, V]) Clear() {
	for i := range c.shards {
		c.clearShard(&c.shards[i], false)
	}
	c.clearTier()
}

func (c *Cache[K, V]) clearShard(s *shard[K, V], closing bool) {
	s.mu.Lock()
	defer s.unlock()
	s.voidAll()
	s.closed = s.closed || closing
	now := c.now()
	var all []*entry[K, V]
	s.order(func(e *entry[K, V]) bool {
		all = append(all, e)
		return true
	})
	for _, e := range all {
		cause := c.dead(e, now)
		if cause == 0 {
			cause = Removed
		}
		c.remove(s, e, cause)
	}
	s.table.Store(newTable[K, V](1))
	s.wheel = nil
}

// Resize changes the capacity and evicts at once, in the order of the policy, what no longer fits; it returns how
// many entries that were. A capacity below 1, or Unbounded together with Weight, is ErrInvalid.
func (c *Cache[K, V]) Resize(capacity int) (evicted int, err error) {
	if capacity < 1 {
		return 0, invalid("capacity %d, want at least 1", capacity)
	}
	if capacity == Unbounded && c.opts.Weight != nil {
		return 0, invalid("Weight has no use with an Unbounded capacity")
	}
	c.capacity.Store(int64(capacity))
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.resize(capacity)
		s.mu.Unlock()
	}
	return c.relieve(nil, nil), nil
}

// InvalidateTags makes all entries with one of the tags absent, whatever their number, in O(len(tags)). Their
// memory is reclaimed, and the listener told, when something meets them and within two seconds at the latest.
// Loads that began before and come with one of the tags are not stored.
func (c *Cache[K, V]) InvalidateTags(tags ...string) {
	if c.tags == nil || len(tags) == 0 {
		return
	}
	if c.tags.invalidate(tags) {
		c.timer.invalid.Store(true)
		c.timer.arm(c, c.now()+1<<wheelShift)
	}
	c.clearTier() // which knows of no tags
}
