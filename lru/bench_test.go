package lru

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

func zipfKeys(n int, s float64, space uint64) []uint64 {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), s, 1, space-1)
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = z.Uint64() * 0x9e3779b97f4a7c15
	}
	return keys
}

func BenchmarkGetHit(b *testing.B) {
	keys := zipfKeys(1<<16, 1.01, 10_000)
	for _, opts := range []struct {
		name string
		o    Options[uint64, uint64]
	}{
		{"policy=Adaptive", Options[uint64, uint64]{}},
		{"policy=Adaptive/ttl=1h", Options[uint64, uint64]{TTL: time.Hour}},
		{"policy=Adaptive/counthits=true", Options[uint64, uint64]{CountHits: true}},
		{"policy=LRU", Options[uint64, uint64]{Policy: LRU}},
		{"policy=LFU", Options[uint64, uint64]{Policy: LFU}},
		{"policy=FIFO", Options[uint64, uint64]{Policy: FIFO}},
		{"policy=SIEVE", Options[uint64, uint64]{Policy: SIEVE}},
	} {
		b.Run(opts.name, func(b *testing.B) {
			c := mustNew(b, 20_000, opts.o)
			for _, k := range keys {
				c.Set(k, k)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				c.Get(keys[i&(1<<16-1)])
				i++
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	for _, policy := range []Policy{Adaptive, LRU, LFU, FIFO, SIEVE} {
		b.Run(fmt.Sprintf("policy=%v/evict=true", policy), func(b *testing.B) {
			c := mustNew(b, 100_000, Options[uint64, uint64]{Policy: policy})
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				c.Set(i, i)
				i++
			}
		})
	}
	b.Run("policy=Adaptive/update=true", func(b *testing.B) {
		c := mustNew(b, 100_000, Options[uint64, uint64]{})
		b.ReportAllocs()
		i := uint64(0)
		for b.Loop() {
			c.Set(i&1023, i)
			i++
		}
	})
}

func BenchmarkGetHitParallel(b *testing.B) {
	keys := zipfKeys(1<<16, 1.01, 10_000)
	for _, policy := range []Policy{Adaptive, LRU} {
		b.Run("policy="+policy.String(), func(b *testing.B) {
			c := mustNew(b, 20_000, Options[uint64, uint64]{Policy: policy})
			for _, k := range keys {
				c.Set(k, k)
			}
			b.ReportAllocs()
			var start atomic.Uint32
			b.RunParallel(func(pb *testing.PB) {
				i := start.Add(7919)
				for pb.Next() {
					c.Get(keys[i&(1<<16-1)])
					i++
				}
			})
		})
	}
}
