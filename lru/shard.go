package lru

import (
	"sync"
	"sync/atomic"
)

// shard is one part of the cache with a lock of its own.
//
// Order of locks: one shard at a time; inside it tags.mu, timer.mu or a job's mu. No user function runs under any.
type shard[K comparable, V any] struct {
	// What every operation reads and few write. Each group is seven words and one that matters less: whether or not the
	// allocator puts a header before the first shard, no two groups share a cache line.
	table    atomic.Pointer[table[K, V]] // stored under mu, read by everybody
	cache    *Cache[K, V]
	policy   policy[K, V]
	adaptive *adaptive[K, V]   // policy, if it is that
	calls    map[K]*call[K, V] // loads in flight that may still store their result
	failures map[K]failure     // errors that are remembered
	wheel    *wheel[K, V]

	// What every write changes: the last writer was likely another core.
	mu     sync.Mutex
	writes uint64                  // writes and removals so far
	left   [Invalidated + 1]uint64 // departures by cause; the first is not used

	// What an insertion changes as well.
	load     int64         // weight of the entries
	inserted uint64        // entries so far
	misses   atomic.Uint64 // added to by readers, read by Stats
	len      atomic.Int64  // of the table; published when a writer gives mu back, read by Len
	weight   atomic.Int64  // load; published likewise, read by writers that look for a victim elsewhere
	rejected uint64
	_        [2]uint64

	// What is rare.
	closed  bool
	telling bool               // a goroutine delivers events
	warming *warming           // nil unless Warm or Restore runs
	events  []event[K, V]      // departures that the listener has not heard of
	spills  []*spill[K, V]     // of the present operation
	pending map[K]*spill[K, V] // the last one per key that is not done
	tiering sync.Mutex         // orders what the tier does for the keys of this shard; never taken under mu
	probes  [4]probe[K, V]
	pinned  list // entries of weight 0, in nodes of pins
	pins    slab[K, V]
	_       [64]byte // the next shard begins on another cache line
}

func (s *shard[K, V]) init(c *Cache[K, V], capacity int) {
	s.cache = c
	s.table.Store(newTable[K, V](1))
	switch c.opts.Policy {
	case LFU:
		s.policy = newFrequency[K, V](capacity)
	case Adaptive:
		s.adaptive = &adaptive[K, V]{cache: c, random: c.hash(*new(K))}
		s.policy = s.adaptive
	case LRU, FIFO, SIEVE:
		s.policy = &recency[K, V]{policy: c.opts.Policy}
	}
	s.resize(capacity)
}

// resize tells the parts how large the cache is.
func (s *shard[K, V]) resize(capacity int) {
	fair := capacity / len(s.cache.shards)
	expect := fair + fair/64 + 64 // shards differ a little
	if s.cache.opts.Weight != nil || capacity == Unbounded {
		expect = 0 // unknown
	}
	switch p := s.policy.(type) {
	case *adaptive[K, V]:
		p.setFair(fair, expect)
	case *frequency[K, V]:
		p.setCapacity(capacity)
		p.expect = expect
	case *recency[K, V]:
		p.expect = expect
	}
}

func (s *shard[K, V]) expect() int {
	if s.cache.opts.Weight != nil || s.cache.capacity.Load() == Unbounded {
		return 0
	}
	fair := int(s.cache.capacity.Load()) / len(s.cache.shards)
	return fair + fair/64 + 64
}

// use counts a read or write of e.
func (s *shard[K, V]) use(e *entry[K, V]) {
	if e.ref.Load()&refPinned == 0 {
		s.policy.use(e)
	}
}

// add puts a new entry in. The key is absent and there is room.
func (s *shard[K, V]) add(h uint64, e *entry[K, V], now int64) {
	h = s.cache.keyed(h, e)
	s.insert(h, e, now, func() { s.enlist(e, h) })
}

// place is where the table keeps e, which stands in the order: the high half of Cache.place.
func (s *shard[K, V]) place(e *entry[K, V]) uint64 {
	if s.adaptive != nil && e.ref.Load()&refPinned == 0 {
		return s.adaptive.hash(e) << 32
	}
	return s.cache.place(e)
}

// insert is add with the place in the order as its own step.
func (s *shard[K, V]) insert(h uint64, e *entry[K, V], now int64, enlist func()) {
	enlist()
	for t := s.table.Load(); t.count >= t.limit || !t.insert(h, e); {
		t = t.grown(s.expect(), s.place)
		s.table.Store(t)
	}
	s.load += int64(s.cache.weightOf(e))
	s.inserted++
	s.probe(e, now)
	s.file(e)
}

// enlist gives e to the policy, or to the pinned ones.
func (s *shard[K, V]) enlist(e *entry[K, V], h uint64) {
	if s.cache.weightOf(e) == 0 {
		e.setBits(refPinned, refPinned)
		s.pins.pushBack(&s.pinned, s.pins.alloc(e))
		return
	}
	e.takeCount() // of a time when it stood elsewhere
	s.policy.insert(e, h)
}

func (s *shard[K, V]) delist(e *entry[K, V]) {
	if e.ref.Load()&refPinned != 0 {
		s.pins.unlink(&s.pinned, e.pos)
		s.pins.release(e.pos)
		e.setBits(refPinned, 0)
		return
	}
	s.policy.remove(e)
}

// file makes sure that the wheel looks at e in time.
func (s *shard[K, V]) file(e *entry[K, V]) {
	at := s.cache.reclaimAt(e)
	if at == never {
		return
	}
	if s.wheel == nil {
		s.wheel = &wheel[K, V]{now: s.cache.now()}
	}
	// A slot that is looked at within the second after the deadline is good enough.
	if s.wheel.filed(e) > at+1<<wheelShift {
		s.cache.timer.arm(s.cache, s.wheel.add(e, at))
	}
}

// reclaimAt is when e may be forgotten: after its deadline and the time in which it may be served stale.
func (c *Cache[K, V]) reclaimAt(e *entry[K, V]) int64 {
	return after(c.deadline(e), int64(c.opts.Loading.StaleFor))
}

// drop takes e out of everything and notes the event. The caller subtracts the weight from the budget.
func (s *shard[K, V]) drop(e *entry[K, V], cause Cause) {
	c := s.cache
	s.table.Load().remove(s.place(e), e)
	s.delist(e)
	s.load -= int64(c.weightOf(e))
	s.depart(e, e.load(c.kind), cause)
	s.retire(e)
}

// retire is for an entry that is no longer in the table.
func (s *shard[K, V]) retire(e *entry[K, V]) {
	e.setBits(refGone, refGone)
	if s.wheel != nil {
		s.wheel.left(e)
	}
	if s.cache.tags != nil {
		s.cache.tags.release(e.full().tags)
	}
}

// swap gives the place of old to e, which has the same key, and files it.
func (s *shard[K, V]) swap(old, e *entry[K, V]) {
	s.table.Load().replace(s.place(old), old, e)
	if old.ref.Load()&refPinned != 0 {
		e.pos = old.pos
		s.pins.nodes[e.pos].e = e
		e.setBits(refPinned, refPinned)
	} else {
		s.policy.replace(old, e)
		e.count(e.ref.Load(), old.ref.Load()&refCounter)
	}
	s.retire(old)
	s.file(e)
}

// depart counts a departure and keeps the event for the listener.
func (s *shard[K, V]) depart(e *entry[K, V], v V, cause Cause) {
	s.left[cause]++
	if cause == Evicted && s.cache.overflow.on() {
		out := s.cache.copyOf(e)
		out.Value = v
		s.later(e.key, &spill[K, V]{entry: out, source: e})
	}
	if s.cache.opts.OnRemove != nil {
		out := s.cache.copyOf(e)
		out.Value = v
		s.events = append(s.events, event[K, V]{out, cause})
	}
}

// publish shows the counts to those who do not take the lock. A writer that replaced one entry by another has nothing
// to show and writes nothing shared.
func (s *shard[K, V]) publish() {
	if n := int64(s.table.Load().count); n != s.len.Load() {
		s.len.Store(n)
	}
	if s.load != s.weight.Load() {
		s.weight.Store(s.load)
	}
}

// unlock gives the lock back and then does what the tier has to do and delivers what the listener has to hear.
func (s *shard[K, V]) unlock() {
	tell := len(s.events) > 0 && !s.telling
	s.unlockQuietly()
	if tell {
		s.tell()
	}
}

// unlockQuietly leaves the events to somebody else.
func (s *shard[K, V]) unlockQuietly() {
	spills := s.takeSpills()
	s.publish()
	s.mu.Unlock()
	s.pour(spills)
}
