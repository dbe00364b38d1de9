package lru

import (
	"context"
	"iter"
	"math/bits"
	"time"
)

// Warm stores entries where there is room and their keys are absent: it replaces nothing, evicts nothing, and stores no
// key that was written, removed or invalidated since it began. Entries are taken to come hottest first; they stand
// behind everything that is in the cache already, in their order. It ends early when the cache is full, which is no
// error, or with the first error of the sequence or the cause of ctx. n counts the stored entries.
//
// Entry.Expires is kept; where it is zero the lifetime is that of the options. Warm blocks: run it on a goroutine of its
// own while the cache already serves. Stats().Len, or a counter in the sequence, shows the progress.
func (c *Cache[K, V]) Warm(ctx context.Context, entries iter.Seq2[Entry[K, V], error]) (n int, err error) {
	w := c.startWarming()
	defer c.endWarming()
	for e, err := range entries {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return n, err
		}
		stored, full := c.warm(w, e, 1)
		if stored {
			n++
		}
		if full {
			break
		}
	}
	return n, nil
}

// warming is what Warm has to know of the writes beside it: a bit per hash. Two hashes may share a bit, which costs an
// entry that would have been welcome, never one that is not.
type warming struct {
	marks []uint64
	all   bool // everything was removed
	runs  int  // of Warm at present; the second one inherits the marks of the first
}

func (w *warming) bit(h uint64) (word *uint64, mask uint64) {
	hi, lo := bits.Mul64(h*0x9e3779b97f4a7c15, uint64(len(w.marks)))
	return &w.marks[hi], 1 << (lo >> 58)
}

func (w *warming) mark(h uint64) {
	word, mask := w.bit(h)
	*word |= mask
}

func (w *warming) marked(h uint64) bool {
	word, mask := w.bit(h)
	return w.all || *word&mask != 0
}

const (
	// markWords is how many words of marks a shard gets at least, and maxMarkWords at most: 64 marks a word.
	markWords    = 16
	maxMarkWords = 1 << 17
	// misfits in a row end the warming of a cache with weights.
	misfits = 64
)

// warmRun is one call of Warm or Restore.
type warmRun struct {
	birth   uint64 // tag clock
	misfits int    // in a row
}

// startWarming makes the shards note what is written from now on: 16 bits per entry of a full cache.
func (c *Cache[K, V]) startWarming() *warmRun {
	words := int(min(c.capacity.Load()/int64(4*len(c.shards))+markWords, maxMarkWords))
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if s.warming == nil {
			s.warming = &warming{marks: make([]uint64, words)}
		}
		s.warming.runs++
		s.mu.Unlock()
	}
	return &warmRun{birth: c.birth()}
}

func (c *Cache[K, V]) endWarming() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if s.warming.runs--; s.warming.runs == 0 {
			s.warming = nil
		}
		s.mu.Unlock()
	}
}

// warm stores one entry, or reports that there is no room for any more.
func (c *Cache[K, V]) warm(w *warmRun, e Entry[K, V], warmth uint64) (stored, full bool) {
	if !e.Expires.IsZero() && !e.Expires.After(time.Now()) {
		return false, false
	}
	var d draft[K, V]
	if e.Expires.IsZero() {
		d = c.draft(e.Key, e.Value, optionsTTL, w.birth)
	} else {
		d = c.draftUntil(e.Key, e.Value, e.Expires, w.birth)
	}
	s := c.shard(d.hash)
	s.mu.Lock()
	defer s.unlock()
	switch {
	case s.closed:
		c.discard(&d)
		return false, true
	case d.refused || d.lapsed || s.warming.marked(d.hash) ||
		s.table.Load().find(d.hash, d.key) != nil || c.tags != nil && c.tags.voids(d.tags, d.birth):
		c.discard(&d)
		return false, false
	case !c.reserve(d.weight):
		c.discard(&d)
		w.misfits++
		return false, c.opts.Weight == nil || w.misfits >= misfits
	}
	w.misfits = 0
	entry := c.newEntry(&d)
	s.addCold(d.hash, entry, d.now, warmth)
	return true, false
}

// reserve takes w from the budget if nothing has to leave for it.
func (c *Cache[K, V]) reserve(w int) bool {
	for {
		used := c.used.Load()
		if capacity := c.capacity.Load(); capacity != Unbounded && used+int64(w) > capacity {
			return false
		}
		if c.used.CompareAndSwap(used, used+int64(w)) {
			return true
		}
	}
}

// addCold is add for an entry that stands behind all others of its warmth.
func (s *shard[K, V]) addCold(h uint64, e *entry[K, V], now int64, warmth uint64) {
	if s.cache.weightOf(e) == 0 {
		s.add(h, e, now)
		return
	}
	h = s.cache.keyed(h, e)
	s.insert(h, e, now, func() { s.policy.insertCold(e, h, warmth) })
}

// pushFront makes node i the coldest of a list.
func (s *slab[K, V]) pushFront(l *list, i uint32) {
	n := &s.nodes[i]
	n.prev, n.next = 0, l.front
	if l.front != 0 {
		s.nodes[l.front].prev = i
	} else {
		l.back = i
	}
	l.front = i
	l.n++
}

func (p *recency[K, V]) insertCold(e *entry[K, V], _, warmth uint64) {
	p.pushFront(&p.list, p.alloc(e))
	if p.policy == SIEVE && warmth > 1 {
		e.setBits(refCounter, 1)
	}
}

func (p *recency[K, V]) warmth(e *entry[K, V]) uint64 { return uint64(1 + e.ref.Load()&refCounter) }

// mostWarmth bounds what a snapshot, which may be hostile, can make an LFU search through: groups of so many counts.
const mostWarmth = 255

// insertCold gives e a count of uses, and the oldest use of those with this count.
func (p *frequency[K, V]) insertCold(e *entry[K, V], _, warmth uint64) {
	i := p.alloc(e)
	for len(p.meta) < cap(p.nodes) {
		p.meta = append(p.meta, use{})
	}
	g := p.groupAfter(0, min(max(warmth, 1), mostWarmth))
	p.meta[i] = use{group: g}
	p.pushFront(&p.groups[g].list, i)
}

func (p *frequency[K, V]) warmth(e *entry[K, V]) uint64 { return p.groups[p.meta[e.pos].group].count }

// insertCold puts e on probation; what was hot in the cache that it comes from has the counts to stay.
func (p *adaptive[K, V]) insertCold(e *entry[K, V], h, warmth uint64) {
	e.setBits(refMain|refMark, refMain)
	if p.cache.bounded {
		if n := p.window.n + p.main.n + p.safe.n; n >= p.sketch.room {
			p.sketch.resize(max(2*n, 64), p.expect)
			p.tuner.fit(max(n, min(2*n, p.expect), 32))
		}
		p.sketch.add(h>>32, uint32(min(warmth, sketchMax)))
	}
	p.pushFront(&p.main, p.take(e, uint32(h>>32), &p.window, &p.main, &p.safe))
	p.main.weight += p.cache.weightOf(e)
}

func (p *adaptive[K, V]) warmth(e *entry[K, V]) uint64 {
	if len(p.sketch.words) == 0 {
		return 1
	}
	return uint64(max(p.sketch.estimate(p.hash(e)), 1))
}
