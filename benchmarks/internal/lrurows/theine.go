package lrurows

import (
	"time"

	"github.com/Yiling-J/theine-go"
)

type theineStore[K comparable] struct {
	c   *theine.Cache[K, uint64]
	ttl time.Duration
}

func (t theineStore[K]) Get(k K) bool { _, ok := t.c.Get(k); return ok }
func (t theineStore[K]) Close()       { t.c.Close() }
func (t theineStore[K]) Set(k K, v uint64) {
	if t.ttl > 0 {
		t.c.SetWithTTL(k, v, 1, t.ttl)
		return
	}
	t.c.Set(k, v, 1)
}

func newTheine[K comparable]() maker[K] {
	return maker[K]{"theine", func(capacity int, ttl time.Duration) (store[K], error) {
		c, err := theine.NewBuilder[K, uint64](int64(capacity)).Build()
		return theineStore[K]{c, ttl}, err
	}}
}
