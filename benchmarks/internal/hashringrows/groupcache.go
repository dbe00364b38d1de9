package hashringrows

import (
	"github.com/golang/groupcache/consistenthash"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func newGroupcache(z sizes) *consistenthash.Map {
	m := consistenthash.New(points, nil)
	m.Add(names(z.nodes)...)
	return m
}

func groupcacheGet(z sizes) harness.Contender {
	return overKeys("groupcache", few, func() func([]string) {
		m := newGroupcache(z)
		return func(keys []string) {
			for _, key := range keys {
				m.Get(key)
			}
		}
	})
}
