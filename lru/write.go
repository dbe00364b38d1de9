package lru

import (
	"math/rand/v2"
	"time"
)

// draft is a value on its way into the cache, with all that user functions had to say about it.
type draft[K comparable, V any] struct {
	key     K
	hash    uint64
	value   V
	weight  int
	now     int64
	hard    int64 // deadline without TTI
	tags    []*tag
	birth   uint64
	fresh   *entry[K, V] // made before the lock was taken; nil: make it when it is needed
	refused bool         // too heavy
	lapsed  bool         // lifetime of zero or less
}

// optionsTTL, as a lifetime given to draft, stands for Options.TTL and TTLFunc.
const optionsTTL = time.Duration(-1 << 63)

// draft calls the user's functions, outside all locks. The caller either stores the draft or releases its tags.
func (c *Cache[K, V]) draft(key K, value V, ttl time.Duration, birth uint64) draft[K, V] {
	return c.hashedDraft(c.hash(key), key, value, ttl, birth)
}

func (c *Cache[K, V]) hashedDraft(h uint64, key K, value V, ttl time.Duration, birth uint64) draft[K, V] {
	d := draft[K, V]{key: key, hash: h, value: value, weight: 1, hard: never, birth: birth}
	if c.opts.Weight != nil {
		d.weight = c.opts.Weight(key, value)
		d.refused = d.weight < 0 || int64(d.weight) > c.capacity.Load()
	}
	if ttl == optionsTTL {
		ttl = never
		if c.opts.TTL > 0 {
			ttl = c.opts.TTL
		} else if c.opts.TTLFunc != nil {
			ttl = c.opts.TTLFunc(key, value)
		}
	}
	d.lapsed = ttl <= 0
	if ttl != never || c.full {
		d.now = c.now()
		if c.opts.Jitter > 0 && ttl != never {
			ttl -= time.Duration(rand.Float64() * c.opts.Jitter * float64(ttl))
		}
		d.hard = after(d.now, int64(ttl))
	}
	if c.tags != nil && !d.refused && !d.lapsed {
		d.tags = c.tags.acquire(c.opts.Tags(key, value))
	}
	return d
}

// discard is for a draft that was not stored.
func (c *Cache[K, V]) discard(d *draft[K, V]) {
	if c.tags != nil {
		c.tags.release(d.tags)
	}
}

// birth is the tag clock, to be read before a value is made.
func (c *Cache[K, V]) birth() uint64 {
	if c.tags == nil {
		return 0
	}
	return c.tags.clock.Load()
}

func (c *Cache[K, V]) newEntry(d *draft[K, V]) *entry[K, V] {
	switch {
	case c.full:
		f := &fullEntry[K, V]{weight: d.weight, birth: d.birth, tags: d.tags}
		f.key, f.value = d.key, d.value
		f.ref.Store(refTimed)
		f.hard.Store(d.hard)
		f.written.Store(d.now)
		f.deadline.Store(c.deadlineOf(d))
		return &f.entry
	case d.hard != never:
		t := &timedEntry[K, V]{}
		t.key, t.value = d.key, d.value
		t.ref.Store(refTimed)
		t.deadline.Store(d.hard)
		return &t.entry
	default:
		return &entry[K, V]{key: d.key, value: d.value}
	}
}

func (c *Cache[K, V]) deadlineOf(d *draft[K, V]) int64 {
	if c.opts.TTI > 0 {
		return min(d.hard, after(d.now, int64(c.opts.TTI)))
	}
	return d.hard
}

// Set stores a value and counts as a use of the key. It reports whether other entries had to make room, or the
// value itself was refused because it weighs more than the capacity.
func (c *Cache[K, V]) Set(key K, value V) (evicted bool) {
	return c.set(key, value, optionsTTL)
}

// SetTTL is Set with a lifetime of its own, in place of Options.TTL and TTLFunc. Zero or less stores nothing and
// expires what is there; math.MaxInt64 means for ever. TTI and Jitter still apply.
func (c *Cache[K, V]) SetTTL(key K, value V, ttl time.Duration) (evicted bool) {
	return c.set(key, value, max(ttl, optionsTTL+1))
}

func (c *Cache[K, V]) set(key K, value V, ttl time.Duration) bool {
	h := c.hash(key)
	s := c.shard(h)
	e := s.table.Load().find(h, key)
	if e != nil && c.plain && ttl == optionsTTL && s.update(e, value) {
		return false
	}
	d := c.hashedDraft(h, key, value, ttl, c.birth())
	// A new key needs an entry and the cache lines of its bucket: better to wait for them without the lock.
	if e == nil && !d.refused && !d.lapsed {
		d.fresh = c.newEntry(&d)
	}
	s.mu.Lock()
	e, evicted := c.store(s, &d)
	s.unlock()
	return c.relieve(s, e) > 0 || evicted
}

// update is store and overwrite for a plain cache and an entry that was found without the lock. It reports false, and
// has done nothing, if there is more to do than to change the value.
func (s *shard[K, V]) update(e *entry[K, V], value V) bool {
	s.mu.Lock()
	if e.ref.Load()&(refGone|refTimed) != 0 || len(s.calls)+len(s.failures) > 0 || s.warming != nil || s.closed {
		s.mu.Unlock()
		return false
	}
	s.writes++
	s.left[Replaced]++
	s.use(e)
	e.swap(s.cache.kind, value)
	s.mu.Unlock()
	return true
}

// alive finds the live entry of a hash and key under the lock of the shard; a dead one is dropped, so that
// writing over it is a creation.
func (c *Cache[K, V]) alive(s *shard[K, V], h uint64, key K, now int64) *entry[K, V] {
	e := s.table.Load().find(h, key)
	if e == nil || e.ref.Load()&refTimed == 0 {
		return e
	}
	if now == 0 {
		now = c.now()
	}
	cause := c.dead(e, now)
	if cause == 0 {
		return e
	}
	c.remove(s, e, cause)
	return nil
}

// remove drops e and gives its weight back to the budget.
func (c *Cache[K, V]) remove(s *shard[K, V], e *entry[K, V], cause Cause) {
	w := c.weightOf(e)
	s.drop(e, cause)
	c.used.Add(int64(-w))
}

// store commits a draft under the lock of its shard. It returns the entry, nil if none was stored.
func (c *Cache[K, V]) store(s *shard[K, V], d *draft[K, V]) (e *entry[K, V], evicted bool) {
	if s.closed {
		c.discard(d)
		return nil, false
	}
	s.void(d.hash, d.key)
	e = c.alive(s, d.hash, d.key, d.now)
	switch {
	case d.refused:
		s.rejected++
		if e != nil {
			c.remove(s, e, Replaced)
		}
		return nil, true
	case d.lapsed:
		if e != nil {
			c.remove(s, e, Expired)
		}
		return nil, false
	case e != nil:
		return c.overwrite(s, e, d)
	}
	if s.adaptive != nil && c.used.Load() >= c.capacity.Load() {
		s.adaptive.fetch(d.hash, s.table.Load())
	}
	evicted = c.makeRoom(s, d.weight, nil)
	if e = d.fresh; e == nil {
		e = c.newEntry(d)
	}
	s.add(d.hash, e, d.now)
	return e, evicted
}

// overwrite gives a live entry the value of a draft, in place where the value is one word.
func (c *Cache[K, V]) overwrite(s *shard[K, V], e *entry[K, V], d *draft[K, V]) (*entry[K, V], bool) {
	s.use(e)
	before := c.weightOf(e)
	s.depart(e, e.load(c.kind), Replaced)
	timed := e.ref.Load()&refTimed != 0
	if c.kind == valueFixed || c.tags != nil || d.hard != never && !timed {
		next := c.newEntry(d)
		s.swap(e, next)
		e = next
	} else {
		// The value comes first: a reader that took the old value must not see the new deadline.
		e.swap(c.kind, d.value)
		if c.full {
			f := e.full()
			f.weight = d.weight
			f.written.Store(d.now)
			f.hard.Store(d.hard)
		}
		if timed {
			e.timed().deadline.Store(c.deadlineOf(d))
			s.file(e)
		}
	}
	if d.weight == before {
		return e, false
	}
	s.load += int64(d.weight - before)
	if d.weight == 0 || before == 0 {
		s.relist(e, d.hash, before)
	} else {
		s.policy.reweigh(e, d.weight-before)
	}
	return e, c.makeRoom(s, d.weight-before, e)
}

// relist moves an entry between the pinned ones and the policy.
func (s *shard[K, V]) relist(e *entry[K, V], h uint64, before int) {
	if before != 0 { // the policy must see the weight that it counted
		after := e.full().weight
		e.full().weight = before
		s.policy.remove(e)
		e.full().weight = after
	} else {
		s.delist(e)
	}
	s.enlist(e, h)
}

// makeRoom takes w from the budget and evicts from s what is missing, but never keep. What s cannot give, because
// it has nothing or less than its share, relieve takes from others after the lock is given back.
func (c *Cache[K, V]) makeRoom(s *shard[K, V], w int, keep *entry[K, V]) (evicted bool) {
	need := int64(w)
	capacity := c.capacity.Load()
	if capacity == Unbounded {
		c.used.Add(need)
		return false
	}
	share := int64(0)
	if c.mask != 0 {
		share = capacity / int64(len(c.shards)) * 15 / 16
	}
	for used := c.used.Load(); ; {
		for used+need > capacity && s.load >= share {
			v := s.policy.victim(keep)
			if v == nil {
				break
			}
			need -= int64(c.weightOf(v))
			c.evict(s, v)
			evicted = true
		}
		if need == 0 {
			break
		}
		used = c.used.Add(need)
		if need = 0; used <= capacity || c.mask != 0 {
			break
		}
		if v := s.policy.victim(keep); v == nil {
			break
		}
	}
	if s.adaptive != nil && !evicted {
		s.adaptive.settle()
	}
	return evicted
}

// evict drops a victim; the caller settles the budget.
func (c *Cache[K, V]) evict(s *shard[K, V], v *entry[K, V]) {
	cause := Evicted
	if v.ref.Load()&refTimed != 0 {
		if dead := c.dead(v, c.now()); dead != 0 {
			cause = dead
		}
	}
	if cause == Evicted {
		s.aged(v)
	}
	s.drop(v, cause)
}

// relieve evicts while the cache is over its capacity: first from shards that have more than their share, then from
// any, one lock at a time. keep, which lies in own, stays.
func (c *Cache[K, V]) relieve(own *shard[K, V], keep *entry[K, V]) (evicted int) {
	if c.used.Load() <= c.capacity.Load() {
		return 0
	}
	share := c.capacity.Load() / int64(len(c.shards))
	start := c.cursor.Add(1)
	for _, limit := range []int64{share, 0} {
		for i := range c.shards {
			s := &c.shards[(uint64(start)+uint64(i))&c.mask]
			for c.used.Load() > c.capacity.Load() && s.weight.Load() > limit {
				n := c.relieveShard(s, own, keep, limit)
				evicted += n
				if n == 0 {
					break
				}
			}
		}
	}
	return evicted
}

// relieveBatch bounds how long relieveShard holds a lock.
const relieveBatch = 64

func (c *Cache[K, V]) relieveShard(s, own *shard[K, V], keep *entry[K, V], limit int64) (evicted int) {
	s.mu.Lock()
	defer s.unlock()
	if s != own {
		keep = nil
	}
	for evicted < relieveBatch && c.used.Load() > c.capacity.Load() && s.load > limit {
		v := s.policy.victim(keep)
		if v == nil {
			break
		}
		w := c.weightOf(v)
		c.evict(s, v)
		c.used.Add(int64(-w))
		evicted++
	}
	return evicted
}

// SetIfAbsent stores value unless the key has one. It returns the value that the key has now and whether that was
// stored by this call; a value refused as too heavy, or of no lifetime, is returned with false. Both outcomes count as
// a use.
func (c *Cache[K, V]) SetIfAbsent(key K, value V) (actual V, stored bool) {
	d := c.draft(key, value, optionsTTL, c.birth())
	s := c.shard(d.hash)
	s.mu.Lock()
	if e := c.alive(s, d.hash, key, d.now); e != nil {
		s.use(e)
		if e.ref.Load()&refTimed != 0 {
			c.idle(e, c.now())
		}
		actual = e.load(c.kind)
		s.unlock()
		c.discard(&d)
		return actual, false
	}
	e, _ := c.store(s, &d)
	s.unlock()
	c.relieve(s, e)
	return value, e != nil
}

// Expire gives the value of key a new lifetime and counts as a use. Zero or less removes it with the cause Expired;
// math.MaxInt64 means for ever. It reports whether the key had a value. Jitter does not apply.
func (c *Cache[K, V]) Expire(key K, ttl time.Duration) bool {
	h := c.hash(key)
	s := c.shard(h)
	s.mu.Lock()
	defer s.unlock()
	now := c.now()
	e := c.alive(s, h, key, now)
	switch {
	case e == nil:
		return false
	case ttl <= 0:
		c.remove(s, e, Expired)
		return true
	}
	s.use(e)
	hard := after(now, int64(ttl))
	if e.ref.Load()&refTimed == 0 {
		next := c.newEntry(&draft[K, V]{key: e.key, value: e.load(c.kind), hard: hard})
		if next.ref.Load()&refTimed != 0 {
			s.swap(e, next)
		}
		return true
	}
	if c.full {
		e.full().hard.Store(hard)
	}
	e.timed().deadline.Store(c.deadlineOf(&draft[K, V]{now: now, hard: hard}))
	s.file(e)
	return true
}
