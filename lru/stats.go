package lru

import (
	"math"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of the counters since New.
type Stats struct {
	Hits, Misses                                     uint64        // reads; Hits only with Options.CountHits
	Evicted, Expired, Removed, Replaced, Invalidated uint64        // departures by Cause
	Rejected                                         uint64        // refused: heavier than the whole cache
	Loads, LoadErrors                                uint64        // calls of a loader, and failed ones
	Shared                                           uint64        // callers that joined a load of somebody else
	Stale                                            uint64        // values served after their deadline
	Refreshes                                        uint64        // loads of a key whose old value stayed readable
	LoadTime                                         time.Duration // sum over all loads
	EvictionAge                                      time.Duration // moving mean age of entries evicted for size, sampled
	Len, Weight, Capacity                            int

	counted bool // Options.CountHits
}

// HitRatio is Hits / (Hits + Misses), NaN without Options.CountHits or before the first read.
func (s Stats) HitRatio() float64 {
	if !s.counted || s.Hits+s.Misses == 0 {
		return math.NaN()
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}

// Stats returns the counters. It takes the lock of one shard after the other; numbers of different shards may
// belong to different moments.
func (c *Cache[K, V]) Stats() Stats {
	var out Stats
	for i := range c.hits {
		out.Hits += c.hits[i].n.Load()
	}
	for i := range c.shards {
		s := &c.shards[i]
		out.Misses += s.misses.Load()
		s.mu.Lock()
		out.Evicted += s.left[Evicted]
		out.Expired += s.left[Expired]
		out.Removed += s.left[Removed]
		out.Replaced += s.left[Replaced]
		out.Invalidated += s.left[Invalidated]
		out.Rejected += s.rejected
		s.mu.Unlock()
	}
	out.counted = c.opts.CountHits
	l := &c.loading
	out.Loads, out.LoadErrors = l.loads.Load(), l.errors.Load()
	out.Shared, out.Stale, out.Refreshes = l.shared.Load(), l.stale.Load(), l.refreshes.Load()
	out.LoadTime = time.Duration(l.time.Load())
	out.EvictionAge = time.Duration(c.age.mean.Load())
	out.Len, out.Weight, out.Capacity = c.Len(), c.Weight(), int(c.capacity.Load())
	return out
}

// ageMeter is the moving mean of the ages of evicted entries. The clock is read for one entry in probeEvery only.
type ageMeter struct {
	mean atomic.Int64 // stored under the lock of some shard, read by Stats
}

// probe follows one entry from its insertion to its eviction.
type probe[K comparable, V any] struct {
	e    *entry[K, V]
	born int64
}

// probeEvery insertions a probe is set on a new entry. The oldest probe gives way, so that an entry that never
// leaves cannot hold one for ever.
const probeEvery = 16

func (s *shard[K, V]) probe(e *entry[K, V], now int64) {
	if s.inserted%probeEvery != 1 || !s.cache.bounded {
		return
	}
	if now == 0 {
		now = s.cache.now()
	}
	at := &s.probes[0]
	for i := range s.probes {
		p := &s.probes[i]
		if p.e == nil || p.e.ref.Load()&refGone != 0 {
			at = p
			break
		}
		if p.born < at.born {
			at = p
		}
	}
	if at.e != nil && at.e.ref.Load()&refGone == 0 && s.inserted%(64*probeEvery) != 1 {
		return // all in use: replace one now and then only, or long lives would never be seen
	}
	*at = probe[K, V]{e, now}
}

// aged looks whether the victim has a probe.
func (s *shard[K, V]) aged(e *entry[K, V]) {
	for i := range s.probes {
		if s.probes[i].e != e {
			continue
		}
		age := s.cache.now() - s.probes[i].born
		if mean := s.cache.age.mean.Load(); mean != 0 {
			age = mean + (age-mean)/8
		}
		s.cache.age.mean.Store(age)
		s.probes[i] = probe[K, V]{}
		return
	}
}
