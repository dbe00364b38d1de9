package lru

// Action is what Compute does with the value that its function returns.
type Action uint8

// What Compute may do.
const (
	Keep   Action = iota // leave everything as it is
	Set                  // store the returned value
	Remove               // remove the key
)

// Compute changes the value of key as one atomic step: f gets the present value and returns the next one. It returns
// the value that the key has afterwards.
//
// f runs outside all locks, and again if another goroutine changed the key meanwhile; it must only compute, and in
// particular not write to the key. A panic of f leaves the cache as it is.
func (c *Cache[K, V]) Compute(key K, f func(old V, ok bool) (V, Action)) (V, bool) {
	for {
		birth := c.birth()
		seen, old, ok := c.look(key)
		v, action := f(old, ok)
		switch action {
		case Set:
			d := c.draft(key, v, optionsTTL, birth)
			if e, done := c.commit(seen, old, &d); done {
				if e == nil {
					var zero V
					return zero, false
				}
				return v, true
			}
		case Remove:
			if c.commitRemove(key, seen, old) {
				var zero V
				return zero, false
			}
		case Keep:
			return old, ok
		default:
			return old, ok
		}
	}
}

// unchanged reports, under the lock of the shard, whether the key still is in the state that look saw.
func (c *Cache[K, V]) unchanged(s *shard[K, V], h uint64, key K, seen *entry[K, V], old V) bool {
	e := c.alive(s, h, key, 0)
	return e == seen && (e == nil || e.holds(c.kind, old))
}

func (c *Cache[K, V]) commit(seen *entry[K, V], old V, d *draft[K, V]) (*entry[K, V], bool) {
	s := c.shard(d.hash)
	s.mu.Lock()
	if !c.unchanged(s, d.hash, d.key, seen, old) {
		s.unlock()
		c.discard(d)
		return nil, false
	}
	e, _ := c.store(s, d)
	s.unlock()
	c.relieve(s, e)
	return e, true
}

func (c *Cache[K, V]) commitRemove(key K, seen *entry[K, V], old V) bool {
	h := c.hash(key)
	s := c.shard(h)
	s.mu.Lock()
	defer s.unlock()
	if !c.unchanged(s, h, key, seen, old) {
		return false
	}
	s.void(h, key)
	if seen != nil {
		c.remove(s, seen, Removed)
	}
	return true
}
