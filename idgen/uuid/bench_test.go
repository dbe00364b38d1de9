package uuid

import (
	"fmt"
	"testing"
)

func BenchmarkNew(b *testing.B) {
	for name, f := range map[string]func(){
		"v4": func() { NewV4() }, "v7": func() { NewV7() }, "ulid": func() { NewULID() },
	} {
		b.Run("kind="+name+"/goroutines=1", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
		b.Run("kind="+name+"/goroutines=many", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(10)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					f()
				}
			})
		})
	}
}

func BenchmarkFillV7(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			ids := make([]UUID, n)
			b.ReportAllocs()
			for b.Loop() {
				FillV7(ids)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/id")
		})
	}
}

func BenchmarkText(b *testing.B) {
	u := NewV7()
	s, l := u.String(), ULID(u).String()
	buf := make([]byte, 0, 64)
	b.Run("op=append/form=uuid", func(b *testing.B) {
		for b.Loop() {
			buf, _ = u.AppendText(buf[:0])
		}
	})
	b.Run("op=parse/form=uuid", func(b *testing.B) {
		for b.Loop() {
			_, _ = Parse(s)
		}
	})
	b.Run("op=append/form=ulid", func(b *testing.B) {
		for b.Loop() {
			buf, _ = ULID(u).AppendText(buf[:0])
		}
	})
	b.Run("op=parse/form=ulid", func(b *testing.B) {
		for b.Loop() {
			_, _ = ParseULID(l)
		}
	})
}
