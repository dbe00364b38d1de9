package hashringrows

import (
	"github.com/cespare/xxhash/v2"
	"github.com/dgryski/go-jump"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// jumpGet includes the hash of the key and the list of names, which a user of the peer needs as well.
func jumpGet(z sizes) harness.Contender {
	return overKeys("go-jump", few, func() func([]string) {
		ids := names(z.nodes)
		var s sink
		return func(keys []string) {
			for _, key := range keys {
				s.name = ids[jump.Hash(xxhash.Sum64String(key), len(ids))]
			}
		}
	})
}
