package lrurows

import (
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

type ristrettoStore[K ristretto.Key] struct{ c *ristretto.Cache[K, uint64] }

func (r ristrettoStore[K]) Get(k K) bool      { _, ok := r.c.Get(k); return ok }
func (r ristrettoStore[K]) Set(k K, v uint64) { r.c.Set(k, v, 1) }
func (r ristrettoStore[K]) Close()            { r.c.Close() }

func newRistretto[K interface {
	ristretto.Key
	comparable
}]() maker[K] {
	return maker[K]{"ristretto", func(capacity int, _ time.Duration) (store[K], error) {
		c, err := ristretto.NewCache(&ristretto.Config[K, uint64]{
			NumCounters: int64(10 * capacity), MaxCost: int64(capacity), BufferItems: 64, IgnoreInternalCost: true,
		})
		return ristrettoStore[K]{c}, err
	}}
}
