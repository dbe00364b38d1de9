package ratelimit

import (
	"fmt"
	"hash/maphash"
)

const (
	defaultCapacity = 1 << 16
	maxCapacity     = 1 << 28
)

// Keyed is a table of buckets of one shape, one per key, in memory that NewKeyed fixes. It has no goroutine and needs no
// Close. It is safe for concurrent use.
type Keyed[K comparable] struct {
	q    *pool
	seed maphash.Seed
}

// Options of NewKeyed. The zero value is right for a service with up to 65,536 keys in use.
type Options struct {
	// Capacity is the number of keys that are in use, that is, whose bucket is not full, at the same time. 0: 65536;
	// 1 to 1<<28. A place costs 8 bytes and 8 more per limit, and there are 1/0.7 places per key.
	Capacity int
	// DenyNew decides about a new key that finds every place in use: false, the least used bucket among them is
	// forgotten; true, the new key is denied.
	DenyNew bool
}

// Stats is a snapshot of a table.
type Stats struct {
	Slots   int    // places in the table
	Bytes   int64  // memory of the table
	Inserts uint64 // keys that were given a place
	Evicted uint64 // buckets forgotten while not full: the only lossy event
	Refused uint64 // new keys denied because of DenyNew
}

// NewKeyed returns a table of buckets that are all full, each under 1 to 8 limits. The error is an ErrInvalid that names
// the field.
func NewKeyed[K comparable](limits []Limit, o Options) (*Keyed[K], error) {
	if err := checkLimits(limits); err != nil {
		return nil, err
	}
	if o.Capacity == 0 {
		o.Capacity = defaultCapacity
	}
	if o.Capacity < 0 || o.Capacity > maxCapacity {
		return nil, fmt.Errorf("%w: Options.Capacity %d, must be 1 to 1<<28", ErrInvalid, o.Capacity)
	}
	q := newPool(limits)
	q.table, q.words = newTable(o.Capacity, len(limits), o.DenyNew)
	return &Keyed[K]{q: q, seed: maphash.MakeSeed()}, nil
}

// Key returns the handle on the bucket of key, with everything else that a bucket can do. It allocates nothing, and a
// key takes a place only when it is charged. A key whose interface value is not comparable panics as in a map.
func (k *Keyed[K]) Key(key K) Limiter { return Limiter{q: k.q, h: k.hash(key)} }

// hash stands for the key in the table. 0 marks an empty place. Strings, the usual keys, have a shorter way to the same
// hash function; which way a key takes depends on the key alone.
func (k *Keyed[K]) hash(key K) uint64 {
	if text, ok := any(key).(string); ok {
		return max(1, maphash.String(k.seed, text))
	}
	return max(1, maphash.Comparable(k.seed, key))
}

// Allow is Key(key).Allow().
func (k *Keyed[K]) Allow(key K) bool { return k.Key(key).AllowN(1) }

// Take is Key(key).Take(n).
func (k *Keyed[K]) Take(key K, n int) Decision { return k.Key(key).Take(n) }

// Limits returns the limits in force.
func (k *Keyed[K]) Limits() []Limit { return k.q.limits() }

// SetLimits replaces the limits of all keys at one instant by as many others, in constant time. What a key used stays
// used, at most the new burst.
func (k *Keyed[K]) SetLimits(limits ...Limit) error { return k.q.setLimits(limits) }

// Override gives key limits of its own, as many as the table's; none: back to the table's. Used tokens stay used, at most
// the new burst, and SetLimits passes the key over from then on. It is meant for some thousand keys: each costs about
// 500 bytes with one limit and 220 more for each further one. A call under way at that instant can be charged to the bucket it found.
func (k *Keyed[K]) Override(key K, limits ...Limit) error { return k.q.override(k.hash(key), limits) }

// Remove makes the bucket of key full again.
func (k *Keyed[K]) Remove(key K) { k.Key(key).Clear() }

// Clear makes all buckets full again, in constant time but for overridden keys.
func (k *Keyed[K]) Clear() {
	k.q.clearAll()
	k.q.eachPin(func(own *pool) { own.clear(0) })
}

// Len returns the number of buckets that are not full. It walks the table.
func (k *Keyed[K]) Len() int {
	e := k.q.elapsed()
	n := k.q.occupied(e)
	k.q.eachPin(func(own *pool) {
		var r reading
		if own.read(0, e, &r); r.used != [maxLimits]uint64{} {
			n++
		}
	})
	return n
}

// Stats returns the size of the table and what happened to it.
func (k *Keyed[K]) Stats() Stats {
	t := k.q.table
	return Stats{
		Slots: int(t.groups) * ways, Bytes: int64(len(k.q.words)) * 8,
		Inserts: t.inserts.Load(), Evicted: t.evicted.Load(), Refused: t.refused.Load(),
	}
}
