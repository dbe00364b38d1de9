package bloomrows

import (
	"fmt"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/bloom"
)

func ourFilter(d data, o bloom.Options) (*bloom.Filter, error) {
	f, err := bloom.New(d.n, d.rate, o)
	if err != nil {
		return nil, err
	}
	part := make([]bloom.Key, 0, 4096)
	d.hashes(func(h uint64) {
		if part = append(part, bloom.Hashed(h)); len(part) == cap(part) {
			f.AddMany(part)
			part = part[:0]
		}
	})
	f.AddMany(part)
	return f, nil
}

func ourKeys(hashes []uint64) []bloom.Key {
	keys := make([]bloom.Key, len(hashes))
	for i, h := range hashes {
		keys[i] = bloom.Hashed(h)
	}
	return keys
}

func ourTest(d data, hashes []uint64) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		return ourTestOp(f, ourKeys(hashes)), err
	})
}

// ourTestOp is not inlined, like every function here that makes a loop: the compiler would put all loops into one
// function, and inlines next to nothing into a function of that size.
//
//go:noinline
func ourTestOp(f *bloom.Filter, keys []bloom.Key) harness.Op {
	return func(n int) {
		var sum uint64
		for i := range n {
			sum += one(f.Test(keys[i&(len(keys)-1)]))
		}
		keep(sum)
	}
}

//go:noinline
func ourParallel(d data, goroutines int) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		keys := ourKeys(d.absent)
		return func(n int) {
			spreadOver(goroutines, n, func(from, to int) {
				var sum uint64
				for i := from; i < to; i++ {
					sum += one(f.Test(keys[i&(len(keys)-1)]))
				}
				keep(sum)
			})
		}, err
	})
}

func ourTestMany(d data, hashes []uint64) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		return ourTestManyOp(f, ourKeys(hashes)), err
	})
}

//go:noinline
func ourTestManyOp(f *bloom.Filter, keys []bloom.Key) harness.Op {
	const batch = 1024
	dst := make([]bool, 0, batch)
	at := 0
	return func(n int) {
		for n > 0 {
			dst = f.TestMany(dst[:0], keys[at:at+min(n, batch)])
			at = (at + batch) & (len(keys) - 1)
			n -= len(dst)
		}
		keep(one(dst[0]))
	}
}

// textLen is the length of a text key.
const textLen = 16

// texts returns keys of 16 bytes that are not in the filter, one after the other in one string, so that what is timed is
// the hash and the test and not the way to scattered strings.
func texts(n int) string {
	b := make([]byte, 0, n*textLen)
	for i := range n {
		b = fmt.Appendf(b, "absent-%09d", i)
	}
	return string(b)
}

func ourString(d data) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		return ourStringOp(f, texts(samples)), err
	})
}

//go:noinline
func ourStringOp(f *bloom.Filter, text string) harness.Op {
	return func(n int) {
		var sum uint64
		for i := range n {
			at := i * textLen & (len(text) - 1)
			sum += one(f.Test(bloom.String(text[at : at+textLen])))
		}
		keep(sum)
	}
}

// fresh returns the hashes of d's keys, enough to fill a filter once.
func fresh(d data) []uint64 {
	all := make([]uint64, 0, d.n)
	d.hashes(func(h uint64) { all = append(all, h) })
	return all
}

//go:noinline
func ourAdd(d data, o bloom.Options) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := bloom.New(d.n, d.rate, o)
		keys := ourKeys(fresh(d))
		at := 0
		return func(n int) {
			for range n {
				if at == len(keys) {
					f.Clear()
					at = 0
				}
				f.Add(keys[at])
				at++
			}
		}, err
	})
}

//go:noinline
func ourMixed(d data) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		tests, adds := ourKeys(d.absent), ourKeys(d.present)
		return func(n int) {
			spread(n, func(from, to int) {
				var sum uint64
				for i := from; i < to; i++ {
					if i%10 == 0 {
						f.Add(adds[i&(samples-1)])
					} else {
						sum += one(f.Test(tests[i&(samples-1)]))
					}
				}
				keep(sum)
			})
		}, err
	})
}

//go:noinline
func ourDuplicates(d data) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		keys := make([]string, samples)
		for i := range keys {
			keys[i] = fmt.Sprintf("present-%08d", i)
			if err == nil {
				f.Add(bloom.String(keys[i]))
			}
		}
		return func(n int) {
			spread(n, func(from, to int) {
				var sum uint64
				for i := from; i < to; i++ {
					sum += one(f.TestAndAdd(bloom.String(keys[i&(samples-1)])))
				}
				keep(sum)
			})
		}, err
	})
}
