package lru

import (
	"iter"
	"slices"
)

// All returns the live entries in no particular order. Iteration takes no lock while the body runs; each shard is
// seen as it was when the iteration came to it, without what has died or left since. No key comes twice. The body
// may call the cache.
func (c *Cache[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for i := range c.shards {
			for _, e := range c.shards[i].entries() {
				if ent, ok := c.current(e); ok && !yield(ent.Key, ent.Value) {
					return
				}
			}
		}
	}
}

// current returns what the key of e holds now: an entry that was replaced stands for its successor.
func (c *Cache[K, V]) current(e *entry[K, V]) (Entry[K, V], bool) {
	if e.ref.Load()&refGone != 0 {
		return c.Entry(e.key)
	}
	now := c.now()
	v := e.load(c.kind)
	if c.dead(e, now) != 0 {
		return Entry[K, V]{}, false
	}
	if c.opts.Weight != nil { // the weight of an entry belongs to the lock
		return c.Entry(e.key)
	}
	out := c.copyOf(e)
	out.Value = v
	return out, true
}

// Coldest returns the live entries, next victims first, as of the beginning of the iteration. The order is exact for
// LRU, LFU, FIFO and SIEVE while nobody writes and an estimate for Adaptive. Entries of weight 0 come last.
func (c *Cache[K, V]) Coldest() iter.Seq[Entry[K, V]] {
	return func(yield func(Entry[K, V]) bool) { c.yield(c.ranked(), yield) }
}

// Hottest is Coldest backwards.
func (c *Cache[K, V]) Hottest() iter.Seq[Entry[K, V]] {
	return func(yield func(Entry[K, V]) bool) {
		all := c.ranked()
		slices.Reverse(all)
		c.yield(all, yield)
	}
}

func (c *Cache[K, V]) yield(all []*entry[K, V], yield func(Entry[K, V]) bool) {
	for _, e := range all {
		if ent, ok := c.current(e); ok && !yield(ent) {
			return
		}
	}
}

// ranked takes the entries of all shards in turn: the hands move at about the same pace.
func (c *Cache[K, V]) ranked() []*entry[K, V] {
	if len(c.shards) == 1 {
		return c.shards[0].entries()
	}
	parts := make([][]*entry[K, V], len(c.shards))
	n := 0
	for i := range c.shards {
		parts[i] = c.shards[i].entries()
		n += len(parts[i])
	}
	out := make([]*entry[K, V], 0, n)
	for k := 0; len(out) < n; k++ {
		for _, p := range parts {
			if k < len(p) {
				out = append(out, p[k])
			}
		}
	}
	return out
}
