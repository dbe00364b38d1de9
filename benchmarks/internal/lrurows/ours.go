package lrurows

import (
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

type oursStore[K comparable] struct{ c *lru.Cache[K, uint64] }

func (o oursStore[K]) Get(k K) bool      { _, ok := o.c.Get(k); return ok }
func (o oursStore[K]) Set(k K, v uint64) { o.c.Set(k, v) }
func (o oursStore[K]) Close()            {}

func ours[K comparable](p lru.Policy) maker[K] {
	return maker[K]{"lru", func(capacity int, ttl time.Duration) (store[K], error) {
		c, err := lru.New(capacity, lru.Options[K, uint64]{Policy: p, TTL: ttl})
		return oursStore[K]{c}, err
	}}
}

// numberPeers: otter and theine come first, they know lifetimes.
func numberPeers() []maker[uint64] {
	return []maker[uint64]{newOtter[uint64](), newTheine[uint64](), newGolangLRU[uint64](), newRistretto[uint64](), newTTLCache[uint64]()}
}

func textPeers() []maker[string] {
	return []maker[string]{newOtter[string](), newTheine[string](), newGolangLRU[string](), newRistretto[string]()}
}

func pick(name string) []maker[uint64] {
	for _, m := range numberPeers() {
		if m.name == name {
			return []maker[uint64]{m}
		}
	}
	return nil
}
