package bloomrows

import (
	"github.com/greatroar/blobloom"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// blobHashes is the number of hash functions that blobloom's own sizing takes for the rate; it gets our number of bits.
func blobHashes(d data) int {
	_, k := blobloom.Optimize(blobloom.Config{Capacity: d.n, FPRate: d.rate})
	return k
}

func blobTest(d data, hashes []uint64) harness.Contender {
	return timed("blobloom Filter", func() (harness.Op, error) {
		f := blobloom.New(d.bits, blobHashes(d))
		d.hashes(f.Add)
		return blobTestOp(f, hashes), nil
	})
}

//go:noinline
func blobTestOp(f *blobloom.Filter, hashes []uint64) harness.Op {
	return func(n int) {
		var sum uint64
		for i := range n {
			sum += one(f.Has(hashes[i&(len(hashes)-1)]))
		}
		keep(sum)
	}
}

func blobSync(d data) *blobloom.SyncFilter {
	f := blobloom.NewSync(d.bits, blobHashes(d))
	d.hashes(f.Add)
	return f
}

//go:noinline
func blobSyncTest(d data, hashes []uint64) harness.Contender {
	return timed("blobloom SyncFilter", func() (harness.Op, error) {
		f := blobSync(d)
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.Has(hashes[i&(samples-1)]))
			}
			keep(sum)
		}, nil
	})
}

//go:noinline
func blobAdd(d data) harness.Contender {
	return timed("blobloom Filter", func() (harness.Op, error) {
		f, keys, at := blobloom.New(d.bits, blobHashes(d)), fresh(d), 0
		return func(n int) {
			for range n {
				if at == len(keys) {
					f.Clear()
					at = 0
				}
				f.Add(keys[at])
				at++
			}
		}, nil
	})
}

//go:noinline
func blobSyncAdd(d data) harness.Contender {
	return timed("blobloom SyncFilter", func() (harness.Op, error) {
		f, keys, at := blobloom.NewSync(d.bits, blobHashes(d)), fresh(d), 0
		return func(n int) {
			for range n {
				if at == len(keys) { // it has no Clear
					f = blobloom.NewSync(d.bits, blobHashes(d))
					at = 0
				}
				f.Add(keys[at])
				at++
			}
		}, nil
	})
}

//go:noinline
func blobMixed(d data) harness.Contender {
	return timed("blobloom SyncFilter", func() (harness.Op, error) {
		f := blobSync(d)
		return func(n int) {
			spread(n, func(from, to int) {
				var sum uint64
				for i := from; i < to; i++ {
					if i%10 == 0 {
						f.Add(d.present[i&(samples-1)])
					} else {
						sum += one(f.Has(d.absent[i&(samples-1)]))
					}
				}
				keep(sum)
			})
		}, nil
	})
}
