package storage

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

const benchKeys = 100_000

// filled makes a store of rows of 100 bytes in several runs.
func filled(b *testing.B, o Options) (*Store, []string) {
	b.Helper()
	s := start(b, b.TempDir(), o)
	keys := make([]string, benchKeys)
	for i, at := range rand.New(rand.NewPCG(1, 1)).Perm(benchKeys) {
		keys[i] = fmt.Sprintf("key-%06d", at)
		put(b, s, keys[i], 1, fmt.Sprintf("%-100d", at))
		if i == benchKeys*9/13 || i == benchKeys*12/13 {
			if err := s.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(s.Stats().Runs), "runs")
	return s, keys
}

func BenchmarkPut(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprint("sync=", sync), func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{Sync: sync})
			if err != nil {
				b.Fatal(err)
			}
			value := make([]byte, 100)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				e := Entry{Key: fmt.Sprintf("key-%06d", i%benchKeys), Stamp: Stamp{Time: i + 1}, Value: value}
				if err := s.Put(e); err != nil {
					b.Fatal(err)
				}
			}
			st := s.Stats()
			b.ReportMetric(float64(st.MergedBytes)/float64(max(st.FlushedBytes, 1)), "rewrites")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, c := range []struct {
		name   string
		o      Options
		absent bool
	}{
		{"present,cache=64MiB", Options{CacheBytes: 64 << 20}, false},
		{"present,cache=1MiB", Options{CacheBytes: 1 << 20}, false},
		{"present,cache=0", Options{CacheBytes: -1}, false},
		{"absent,cache=0", Options{CacheBytes: -1}, true},
		{"absent,cache=0,filter=none", Options{CacheBytes: -1, NoFilter: true}, true},
	} {
		b.Run("key="+c.name, func(b *testing.B) {
			o := c.o
			s, keys := filled(b, Options{})
			dir := s.folder.Dir
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			s = start(b, dir, o)
			if c.absent {
				for i := range keys {
					keys[i] += "-nobody"
				}
			}
			rng := rand.New(rand.NewPCG(2, 2))
			b.ReportAllocs()
			for b.Loop() {
				if _, found, err := s.Get(keys[rng.IntN(benchKeys)]); err != nil || found == c.absent {
					b.Fatal(found, err)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	s, keys := filled(b, Options{CacheBytes: 64 << 20})
	rng := rand.New(rand.NewPCG(2, 2))
	b.ReportAllocs()
	for b.Loop() { // 100 entries of all layers
		n := 0
		for _, err := range s.Scan("key-", keys[rng.IntN(benchKeys)]) {
			if err != nil {
				b.Fatal(err)
			}
			if n++; n == 100 {
				break
			}
		}
	}
}
