package session_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

func BenchmarkRequest(b *testing.B) {
	sealed, err := session.NewClientSide[Data](keyring(b, 1), session.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for side, bench := range map[string]*bench{"server": newBench(b, session.Options{}), "client": benchOf(b, sealed)} {
		for op, f := range map[string]func(){
			"Untouched": bench.untouched(), "ReadUserID": bench.readUserID(), "ReadData": bench.readData(), "Update": bench.update(),
		} {
			b.Run(fmt.Sprintf("side=%s/op=%s", side, op), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
	}
}

func BenchmarkMemoryStore(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		s := memory(b, session.MemoryOptions{MaxSessions: n + 1, MaxBytes: 1 << 30})
		recs := make([]session.Record, n)
		for i := range recs {
			recs[i] = record("user", time.Hour, 200)
			if err := s.Save(b.Context(), recs[i]); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("op=Load/sessions=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var next atomic.Uint32
			b.RunParallel(func(pb *testing.PB) {
				i := next.Add(1) * 7919
				for pb.Next() {
					i = i*1664525 + 1013904223
					if _, err := s.Load(b.Context(), recs[int(i>>8)%n].ID); err != nil {
						b.Error(err)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("op=Touch/sessions=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := uint32(1)
			to := time.Now().Add(2 * time.Hour)
			for b.Loop() {
				i = i*1664525 + 1013904223
				to = to.Add(time.Millisecond)
				if err := s.Touch(b.Context(), recs[int(i>>8)%n].ID, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKeyring(b *testing.B) {
	ring := keyring(b, 1)
	for _, size := range []int{100, 1024, 3072} {
		plain := make([]byte, size)
		b.Run(fmt.Sprintf("op=SealOpen/bytes=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			var sealed, opened []byte
			for b.Loop() {
				sealed = ring.Seal(sealed[:0], plain, nil)
				opened, _, _ = ring.Open(opened[:0], sealed, nil)
			}
		})
	}
}
