//go:build !race

package idgen

import (
	"sync"
	"sync/atomic"
)

// These are the words whose order of access decides whether IDs are unique, and the lock of those who change windows.
// Under the race detector they stop before each access where a test wants it, so that the explorer of explorer_test.go can
// run this very code in every order.
type (
	sharedUint64 = atomic.Uint64
	sharedInt64  = atomic.Int64
	sharedMutex  = sync.Mutex
)
