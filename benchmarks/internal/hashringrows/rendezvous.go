package hashringrows

import (
	"github.com/cespare/xxhash/v2"
	"github.com/dgryski/go-rendezvous"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func newRendezvous(z sizes) *rendezvous.Rendezvous {
	return rendezvous.New(names(z.nodes), xxhash.Sum64String)
}

func rendezvousGet(z sizes) harness.Contender {
	return overKeys("go-rendezvous", few, func() func([]string) {
		r := newRendezvous(z)
		return func(keys []string) {
			for _, key := range keys {
				r.Lookup(key)
			}
		}
	})
}
