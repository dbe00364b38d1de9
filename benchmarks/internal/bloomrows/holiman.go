package bloomrows

import (
	"math"

	bloomfilter "github.com/holiman/bloomfilter/v2"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func holiman(d data) (*bloomfilter.Filter, error) {
	f, err := bloomfilter.New(d.bits, max(1, uint64(math.Round(math.Ln2*float64(d.bits)/float64(d.n)))))
	if err == nil {
		d.hashes(f.AddHash)
	}
	return f, err
}

//go:noinline
func holimanTest(d data, hashes []uint64) harness.Contender {
	return timed("holiman", func() (harness.Op, error) {
		f, err := holiman(d)
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.ContainsHash(hashes[i&(samples-1)]))
			}
			keep(sum)
		}, err
	})
}

//go:noinline
func holimanMixed(d data) harness.Contender {
	return timed("holiman", func() (harness.Op, error) {
		f, err := holiman(d)
		return func(n int) {
			spread(n, func(from, to int) {
				var sum uint64
				for i := from; i < to; i++ {
					if i%10 == 0 {
						f.AddHash(d.present[i&(samples-1)])
					} else {
						sum += one(f.ContainsHash(d.absent[i&(samples-1)]))
					}
				}
				keep(sum)
			})
		}, err
	})
}
