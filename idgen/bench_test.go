package idgen

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// uncapped has 22 sequence bits: the format is not the limit, the code is.
func uncapped() Layout { return Layout{TimeBits: 41, SeqBits: 22} }

func BenchmarkClockRead(b *testing.B) {
	base := time.Now()
	for b.Loop() {
		_ = time.Since(base)
	}
}

func BenchmarkSnowflakeNext(b *testing.B) {
	for _, coarse := range []bool{false, true} {
		b.Run(fmt.Sprintf("coarse=%t", coarse), func(b *testing.B) {
			s, err := NewSnowflake(0, SnowflakeOptions{Layout: uncapped(), CoarseClock: coarse})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close(context.Background())
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Next(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSnowflakeNextParallel(b *testing.B) {
	for _, coarse := range []bool{false, true} {
		b.Run(fmt.Sprintf("coarse=%t", coarse), func(b *testing.B) {
			s, err := NewSnowflake(0, SnowflakeOptions{Layout: uncapped(), CoarseClock: coarse})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close(context.Background())
			b.ReportAllocs()
			b.SetParallelism(10)
			b.RunParallel(func(pb *testing.PB) {
				ctx := context.Background()
				for pb.Next() {
					if _, err := s.Next(ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// At the cap of 41/10/12 the figure to read is CPU time per ID; throughput is the format's.
func BenchmarkSnowflakeAtTheCap(b *testing.B) {
	for _, ahead := range []time.Duration{0, 5 * time.Millisecond} {
		for _, goroutines := range []int{1, 64} {
			b.Run(fmt.Sprintf("ahead=%v/goroutines=%d", ahead, goroutines), func(b *testing.B) {
				s, err := NewSnowflake(0, SnowflakeOptions{MaxAhead: ahead})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for range b.N/goroutines + 1 {
							if _, err := s.Next(context.Background()); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

func BenchmarkSnowflakeFill(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			s, err := NewSnowflake(0, SnowflakeOptions{Layout: uncapped()})
			if err != nil {
				b.Fatal(err)
			}
			ids := make([]ID, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Fill(context.Background(), ids); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/id")
		})
	}
}

func BenchmarkSegmentNext(b *testing.B) {
	s, err := NewSegment(&MemoryCounter{}, SegmentOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("goroutines=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Next(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("goroutines=many", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Next(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkText(b *testing.B) {
	const id = ID(219881274368000001)
	buf := make([]byte, 0, 32)
	for name, e := range map[string]Encoding{"Base58": Base58, "Base32": Base32, "Base62": Base62} {
		b.Run("op=encode/encoding="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = e.AppendEncode(buf[:0], id)
			}
		})
		s := e.Encode(id)
		b.Run("op=decode/encoding="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decode(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("op=parse/encoding=decimal", func(b *testing.B) {
		b.ReportAllocs()
		s := id.String()
		for b.Loop() {
			if _, err := ParseID(s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLayoutShard(b *testing.B) {
	l := Instagram()
	for b.Loop() {
		_ = l.Shard(11637205501278089)
	}
}
