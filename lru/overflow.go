package lru

import (
	"context"
	"sync/atomic"
	"time"
)

// overflow is the tier of a cache and whether it still works.
type overflow[K comparable, V any] struct {
	tier Tier[K, V]  // nil: none
	down atomic.Bool // stored by whoever got an error, read by everybody
}

func (o *overflow[K, V]) on() bool { return o.tier != nil && !o.down.Load() }

// check gives the tier up after an error.
func (o *overflow[K, V]) check(err error) {
	if err != nil {
		o.down.Store(true)
	}
}

// spill is what the tier has yet to do for a key: to put an evicted entry, or to forget what it has.
//
// The lock of the shard decides the order of a key's spills, and shard.pending knows the last one. The work is done
// after that lock was given back, under shard.tiering, and only if the spill is still the last one: a later one makes
// it void. Who asks the tier holds tiering too, and looks at pending first.
type spill[K comparable, V any] struct {
	entry  Entry[K, V]
	source *entry[K, V] // of entry; nil: forget
}

// later notes a spill under the lock of the shard.
func (s *shard[K, V]) later(key K, sp *spill[K, V]) {
	if key != key { //nolint:gocritic // NaN could never be found again
		return
	}
	if s.pending == nil {
		s.pending = map[K]*spill[K, V]{}
	}
	sp.entry.Key = key
	s.pending[key] = sp
	s.spills = append(s.spills, sp)
}

// takeSpills hands the spills of the present operation to its goroutine, under the lock of the shard.
func (s *shard[K, V]) takeSpills() []*spill[K, V] {
	spills := s.spills
	s.spills = nil
	return spills
}

// pour does what the spills say, outside the lock of the shard.
func (s *shard[K, V]) pour(spills []*spill[K, V]) {
	for _, sp := range spills {
		s.pourOne(sp)
	}
}

func (s *shard[K, V]) pourOne(sp *spill[K, V]) {
	s.tiering.Lock()
	defer s.tiering.Unlock()
	c := s.cache
	s.mu.Lock()
	last := s.pending[sp.entry.Key] == sp
	dead := last && sp.source != nil && c.dead(sp.source, c.now()) != 0
	s.mu.Unlock()
	if !last {
		return
	}
	defer func() { // also when the tier panicked
		s.mu.Lock()
		if s.pending[sp.entry.Key] == sp {
			delete(s.pending, sp.entry.Key)
		}
		s.mu.Unlock()
	}()
	switch {
	case !c.overflow.on():
	case sp.source == nil || dead: // also then: an older spill that this one made void may have had to forget something
		c.overflow.check(c.overflow.tier.Remove(sp.entry.Key))
	default:
		c.overflow.check(c.overflow.tier.Put(sp.entry))
	}
}

// recall takes an entry back from the tier, or from those on their way there.
func (c *Cache[K, V]) recall(ctx context.Context, h uint64, key K) (e Entry[K, V], ok bool) {
	s := c.shard(h)
	s.tiering.Lock()
	defer s.tiering.Unlock()
	s.mu.Lock()
	sp := s.pending[key]
	if sp != nil {
		ok = sp.source != nil && c.dead(sp.source, c.now()) == 0
		if sp.source != nil {
			delete(s.pending, key)
		}
	}
	s.mu.Unlock()
	if sp != nil {
		if sp.source != nil { // what it would have replaced, or what a spill that it made void had to forget, may be there
			c.overflow.check(c.overflow.tier.Remove(key))
		}
		return sp.entry, ok
	}
	e, ok, err := c.overflow.tier.Take(ctx, key)
	c.overflow.check(err)
	return e, ok && err == nil && (e.Expires.IsZero() || e.Expires.After(time.Now()))
}

// promote answers the calls whose entries are in the tier and returns the others.
func (c *Cache[K, V]) promote(j *job, calls []*call[K, V]) (rest []*call[K, V], found []result[K, V]) {
	if !c.overflow.on() {
		return calls, nil
	}
	for _, cl := range calls {
		if cl.force {
			rest = append(rest, cl)
			continue
		}
		e, ok := c.recall(j.ctx, cl.hash, cl.key)
		if !ok {
			rest = append(rest, cl)
			continue
		}
		d := c.draftUntil(cl.key, e.Value, e.Expires, j.birth)
		found = append(found, result[K, V]{call: cl, value: e.Value, draft: &d, found: true})
	}
	return rest, found
}

// draftUntil is draft for a value whose deadline was decided before; zero: none.
func (c *Cache[K, V]) draftUntil(key K, value V, expires time.Time, birth uint64) draft[K, V] {
	ttl := time.Duration(never)
	if !expires.IsZero() {
		ttl = max(time.Until(expires), optionsTTL+1)
	}
	d := c.draft(key, value, ttl, birth)
	if ttl != never { // without jitter
		d.hard = after(d.now, int64(ttl))
	}
	return d
}

// settled returns when whoever is at the tier has left it.
func (s *shard[K, V]) settled() {
	s.tiering.Lock()
	defer s.tiering.Unlock()
}

// clearTier forgets everything in the tier. What is being put there at the moment is waited for.
func (c *Cache[K, V]) clearTier() {
	if !c.overflow.on() {
		return
	}
	for i := range c.shards {
		c.shards[i].settled()
	}
	c.overflow.check(c.overflow.tier.Clear())
}
