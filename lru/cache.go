package lru

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Cache maps keys to values and forgets entries when it is full, when their time is over or when it is told to.
// All methods may be called by any number of goroutines. Use New.
type Cache[K comparable, V any] struct {
	// What a hit reads, and nobody writes.
	hasher  hasher[K]
	shards  []shard[K, V]
	mask    uint64
	hits    []stripe
	kind    valueKind
	full    bool   // entries are fullEntry
	ordered bool   // LRU and LFU: a hit takes the lock
	plain   bool   // a write to a present key changes its value and nothing else
	bounded bool   // the capacity was not Unbounded when the cache was made
	hot     uint32 // uses that a hit counts in the entry: 3, 1 for SIEVE, 0 for FIFO
	epoch   time.Time
	tags    *tags // nil without Options.Tags
	opts    Options[K, V]

	capacity atomic.Int64  // stored by Resize, read by writers
	used     atomic.Int64  // weight of all entries; added to by writers under the lock of a shard
	cursor   atomic.Uint32 // where the search for a shard with too much begins

	timer    timer
	loading  loading[K, V]
	overflow overflow[K, V]
	age      ageMeter
}

// stripe counts on a cache line of its own.
type stripe struct {
	n atomic.Uint64
	_ [56]byte
}

const (
	// minShard is the smallest share of the capacity of a shard: below about a thousand entries the parts of a cache
	// rank worse than the whole (8 × 125 entries lose 3.5 points on Zipf 1.01).
	minShard = 1000
	// shardsPerCPU makes it unlikely that two of the running writers meet: a meeting costs more than an insertion.
	shardsPerCPU = 16
	hitStripes   = 32
)

// New returns an empty cache that holds up to capacity entries or, with Options.Weight, entries of that weight in
// all; Unbounded turns eviction for size off. The error wraps ErrInvalid and names the field that is out of range.
func New[K comparable, V any](capacity int, opts Options[K, V]) (*Cache[K, V], error) {
	if err := opts.check(capacity); err != nil {
		return nil, err
	}
	c := &Cache[K, V]{
		opts:    opts,
		hasher:  newHasher[K](),
		kind:    kindOf[V](),
		full:    opts.Weight != nil || opts.Tags != nil || opts.TTI > 0 || opts.Loading.RefreshAfter > 0,
		ordered: opts.Policy == LRU || opts.Policy == LFU,
		bounded: capacity != Unbounded,
		epoch:   time.Now(),
	}
	switch opts.Policy {
	case Adaptive:
		c.hot = maxUses
	case SIEVE:
		c.hot = 1
	case LRU, LFU, FIFO: // no counter
	}
	c.plain = c.kind != valueFixed && !c.full && opts.TTL == 0 && opts.TTLFunc == nil &&
		opts.OnRemove == nil && opts.Overflow == nil
	if opts.Tags != nil {
		c.tags = &tags{known: map[string]*tag{}, unknown: map[string]uint64{}}
	}
	if opts.CountHits {
		c.hits = make([]stripe, hitStripes)
	}
	c.capacity.Store(int64(capacity))
	n := 1
	if opts.Policy == Adaptive && capacity >= 2*minShard {
		n = min(shardsPerCPU*runtime.GOMAXPROCS(0), capacity/minShard)
		n = 1 << (bits.Len(uint(n)) - 1)
	}
	c.shards = make([]shard[K, V], n)
	c.mask = uint64(n - 1)
	for i := range c.shards {
		c.shards[i].init(c, capacity)
	}
	c.overflow.tier = opts.Overflow
	c.timer.at.Store(never)
	c.loading.init(&c.opts)
	return c, nil
}

// now is the time since New in nanoseconds, from the monotonic clock.
func (c *Cache[K, V]) now() int64 { return int64(time.Since(c.epoch)) }

func (c *Cache[K, V]) hash(key K) uint64 { return c.hasher.hash(key) }

// place is the hash of e under which the table keeps it. A key that differs from itself (NaN) hashes to something
// else each time and can never be found by its key; the address of its entry stands in.
func (c *Cache[K, V]) place(e *entry[K, V]) uint64 {
	if e.key != e.key { //nolint:gocritic // true for NaN
		return uint64(uintptr(unsafe.Pointer(e))) * 0x9e3779b97f4a7c15
	}
	return c.hash(e.key)
}

// keyed is place where the hash of the key is known.
func (c *Cache[K, V]) keyed(h uint64, e *entry[K, V]) uint64 {
	if e.key != e.key { //nolint:gocritic // true for NaN
		return c.place(e)
	}
	return h
}

func (c *Cache[K, V]) shard(h uint64) *shard[K, V] { return &c.shards[h&c.mask] }

// Get returns the value of key and counts as a use. A hit takes no lock, except with the policies LRU and LFU.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	h := c.hash(key)
	s := c.shard(h)
	if c.ordered {
		return c.getOrdered(s, h, key)
	}
	if e := s.table.Load().find(h, key); e != nil {
		ref := e.ref.Load()
		if ref&refTimed == 0 {
			v := e.load(c.kind)
			e.count(ref, c.hot)
			c.hit()
			return v, true
		}
		now := c.now()
		v := e.load(c.kind)
		if c.dead(e, now) == 0 {
			c.use(e, now)
			return v, true
		}
	}
	s.misses.Add(1)
	var zero V
	return zero, false
}

// use counts a hit of a live entry with a deadline.
func (c *Cache[K, V]) use(e *entry[K, V], now int64) {
	e.count(e.ref.Load(), c.hot)
	c.idle(e, now)
	c.hit()
}

// idle moves the deadline of an entry with idle time, if that gains enough to be worth a write.
func (c *Cache[K, V]) idle(e *entry[K, V], now int64) {
	if c.opts.TTI == 0 {
		return
	}
	f := e.full()
	old := f.deadline.Load()
	d := min(after(now, int64(c.opts.TTI)), f.hard.Load())
	if d-old > max(int64(time.Millisecond), int64(c.opts.TTI)/64) {
		f.deadline.CompareAndSwap(old, d) // a lost race was a read or write of the same moment
	}
}

// hit counts a hit if that was asked for.
func (c *Cache[K, V]) hit() {
	if c.hits != nil {
		c.hits[ownStripe()].n.Add(1)
	}
}

// ownStripe chooses a stripe by the address of a local variable, which tells goroutines apart well enough.
func ownStripe() int {
	var here byte
	at := uintptr(unsafe.Pointer(&here))
	return int((at>>10 ^ at>>15) % hitStripes)
}

// getOrdered is Get for the policies that move an entry with each use.
func (c *Cache[K, V]) getOrdered(s *shard[K, V], h uint64, key K) (v V, ok bool) {
	s.mu.Lock()
	e := s.table.Load().find(h, key)
	if e == nil {
		s.mu.Unlock()
		s.misses.Add(1)
		return v, false
	}
	if e.ref.Load()&refTimed != 0 {
		now := c.now()
		if c.dead(e, now) != 0 {
			s.mu.Unlock()
			s.misses.Add(1)
			return v, false
		}
		c.idle(e, now)
	}
	s.use(e)
	v = e.load(c.kind)
	s.mu.Unlock()
	c.hit()
	return v, true
}

// look finds a live entry and its value without counting.
func (c *Cache[K, V]) look(key K) (*entry[K, V], V, bool) {
	h := c.hash(key)
	if e := c.shard(h).table.Load().find(h, key); e != nil {
		if e.ref.Load()&refTimed == 0 {
			return e, e.load(c.kind), true
		}
		now := c.now() // before the value: what it had then was alive then
		v := e.load(c.kind)
		if c.dead(e, now) == 0 {
			return e, v, true
		}
	}
	var zero V
	return nil, zero, false
}

// Peek returns the value of key without any effect on the policy, the idle time and Stats.
func (c *Cache[K, V]) Peek(key K) (V, bool) {
	_, v, ok := c.look(key)
	return v, ok
}

// Entry is Peek with weight and deadline.
func (c *Cache[K, V]) Entry(key K) (Entry[K, V], bool) {
	h := c.hash(key)
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.table.Load().find(h, key); e != nil && c.dead(e, c.now()) == 0 {
		return c.copyOf(e), true
	}
	return Entry[K, V]{}, false
}

// Len returns the number of entries, with those that are dead but not yet reclaimed.
func (c *Cache[K, V]) Len() int {
	n := 0
	for i := range c.shards {
		n += int(c.shards[i].len.Load())
	}
	return n
}

// Weight returns the weight of all entries, with those that are dead but not yet reclaimed.
func (c *Cache[K, V]) Weight() int { return int(c.used.Load()) }
