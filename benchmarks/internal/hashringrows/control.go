package hashringrows

import (
	"cmp"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// The controls have the same points as ours and do the work with the standard library.

type controlPoint struct {
	token uint64
	owner uint32
}

func controlPoints(ids []string) []controlPoint {
	list := make([]controlPoint, 0, len(ids)*points)
	for o, id := range ids {
		h := xxhash.Sum64String(id)
		for i := range points {
			list = append(list, controlPoint{mix64(h + uint64(i+1)*0x9E3779B97F4A7C15), uint32(o)})
		}
	}
	return list
}

// searchGet is sort.Search over the same points with the same hash.
func searchGet(z sizes) harness.Contender {
	return overKeys("sort.Search", z.keys, func() func([]string) {
		ids := names(z.many)
		list := controlPoints(ids)
		slices.SortFunc(list, func(a, b controlPoint) int { return cmp.Compare(a.token, b.token) })
		tokens, owners := make([]uint64, len(list)), make([]uint32, len(list))
		for i, p := range list {
			tokens[i], owners[i] = p.token, p.owner
		}
		var s sink
		return func(keys []string) {
			for _, key := range keys {
				token := xxhash.Sum64String(key)
				i := sort.Search(len(tokens), func(i int) bool { return tokens[i] >= token })
				if i == len(tokens) {
					i = 0
				}
				s.name = ids[owners[i]]
			}
		}
	})
}

// sortBuild is slices.Sort of the same tokens, without owners: a floor for a build that sorts.
func sortBuild(z sizes) harness.Contender {
	return harness.Contender{Name: "slices.Sort", Setup: func() (harness.Op, func(), error) {
		list := controlPoints(names(z.many / 10))
		tokens := make([]uint64, len(list))
		for i, p := range list {
			tokens[i] = p.token
		}
		work := make([]uint64, len(tokens))
		return func(n int) {
			for range n {
				copy(work, tokens)
				slices.Sort(work)
			}
		}, nil, nil
	}}
}
