package lrurows

import (
	"time"

	golanglru "github.com/hashicorp/golang-lru/v2"
)

type golangLRUStore[K comparable] struct{ c *golanglru.Cache[K, uint64] }

func (g golangLRUStore[K]) Get(k K) bool      { _, ok := g.c.Get(k); return ok }
func (g golangLRUStore[K]) Set(k K, v uint64) { g.c.Add(k, v) }
func (g golangLRUStore[K]) Close()            {}

func newGolangLRU[K comparable]() maker[K] {
	return maker[K]{"golang-lru", func(capacity int, _ time.Duration) (store[K], error) {
		c, err := golanglru.New[K, uint64](capacity)
		return golangLRUStore[K]{c}, err
	}}
}
