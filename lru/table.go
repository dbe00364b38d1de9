package lru

import (
	"math/bits"
	"sync/atomic"
)

const (
	bucketSlots = 7
	// overflowUnit is one in the eighth control byte, which counts the entries that passed a full bucket.
	overflowUnit = 1 << 56
	// maxAway is the most buckets that an entry may be from home; a mask as well.
	maxAway     = 3
	overflowMax = 200
	lowBits     = 0x0001010101010101
	highBits    = 0x0080808080808080
)

// bucket is one cache line: seven tags and one counter in ctrl, seven pointers. A tag of zero is a free slot.
//
// A writer, under the lock of the shard, stores a slot before its tag appears in ctrl and removes the tag before it
// clears the slot. A reader loads ctrl, then the slots whose tag matches, and compares the key: whatever it sees in
// between was in the table at some moment of its call.
type bucket[K comparable, V any] struct {
	ctrl  atomic.Uint64
	slots [bucketSlots]atomic.Pointer[entry[K, V]]
}

// table is an open-addressed hash table that is read without locks. An entry that finds its home bucket full goes to
// the next one with room, and comes closer when something before it leaves: without that a table in which entries come
// and go is soon one long run, and a search that fails looks at dozens of buckets.
//
// Growth fills a new table, which one atomic store publishes. A reader in the old table sees the state at the time of
// the change, which lies inside its call.
type table[K comparable, V any] struct {
	buckets []bucket[K, V] // read by everybody, never written

	_ [64]byte // what follows changes with every write

	count int           // under the lock of the shard
	limit int           // entries before the table grows; likewise
	moves atomic.Uint64 // entries that changed their bucket; stored under the lock, read by readers that found nothing
}

// newTable makes a table of so many buckets, rounded up to a multiple of four, as tags need it; or of one.
func newTable[K comparable, V any](buckets int) *table[K, V] {
	if buckets > 1 {
		buckets = (buckets + maxAway) &^ maxAway
	}
	return &table[K, V]{
		buckets: make([]bucket[K, V], buckets),
		limit:   buckets * (bucketSlots - 1),
	}
}

// home is the bucket in which the search for a hash begins: the high half of the hash, as a fraction, times the number
// of buckets. The table looks at nothing but this half, which is what the queues keep.
func (t *table[K, V]) home(h uint64) int {
	return int(h >> 32 * uint64(len(t.buckets)) >> 32)
}

// tagOf takes six bits that neither the shard nor, for tables below 2^26 buckets, the bucket is made of, and the lowest
// two of the number of the home bucket: so a tag tells by itself how far its entry is from home, up to maxAway buckets.
// It is never zero.
func tagOf(h uint64, home int) uint64 {
	tag := h>>30&0xfc | uint64(home&maxAway)
	if tag == 0 {
		return 4
	}
	return tag
}

// matches returns a bit per slot whose tag may be tag. False positives are possible above the lowest bit, false
// negatives are not.
func matches(ctrl, tag uint64) uint64 {
	x := ctrl ^ tag*lowBits
	return (x - lowBits) & ^x & highBits
}

// next is the bucket after i.
func (t *table[K, V]) next(i int) int {
	if i++; i == len(t.buckets) {
		return 0
	}
	return i
}

// find returns the entry of a key, nil if there is none.
func (t *table[K, V]) find(h uint64, key K) *entry[K, V] {
	i := t.home(h)
	b, tag := &t.buckets[i], tagOf(h, i)
	ctrl := b.ctrl.Load()
	m := matches(ctrl, tag)
	if m == 0 && ctrl < overflowUnit {
		return nil
	}
	for ; m != 0; m &= m - 1 {
		if e := b.slots[bits.TrailingZeros64(m)>>3].Load(); e != nil && e.key == key {
			return e
		}
	}
	return t.findFar(h, key)
}

// findFar is find where one look at the home bucket does not tell that the key is absent. A reader could miss an entry
// that comes closer, from a bucket that it has yet to see into one that it has seen, or one that goes farther after its tag
// was read and before its slot: then it looks again.
func (t *table[K, V]) findFar(h uint64, key K) *entry[K, V] {
	for {
		moves := t.moves.Load()
		i := t.home(h)
		tag := tagOf(h, i)
		for range t.buckets {
			b := &t.buckets[i]
			ctrl := b.ctrl.Load()
			for m := matches(ctrl, tag); m != 0; m &= m - 1 {
				if e := b.slots[bits.TrailingZeros64(m)>>3].Load(); e != nil && e.key == key {
					return e
				}
			}
			if ctrl < overflowUnit {
				break
			}
			i = t.next(i)
		}
		if t.moves.Load() == moves {
			return nil
		}
	}
}

// peek reads a word of the bucket of a hash; see adaptive.fetch.
func (t *table[K, V]) peek(h uint64) uint64 { return t.buckets[t.home(h)].ctrl.Load() }

// insert adds an entry whose key is absent. The caller has made sure that count < limit. It goes to its home bucket or
// one of the maxAway behind it; if need be, others make room there by going farther from theirs. Where even that is not
// enough it stands farther away, and tags no longer tell how far: nothing depends on that but how soon it comes closer.
// It reports false if a bucket has been passed so often that it cannot count once more.
func (t *table[K, V]) insert(h uint64, e *entry[K, V]) bool {
	home := t.home(h)
	at := home
	ctrl := t.buckets[at].ctrl.Load()
	for matches(ctrl, 0) == 0 {
		if ctrl>>56 == overflowMax {
			return false
		}
		at = t.next(at)
		ctrl = t.buckets[at].ctrl.Load()
	}
	j := bits.TrailingZeros64(matches(ctrl, 0)) >> 3
	for t.distance(home, at) > maxAway {
		from, k := t.follower(at)
		if k < 0 {
			break
		}
		t.retreat(from, k, at, j)
		at, j = from, k
	}
	b := &t.buckets[at]
	b.slots[j].Store(e)
	b.ctrl.Store(b.ctrl.Load() | tagOf(h, home)<<(8*j))
	t.pass(home, at, 1)
	t.count++
	return true
}

// pass counts n entries more that have passed the buckets from one to the one before another.
func (t *table[K, V]) pass(from, to, n int) {
	for i := from; i != to; i = t.next(i) {
		t.buckets[i].ctrl.Add(uint64(n) << 56)
	}
}

// distance is how many buckets to is behind from.
func (t *table[K, V]) distance(from, to int) int {
	if to < from {
		to += len(t.buckets)
	}
	return to - from
}

// follower finds an entry before bucket i that may move there, at most maxAway from its home.
func (t *table[K, V]) follower(i int) (from, k int) {
	for gap := maxAway; gap > 0; gap-- {
		if from = i - gap; from < 0 {
			from += len(t.buckets)
		}
		ctrl := t.buckets[from].ctrl.Load()
		for k := range bucketSlots {
			if tag := int(ctrl >> (8 * k) & 0xff); tag != 0 && (from-tag)&maxAway+gap <= maxAway {
				return from, k
			}
		}
	}
	return 0, -1
}

// replace puts e in the slot of old.
func (t *table[K, V]) replace(h uint64, old, e *entry[K, V]) {
	if i, j := t.locate(h, old); i >= 0 {
		t.buckets[i].slots[j].Store(e)
	}
}

// locate returns bucket and slot of an entry, -1 if it is not there.
func (t *table[K, V]) locate(h uint64, e *entry[K, V]) (i, j int) {
	i = t.home(h)
	tag := tagOf(h, i)
	for range t.buckets {
		b := &t.buckets[i]
		ctrl := b.ctrl.Load()
		for m := matches(ctrl, tag); m != 0; m &= m - 1 {
			if j := bits.TrailingZeros64(m) >> 3; b.slots[j].Load() == e {
				return i, j
			}
		}
		if ctrl < overflowUnit {
			break
		}
		i = t.next(i)
	}
	return -1, 0
}

// remove takes e out and fills the slot from the buckets behind it.
func (t *table[K, V]) remove(h uint64, e *entry[K, V]) {
	at, j := t.locate(h, e)
	if at < 0 {
		return
	}
	t.count--
	t.pass(t.home(h), at, -1)
	for {
		from, k := t.passer(at)
		if k < 0 {
			break
		}
		t.advance(from, k, at, j)
		at, j = from, k
	}
	b := &t.buckets[at]
	b.ctrl.Store(b.ctrl.Load() &^ (0xff << (8 * j)))
	b.slots[j].Store(nil)
}

// passer finds an entry that has passed bucket i, as its tag says.
func (t *table[K, V]) passer(i int) (from, k int) {
	if t.buckets[i].ctrl.Load() < overflowUnit {
		return 0, -1
	}
	from = i
	for away := 1; away <= maxAway; away++ {
		from = t.next(from)
		ctrl := t.buckets[from].ctrl.Load()
		for k := range bucketSlots {
			if tag := int(ctrl >> (8 * k) & 0xff); tag != 0 && (from-tag)&maxAway >= away {
				return from, k
			}
		}
	}
	return 0, -1
}

// copyTo puts the entry of a slot into another one as well, whose old entry, if any, has left. The move counts before the
// entry vanishes from where it was.
func (t *table[K, V]) copyTo(from, k, to, j int) {
	old, b := &t.buckets[from], &t.buckets[to]
	tag := old.ctrl.Load() >> (8 * k) & 0xff
	b.slots[j].Store(old.slots[k].Load())
	b.ctrl.Store(b.ctrl.Load()&^(0xff<<(8*j)) | tag<<(8*j))
	t.moves.Add(1)
}

// advance brings an entry nearer to its home, into a slot whose old entry has left. The caller clears or fills the
// slot that it leaves.
func (t *table[K, V]) advance(from, k, to, j int) {
	t.copyTo(from, k, to, j)
	t.pass(to, from, -1)
}

// retreat brings an entry farther from its home, into a free slot, and takes it out where it was. A reader that comes
// too late for the one place sees the mark that sends it on to the other, or looks again.
func (t *table[K, V]) retreat(from, k, to, j int) {
	t.copyTo(from, k, to, j)
	t.pass(from, to, 1)
	old := &t.buckets[from]
	old.ctrl.Store(old.ctrl.Load() &^ (0xff << (8 * k)))
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
	for {
		next, ok := newTable[K, V](n), true
		t.each(0, len(t.buckets), func(e *entry[K, V]) { ok = ok && next.insert(hash(e), e) })
		if ok {
			return next
		}
		n += n/8 + 1
	}
}
