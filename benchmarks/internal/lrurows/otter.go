package lrurows

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

type otterStore[K comparable] struct{ c *otter.Cache[K, uint64] }

func (o otterStore[K]) Get(k K) bool      { _, ok := o.c.GetIfPresent(k); return ok }
func (o otterStore[K]) Set(k K, v uint64) { o.c.Set(k, v) }
func (o otterStore[K]) Close()            { o.c.StopAllGoroutines() }

func newOtter[K comparable]() maker[K] {
	return maker[K]{"otter", func(capacity int, ttl time.Duration) (store[K], error) {
		opts := &otter.Options[K, uint64]{MaximumSize: capacity}
		if ttl > 0 {
			opts.ExpiryCalculator = otter.ExpiryWriting[K, uint64](ttl)
		}
		c, err := otter.New(opts)
		return otterStore[K]{c}, err
	}}
}

func otterLoad(capacity int) (func(uint64), func(), error) {
	c, err := otter.New(&otter.Options[uint64, uint64]{MaximumSize: capacity})
	if err != nil {
		return nil, nil, err
	}
	load := otter.LoaderFunc[uint64, uint64](func(_ context.Context, k uint64) (uint64, error) { return k, nil })
	return func(k uint64) { _, _ = c.Get(context.Background(), k, load) }, func() { c.StopAllGoroutines() }, nil
}
