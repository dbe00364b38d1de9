package hashring

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// RangeMap assigns ranges of ordered keys to owners: range partitioning. A range begins at its lower bound and
// ends before the next one; the last has no end. Keys compare by cmp.Compare, so NaN is lowest.
// The zero RangeMap is empty. It is safe for concurrent use: reads take no lock, a change copies the bounds.
// Do not copy it after first use.
type RangeMap[K cmp.Ordered, T any] struct {
	// bounds is published by writers, which hold mu; a read loads it once. nil is empty.
	bounds atomic.Pointer[bounds[K, T]]
	mu     sync.Mutex // serialises writers
}

// bounds is one immutable version: owners[i] has the keys from lower[i] to before lower[i+1].
type bounds[K cmp.Ordered, T any] struct {
	lower  []K
	owners []T
}

// Get returns the owner of a key; false below the lowest bound.
func (m *RangeMap[K, T]) Get(key K) (T, bool) {
	b := m.load()
	i, found := slices.BinarySearch(b.lower, key)
	if !found {
		i--
	}
	if i < 0 {
		var none T
		return none, false
	}
	return b.owners[i], true
}

// Set splits the range in which from lies, so that owner has its upper part; or changes the owner of the range
// that begins at from.
func (m *RangeMap[K, T]) Set(from K, owner T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.load()
	i, found := slices.BinarySearch(b.lower, from)
	next := bounds[K, T]{lower: b.lower, owners: slices.Clone(b.owners)}
	if found {
		next.owners[i] = owner
	} else {
		next.lower = slices.Insert(slices.Clone(b.lower), i, from)
		next.owners = slices.Insert(next.owners, i, owner)
	}
	m.bounds.Store(&next)
}

// Remove merges the range that begins at from into the one on its left; false when none begins there. Removal
// of the lowest bound leaves its keys without an owner.
func (m *RangeMap[K, T]) Remove(from K) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.load()
	i, found := slices.BinarySearch(b.lower, from)
	if found {
		m.bounds.Store(&bounds[K, T]{
			lower:  slices.Delete(slices.Clone(b.lower), i, i+1),
			owners: slices.Delete(slices.Clone(b.owners), i, i+1),
		})
	}
	return found
}

// All yields the lower bounds and their owners, ascending, of the version at the time of the call.
func (m *RangeMap[K, T]) All() iter.Seq2[K, T] {
	b := m.load()
	return func(yield func(K, T) bool) {
		for i, from := range b.lower {
			if !yield(from, b.owners[i]) {
				return
			}
		}
	}
}

// Len returns the number of ranges.
func (m *RangeMap[K, T]) Len() int { return len(m.load().lower) }

func (m *RangeMap[K, T]) load() *bounds[K, T] {
	if b := m.bounds.Load(); b != nil {
		return b
	}
	return &bounds[K, T]{}
}
