package hashringrows

import (
	serialx "github.com/serialx/hashring"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// newSerialx gives each node a weight of 160: the peer makes one point per unit of weight.
func newSerialx(z sizes) *serialx.HashRing {
	weights := make(map[string]int, z.nodes)
	for _, id := range names(z.nodes) {
		weights[id] = points
	}
	return serialx.NewWithWeights(weights)
}

func serialxGet(z sizes) harness.Contender {
	return overKeys("serialx", few, func() func([]string) {
		r := newSerialx(z)
		return func(keys []string) {
			for _, key := range keys {
				r.GetNode(key)
			}
		}
	})
}
