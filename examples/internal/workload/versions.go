package workload

import (
	"fmt"
	"math/rand/v2"
)

// Versions is a load of writes to keys drawn by Zipf's law. Each worker writes keys of its own, so that the versions of one key are
// written one after the other and a reader can tell an older from a newer one.
type Versions struct {
	zipf     *Zipf
	rng      []*rand.Rand
	versions []map[int]uint64
}

// NewVersions makes a load for a number of workers over about this many keys.
func NewVersions(seed int64, workers, keys int) *Versions {
	v := &Versions{zipf: NewZipf(keys/workers, 0.8)}
	for w := range workers {
		v.rng = append(v.rng, Rand(seed, 100+uint64(w)))
		v.versions = append(v.versions, make(map[int]uint64))
	}
	return v
}

// Next draws a key of the worker and counts its version up from 1. Different workers may call it at once.
func (v *Versions) Next(worker int) (key string, version uint64) {
	rank := v.zipf.Next(v.rng[worker])
	v.versions[worker][rank]++
	return fmt.Sprintf("key-%d-%d", worker, rank), v.versions[worker][rank]
}
