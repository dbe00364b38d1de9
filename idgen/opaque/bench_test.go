package opaque

import (
	"fmt"
	"testing"
)

func BenchmarkCodec(b *testing.B) {
	for _, o := range []Options{{}, {CheckBits: 24}, {IDBits: 32}} {
		c := codec(b, o)
		s, err := c.Encode(12345)
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 0, 64)
		name := fmt.Sprintf("bits=%d", c.idBits+c.checkBits)
		b.Run("op=encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = c.AppendEncode(buf[:0], 12345)
			}
		})
		b.Run("op=decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Decode(s)
			}
		})
	}
}
