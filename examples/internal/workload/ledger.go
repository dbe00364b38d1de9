package workload

import (
	"iter"
	"maps"
	"sync"
)

// Ledger remembers what a system has promised: for each key the highest version whose write was acknowledged. It lives outside
// the system under test, so that a kill cannot touch it. The zero Ledger is empty; it is safe for concurrent use.
type Ledger struct {
	mu    sync.Mutex
	acked map[string]uint64
}

// Acked notes an acknowledged write.
func (l *Ledger) Acked(key string, version uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acked == nil {
		l.acked = make(map[string]uint64)
	}
	l.acked[key] = max(l.acked[key], version)
}

// Owes reports whether a reader who was given this version of the key was given less than the system has promised. A newer
// version than the acknowledged one is no loss: its write was in flight.
func (l *Ledger) Owes(key string, version uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return version < l.acked[key]
}

// Len is the number of keys.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// All yields the keys with their acknowledged versions as they were at the call.
func (l *Ledger) All() iter.Seq2[string, uint64] {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.All(maps.Clone(l.acked))
}
