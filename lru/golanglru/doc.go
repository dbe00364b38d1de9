// Package golanglru has the names and the behaviour of github.com/hashicorp/golang-lru/v2 over a faster and smaller
// core: a program changes one import line.
//
//	import lru "github.com/sysblocks/sysblocks/lru/golanglru"
//
//	cache, err := lru.New[string, int](128)
//	if err != nil {
//		return err
//	}
//	cache.Add("a", 1)
//
// It is for programs that exist. New ones are better off with the parent package, whose cache loads, expires, weighs,
// and keeps more hits in the same memory.
//
// # How it works
//
// Entries lie in one slice and know each other by index, in two rings: by use, and, where entries expire, by age. All
// entries of a cache live equally long, so the ring by age is also the order of expiry, and its front tells when the
// next one is due.
//
//	index ──► key ► 3        ┌──── by use: oldest … newest ────┐
//	entries  [ 0 │ 1 │ 2 │ 3 │ 4 ]                              │
//	                   └──── by age: next to expire … last ─────┘
//
// # Choosing
//
// New and NewWithEvict make a Cache, an exact LRU; NewExpirable makes an Expirable, which stands for
// expirable.NewLRU. TwoQueueCache, arc and simplelru have no counterpart here: the Adaptive policy of the parent
// package has the hit ratio for which one would have chosen them. On a loop of 1.1 times the
// capacity an LRU never hits and Adaptive nearly nine times in ten (loop-1.1x in the table of lru/README.md).
//
// # Guarantees
//
//  1. For the same calls in the same order the results and the callbacks are those of the original, with the exceptions
//     under Limits.
//  2. Every method is one atomic step, ContainsOrAdd, PeekOrAdd and RemoveOldest included.
//  3. The callback runs after the step and outside the lock; it may call the cache.
//  4. An Expirable holds nothing after its deadline: every method, Contains and Len too, treats an expired entry as
//     absent. No goroutine runs; a timer is armed while there are entries, and an unused cache is collected.
//
// # Costs
//
// Every method is O(1), apart from Keys, Values, Purge and Resize. An entry takes its key and value, 8 bytes (16 where
// it expires, and the deadline) and its share of a Go map. Adding allocates nothing once the cache has been full.
//
// # Limits
//
// One mutex serves all goroutines, as in the original. Where the original leaves an expired entry visible until its
// sweep comes (Contains, GetOldest, Len, up to 1/100 of the lifetime), it is absent here, and its callback comes at the
// first call after the deadline, or from the timer within 1/100 of the lifetime. Purge calls back oldest first, where
// the original follows the order of a map. Resize with a negative size means 0.
//
// # References
//
//   - HashiCorp: golang-lru v2.0.7, https://pkg.go.dev/github.com/hashicorp/golang-lru/v2, whose own tests run against
//     this package in internal/integration/lru.
package golanglru
