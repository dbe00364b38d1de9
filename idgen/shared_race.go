//go:build race

package idgen

import (
	"sync"
	"sync/atomic"
)

// beforeAccess is nil except while the explorer runs. Its argument is nil, or a lock that is held by another.
var beforeAccess atomic.Pointer[func(held *sharedMutex)]

func stop() {
	if f := beforeAccess.Load(); f != nil {
		(*f)(nil)
	}
}

// sharedMutex tells the explorer for which lock a goroutine waits.
type sharedMutex struct{ sync.Mutex }

func (m *sharedMutex) Lock() {
	if f := beforeAccess.Load(); f != nil {
		for !m.TryLock() {
			(*f)(m)
		}
		return
	}
	m.Mutex.Lock()
}

type sharedUint64 struct{ v atomic.Uint64 }

func (s *sharedUint64) Load() uint64                    { stop(); return s.v.Load() }
func (s *sharedUint64) Store(v uint64)                  { stop(); s.v.Store(v) }
func (s *sharedUint64) Add(delta uint64) uint64         { stop(); return s.v.Add(delta) }
func (s *sharedUint64) CompareAndSwap(a, b uint64) bool { stop(); return s.v.CompareAndSwap(a, b) }

type sharedInt64 struct{ v atomic.Int64 }

func (s *sharedInt64) Load() int64   { stop(); return s.v.Load() }
func (s *sharedInt64) Store(v int64) { stop(); s.v.Store(v) }
