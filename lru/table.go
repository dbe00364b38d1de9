package lru

import (
	"math/bits"
	"sync/atomic"
)

const (
	bucketSlots = 7
	// overflowUnit is one in the eighth control byte, which counts the entries that passed a full bucket.
	overflowUnit = 1 << 56
	overflowMax  = 255 // sticks until the table is rebuilt
	lowBits      = 0x0001010101010101
	highBits     = 0x0080808080808080
)

// bucket is one cache line: seven tags and one counter in ctrl, seven pointers.
//
// A writer, under the lock of the shard, stores a slot before its tag appears in ctrl and removes the tag before it
// clears the slot. A reader loads ctrl, then the slots whose tag matches, and compares the key: whatever it sees in
// between was in the table at some moment of its call.
type bucket[K comparable, V any] struct {
	ctrl  atomic.Uint64
	slots [bucketSlots]atomic.Pointer[entry[K, V]]
}

// table is an open-addressed hash table that is read without locks. It never moves an entry; growth fills a new
// table, which one atomic store publishes. A reader in the old table sees the state at the time of the change, which
// lies inside its call.
type table[K comparable, V any] struct {
	buckets []bucket[K, V]
	count   int // under the lock of the shard
	limit   int // entries before the table grows
}

func newTable[K comparable, V any](buckets int) *table[K, V] {
	return &table[K, V]{
		buckets: make([]bucket[K, V], buckets),
		limit:   buckets * (bucketSlots - 1),
	}
}

// home is the bucket in which the search for a hash begins: the high part of hash × buckets, so that any number of
// buckets will do.
func (t *table[K, V]) home(h uint64) int {
	hi, _ := bits.Mul64(h, uint64(len(t.buckets)))
	return int(hi)
}

// tagOf takes seven bits that neither the shard nor, for tables below 2^32 buckets, the bucket is made of. The
// eighth bit says that the slot is taken.
func tagOf(h uint64) uint64 { return h>>20&0x7f | 0x80 }

// matches returns a bit per slot whose tag may be tag. False positives are possible, false negatives are not.
func matches(ctrl, tag uint64) uint64 {
	x := ctrl ^ tag*lowBits
	return (x - lowBits) & ^x & highBits
}

func (t *table[K, V]) find(h uint64, key K) *entry[K, V] {
	i, tag := t.home(h), tagOf(h)
	for range t.buckets {
		b := &t.buckets[i]
		ctrl := b.ctrl.Load()
		for m := matches(ctrl, tag); m != 0; m &= m - 1 {
			if e := b.slots[bits.TrailingZeros64(m)>>3].Load(); e != nil && e.key == key {
				return e
			}
		}
		if ctrl < overflowUnit {
			return nil
		}
		if i++; i == len(t.buckets) {
			i = 0
		}
	}
	return nil
}

// insert adds an entry whose key is absent. The caller has made sure that count < limit.
func (t *table[K, V]) insert(h uint64, e *entry[K, V]) {
	t.count++
	for i := t.home(h); ; {
		b := &t.buckets[i]
		ctrl := b.ctrl.Load()
		if free := ^ctrl & highBits; free != 0 {
			j := bits.TrailingZeros64(free) >> 3
			b.slots[j].Store(e)
			b.ctrl.Store(ctrl | tagOf(h)<<(8*j))
			return
		}
		if ctrl>>56 < overflowMax {
			b.ctrl.Store(ctrl + overflowUnit)
		}
		if i++; i == len(t.buckets) {
			i = 0
		}
	}
}

// replace puts e in the slot of old.
func (t *table[K, V]) replace(h uint64, old, e *entry[K, V]) {
	if b, j := t.locate(h, old); b != nil {
		b.slots[j].Store(e)
	}
}

func (t *table[K, V]) locate(h uint64, e *entry[K, V]) (*bucket[K, V], int) {
	i, tag := t.home(h), tagOf(h)
	for range t.buckets {
		b := &t.buckets[i]
		ctrl := b.ctrl.Load()
		for m := matches(ctrl, tag); m != 0; m &= m - 1 {
			if j := bits.TrailingZeros64(m) >> 3; b.slots[j].Load() == e {
				return b, j
			}
		}
		if ctrl < overflowUnit {
			break
		}
		if i++; i == len(t.buckets) {
			i = 0
		}
	}
	return nil, 0
}

// remove takes e out and gives back the marks that its insertion left in full buckets.
func (t *table[K, V]) remove(h uint64, e *entry[K, V]) {
	at, j := t.locate(h, e)
	if at == nil {
		return
	}
	t.count--
	at.ctrl.Store(at.ctrl.Load() &^ (0xff << (8 * j)))
	at.slots[j].Store(nil)
	for i := t.home(h); ; {
		b := &t.buckets[i]
		if b == at {
			return
		}
		if ctrl := b.ctrl.Load(); ctrl>>56 < overflowMax {
			b.ctrl.Store(ctrl - overflowUnit)
		}
		if i++; i == len(t.buckets) {
			i = 0
		}
	}
}

// each calls f for the entries of buckets from to to.
func (t *table[K, V]) each(from, to int, f func(*entry[K, V])) {
	for i := from; i < to && i < len(t.buckets); i++ {
		for j := range t.buckets[i].slots {
			if e := t.buckets[i].slots[j].Load(); e != nil {
				f(e)
			}
		}
	}
}

// grown returns a larger table with the same entries. expect is the number of entries that the shard will have
// when the cache is full: the last step goes there and not beyond, which keeps the table at six sevenths.
func (t *table[K, V]) grown(expect int, hash func(*entry[K, V]) uint64) *table[K, V] {
	n := 2 * len(t.buckets)
	if expect > t.limit {
		n = min(n, expect/(bucketSlots-1)+2)
	}
	next := newTable[K, V](n)
	t.each(0, len(t.buckets), func(e *entry[K, V]) { next.insert(hash(e), e) })
	return next
}
