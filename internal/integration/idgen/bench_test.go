package idgen_test

import (
	"fmt"
	"testing"

	"github.com/sysblocks/sysblocks/idgen"
)

// One INCR or UPDATE per ID against a Segment on the same counter, on real servers. The ratio of the two is the figure.
func BenchmarkReserve(b *testing.B) {
	for _, kind := range kinds {
		s := newStore(b, kind)
		c, err := s.counter("bench")
		if err != nil {
			b.Fatal(err)
		}
		seg, err := idgen.NewSegment(c, idgen.SegmentOptions{MinStep: 100_000})
		if err != nil {
			b.Fatal(err)
		}
		for name, next := range map[string]func() error{
			"one":     func() error { _, err := c.Reserve(b.Context(), 1); return err },
			"segment": func() error { _, err := seg.Next(b.Context()); return err },
		} {
			for _, goroutines := range []int{1, 16} {
				b.Run(fmt.Sprintf("store=%s/by=%s/goroutines=%d", kind, name, goroutines), func(b *testing.B) {
					b.SetParallelism(goroutines)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := next(); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
			}
		}
		if err := seg.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}
}
