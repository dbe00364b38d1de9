package hashringrows

import (
	"stathat.com/c/consistent"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func newStathat(z sizes) *consistent.Consistent {
	c := consistent.New()
	c.NumberOfReplicas = points
	c.Set(names(z.nodes))
	return c
}

func stathatGet(z sizes) harness.Contender {
	return overKeys("stathat", few, func() func([]string) {
		c := newStathat(z)
		return func(keys []string) {
			for _, key := range keys {
				_, _ = c.Get(key)
			}
		}
	})
}

func stathatGetN(z sizes) harness.Contender {
	return overKeys("stathat", few, func() func([]string) {
		c := newStathat(z)
		return func(keys []string) {
			for _, key := range keys {
				_, _ = c.GetN(key, 3)
			}
		}
	})
}
