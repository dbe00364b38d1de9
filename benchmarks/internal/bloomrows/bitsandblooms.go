package bloomrows

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// classic returns a full filter of our number of bits, with the best number of hash functions for them.
func classic(d data) *bloom.BloomFilter {
	k := max(1, uint(math.Round(math.Ln2*float64(d.bits)/float64(d.n))))
	f := bloom.New(uint(d.bits), k)
	var b [8]byte
	d.hashes(func(h uint64) {
		binary.LittleEndian.PutUint64(b[:], h)
		f.Add(b[:])
	})
	return f
}

//go:noinline
func classicString(d data) harness.Contender {
	return timed("bits-and-blooms", func() (harness.Op, error) {
		f, keys := classic(d), texts()
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.TestString(keys[i&(samples-1)]))
			}
			keep(sum)
		}, nil
	})
}

//go:noinline
func classicDuplicates(d data) harness.Contender {
	return timed("bits-and-blooms under a mutex", func() (harness.Op, error) {
		f := classic(d)
		keys := make([]string, samples)
		for i := range keys {
			keys[i] = fmt.Sprintf("present-%08d", i)
			f.AddString(keys[i])
		}
		var mu sync.Mutex
		return func(n int) {
			spread(n, func(from, to int) {
				var sum uint64
				for i := from; i < to; i++ {
					mu.Lock()
					sum += one(f.TestAndAddString(keys[i&(samples-1)]))
					mu.Unlock()
				}
				keep(sum)
			})
		}, nil
	})
}

//go:noinline
func classicRead(d data) harness.Contender {
	return timed("bits-and-blooms ReadFrom", func() (harness.Op, error) {
		var b bytes.Buffer
		_, err := classic(d).WriteTo(&b)
		return func(n int) {
			for range n {
				var f bloom.BloomFilter
				if _, err := f.ReadFrom(bytes.NewReader(b.Bytes())); err == nil {
					keep(uint64(f.Cap()))
				}
			}
		}, err
	})
}
