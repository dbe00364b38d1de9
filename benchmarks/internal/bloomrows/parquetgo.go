package bloomrows

import (
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// parquetTest times the split-block filter of parquet-go, which tests with AVX2 where it can, at our number of bits.
func parquetTest(d data, hashes []uint64) harness.Contender {
	return timed("parquet-go", func() (harness.Op, error) {
		f := bloom.MakeSplitBlockFilter(make([]byte, d.bits/8))
		d.hashes(f.Insert)
		return parquetTestOp(f, hashes), nil
	})
}

//go:noinline
func parquetTestOp(f bloom.SplitBlockFilter, hashes []uint64) harness.Op {
	return func(n int) {
		var sum uint64
		for i := range n {
			sum += one(f.Check(hashes[i&(len(hashes)-1)]))
		}
		keep(sum)
	}
}
