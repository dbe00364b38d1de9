package bloomrows

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func (d data) classicHashes() uint {
	return max(1, uint(math.Round(math.Ln2*float64(d.bits)/float64(d.n))))
}

// classic returns a full filter of our number of bits, with the best number of hash functions for them.
func classic(d data) *bloom.BloomFilter {
	f := bloom.New(uint(d.bits), d.classicHashes())
	var b [8]byte
	d.hashes(func(h uint64) {
		binary.LittleEndian.PutUint64(b[:], h)
		f.Add(b[:])
	})
	return f
}

func classicString(d data) harness.Contender {
	return timed("bits-and-blooms", func() (harness.Op, error) {
		return classicStringOp(classic(d), texts(samples)), nil
	})
}

//go:noinline
func classicStringOp(f *bloom.BloomFilter, text string) harness.Op {
	return func(n int) {
		var sum uint64
		for i := range n {
			at := i * textLen & (len(text) - 1)
			sum += one(f.TestString(text[at : at+textLen]))
		}
		keep(sum)
	}
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
