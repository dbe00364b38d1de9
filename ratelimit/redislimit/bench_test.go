package redislimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// BenchmarkTake shows what this package adds to a round trip of no length.
func BenchmarkTake(b *testing.B) {
	for _, lease := range []int{0, 1000} {
		b.Run(fmt.Sprintf("lease=%d", lease), func(b *testing.B) {
			s := newServer()
			l := mustNew(b, s, Options{LeaseMax: lease}, ratelimit.Per(1_000_000, time.Second).WithBurst(1<<40))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Take(b.Context(), "k", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
