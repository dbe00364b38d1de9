package lru

import "context"

// A Tier keeps entries that memory has no room for. An entry is in memory or in the tier, never in both. Its methods
// may be called by any number of goroutines. An error says that the tier can no longer be relied upon: the cache stops
// using it.
type Tier[K comparable, V any] interface {
	// Put stores an entry that was evicted from memory. It must be quick: a write of the cache waits for it.
	Put(entry Entry[K, V]) error
	// Take hands back an entry and forgets it; ok is false where the tier has none. An error is a miss.
	Take(ctx context.Context, key K) (entry Entry[K, V], ok bool, err error)
	// Remove forgets a key. When it has returned, the tier must never hand back what it held before.
	Remove(key K) error
	// Clear forgets everything, as Remove does.
	Clear() error
}
