package bloomrows

import (
	"github.com/FastFilter/xorfilter"
	"github.com/dgraph-io/ristretto/v2/z"
	cuckoo "github.com/seiflotfy/cuckoofilter"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// fuseTest times a static filter: it cannot be added to, and has 0.4 % at 9 bits.
//
//go:noinline
func fuseTest(d data, hashes []uint64) harness.Contender {
	return timed("xorfilter BinaryFuse8 (static)", func() (harness.Op, error) {
		f, err := xorfilter.PopulateBinaryFuse8(fresh(d))
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.Contains(hashes[i&(samples-1)]))
			}
			keep(sum)
		}, err
	})
}

// ristrettoTest times the filter of ristretto, which rounds its size up to a power of two.
//
//go:noinline
func ristrettoTest(d data, hashes []uint64) harness.Contender {
	return timed("ristretto z.Bloom", func() (harness.Op, error) {
		f := z.NewBloomFilter(float64(d.n), d.rate)
		d.hashes(f.Add)
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.Has(hashes[i&(samples-1)]))
			}
			keep(sum)
		}, nil
	})
}

// cuckooString times a filter that can delete; its rate is fixed at 3 %.
//
//go:noinline
func cuckooString(d data) harness.Contender {
	return timed("cuckoofilter (3 %)", func() (harness.Op, error) {
		f := cuckoo.NewFilter(uint(d.n))
		var b [8]byte
		d.hashes(func(h uint64) {
			for i := range b {
				b[i] = byte(h >> (8 * i))
			}
			f.Insert(b[:])
		})
		text := []byte(texts(samples))
		return func(n int) {
			var sum uint64
			for i := range n {
				at := i * textLen & (len(text) - 1)
				sum += one(f.Lookup(text[at : at+textLen]))
			}
			keep(sum)
		}, nil
	})
}
