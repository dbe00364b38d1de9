package bloomrows

import (
	"bytes"
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

//go:noinline
func ourTest(d data, hashes []uint64) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		keys := ourKeys(hashes)
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.Test(keys[i&(samples-1)]))
			}
			keep(sum)
		}, err
	})
}

func ourTestMany(d data, hashes []uint64, o bloom.Options) harness.Contender {
	name := "bloom"
	if o.HugePages {
		name = "bloom, HugePages"
	}
	return timed(name, func() (harness.Op, error) {
		f, err := ourFilter(d, o)
		keys := ourKeys(hashes)
		const batch = 1024
		dst := make([]bool, 0, batch)
		at := 0
		return func(n int) {
			for n > 0 {
				dst = f.TestMany(dst[:0], keys[at:at+min(n, batch)])
				at = (at + batch) & (samples - 1)
				n -= len(dst)
			}
			keep(one(dst[0]))
		}, err
	})
}

// texts are 16-byte keys that are not in the filter.
func texts() []string {
	all := make([]string, samples)
	for i := range all {
		all[i] = fmt.Sprintf("absent-%09d", i)
	}
	return all
}

//go:noinline
func ourString(d data) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		keys := texts()
		return func(n int) {
			var sum uint64
			for i := range n {
				sum += one(f.Test(bloom.String(keys[i&(samples-1)])))
			}
			keep(sum)
		}, err
	})
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

// decode makes a contender of a decoder of our format.
//go:noinline
func decode(d data, work func(b []byte) (bloom.Layout, error)) harness.Contender {
	return timed("bloom", func() (harness.Op, error) {
		f, err := ourFilter(d, bloom.Options{})
		if err != nil {
			return nil, err
		}
		b, err := f.MarshalBinary()
		if err != nil {
			return nil, err
		}
		_, err = work(b) // the error is the same every time
		return func(n int) {
			for range n {
				if l, err := work(b); err == nil {
					keep(l.Blocks)
				}
			}
		}, err
	})
}

func ourOpen(d data) harness.Contender {
	return decode(d, func(b []byte) (bloom.Layout, error) {
		v, err := bloom.Open(b)
		return v.Layout(), err
	})
}

func ourOpenTrusted(d data) harness.Contender {
	return decode(d, func(b []byte) (bloom.Layout, error) {
		v, err := bloom.OpenTrusted(b)
		return v.Layout(), err
	})
}

func ourRead(d data) harness.Contender {
	return decode(d, func(b []byte) (bloom.Layout, error) {
		f, err := bloom.Read(bytes.NewReader(b), bloom.Options{})
		if err != nil {
			return bloom.Layout{}, err
		}
		return f.Layout(), nil
	})
}
