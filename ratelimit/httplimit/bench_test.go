package httplimit

import (
	"net/http"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

func BenchmarkMiddleware(b *testing.B) {
	for name, limit := range map[string]ratelimit.Limit{
		"admitted": ratelimit.Per(1e9, time.Second), "denied": {Per: time.Hour, Burst: 1},
	} {
		b.Run("result="+name, func(b *testing.B) {
			h := handler(b, ratelimit.Local(table(b, limit)), Options{})
			r := request(b, http.MethodGet, "192.0.2.1:1234")
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{header: http.Header{}}, r)
			}
		})
	}
}
