package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func mustLimiter(tb testing.TB, limits ...Limit) Limiter {
	tb.Helper()
	l, err := New(limits...)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// open never runs dry in a benchmark; shut is empty from the start.
func open(name string) Limit { return Limit{Name: name, Count: 1e9, Per: time.Second, Burst: 1 << 40} }
func shut() Limit            { return Limit{Count: 0, Per: time.Hour, Burst: 1} }

func BenchmarkClock(b *testing.B) {
	start := time.Now()
	sum := time.Duration(0)
	for b.Loop() {
		sum += time.Since(start)
	}
	_ = sum
}

func BenchmarkAllow(b *testing.B) {
	for _, kind := range []string{"admitted", "denied"} {
		limit := open("")
		if kind == "denied" {
			limit = shut()
		}
		l := mustLimiter(b, limit)
		l.Allow()
		x := rate.NewLimiter(1e9, 1<<30)
		if kind == "denied" {
			x = rate.NewLimiter(1e-9, 1)
			x.Allow()
		}
		b.Run("result="+kind+"/impl=ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Allow()
			}
		})
		b.Run("result="+kind+"/impl=xtime", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Allow()
			}
		})
		b.Run("result="+kind+"/parallel/impl=ours", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Allow()
				}
			})
		})
	}
}

func BenchmarkTake(b *testing.B) {
	for _, n := range []int{1, 3} {
		var limits []Limit
		for i := range n {
			limits = append(limits, open(fmt.Sprint("l", i)))
		}
		l := mustLimiter(b, limits...)
		b.Run(fmt.Sprintf("limits=%d/op=take", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Take(1)
			}
		})
		b.Run(fmt.Sprintf("limits=%d/op=peek", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Peek(1)
			}
		})
	}
}

func BenchmarkTakeAll(b *testing.B) {
	l1, l2, l3 := mustLimiter(b, open("a")), mustLimiter(b, open("b")), mustLimiter(b, open("c"))
	b.Run("claims=3", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			TakeAll(l1.Claim(1), l2.Claim(1), l3.Claim(1))
		}
	})
}

func BenchmarkKeyed(b *testing.B) {
	for _, keys := range []int{1000, 1_000_000} {
		k, err := NewKeyed[uint64]([]Limit{{Count: 1, Per: time.Hour, Burst: 1 << 20}}, Options{Capacity: keys})
		if err != nil {
			b.Fatal(err)
		}
		for i := range keys {
			k.Allow(uint64(i))
		}
		b.Run(fmt.Sprintf("keys=%d/op=hit", keys), func(b *testing.B) {
			b.ReportAllocs()
			i := uint64(1)
			for b.Loop() {
				i = i*6364136223846793005 + 1
				k.Allow((i >> 33) % uint64(keys))
			}
		})
		b.Run(fmt.Sprintf("keys=%d/op=flood", keys), func(b *testing.B) {
			b.ReportAllocs()
			i := rand.Uint64()
			for b.Loop() {
				i++
				k.Allow(i)
			}
		})
	}
}

func BenchmarkSetLimits(b *testing.B) {
	k, err := NewKeyed[int]([]Limit{PerSecond(10)}, Options{Capacity: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("keys=1048576", func(b *testing.B) {
		b.ReportAllocs()
		n := int64(0)
		for b.Loop() {
			n++
			if err := k.SetLimits(PerSecond(10 + n%2)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
