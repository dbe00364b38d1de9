package lrurows

import (
	"time"

	"github.com/puzpuzpuz/xsync/v4"
)

type xsyncStore struct{ m *xsync.Map[uint64, uint64] }

func (x xsyncStore) Get(k uint64) bool { _, ok := x.m.Load(k); return ok }
func (x xsyncStore) Set(k, v uint64)   { x.m.Store(k, v) }
func (x xsyncStore) Close()            {}

func newXsync() maker[uint64] {
	return maker[uint64]{"xsync", func(int, time.Duration) (store[uint64], error) {
		return xsyncStore{xsync.NewMap[uint64, uint64]()}, nil
	}}
}
