package lrurows

import (
	"time"

	"github.com/jellydator/ttlcache/v3"
)

type ttlcacheStore[K comparable] struct{ c *ttlcache.Cache[K, uint64] }

func (t ttlcacheStore[K]) Get(k K) bool      { return t.c.Get(k) != nil }
func (t ttlcacheStore[K]) Set(k K, v uint64) { t.c.Set(k, v, ttlcache.DefaultTTL) }
func (t ttlcacheStore[K]) Close()            {}

func newTTLCache[K comparable]() maker[K] {
	return maker[K]{"ttlcache", func(capacity int, _ time.Duration) (store[K], error) {
		return ttlcacheStore[K]{ttlcache.New(ttlcache.WithCapacity[K, uint64](uint64(capacity)))}, nil
	}}
}
