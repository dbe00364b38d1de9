package ratelimitrows

import (
	"context"
	"net/http"
	"net/http/httptest"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func serve(name string, build func(next http.Handler) (http.Handler, error)) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		h, err := build(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if err != nil {
			return nil, nil, err
		}
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
		return func(n int) {
			for range n {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		}, nil, nil
	}}
}

// middleware compares what a request pays, a fresh header map included, for an address as key.
func middleware() []harness.Row {
	var rows []harness.Row
	for _, c := range []struct {
		name   string
		tokens int64
		allocs float64
	}{{"admitted", 1 << 40, 6}, {"denied", 1, 8}} {
		rows = append(rows, harness.Row{
			Workload: "middleware, " + c.name, MaxAllocs: c.allocs, Target: harness.AtLeast(2),
			Ours: serve("httplimit", func(next http.Handler) (http.Handler, error) {
				k, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerHour(c.tokens)}, ratelimit.Options{})
				if err != nil {
					return nil, err
				}
				limit, err := httplimit.New(ratelimit.Local(k), httplimit.Options{Headers: httplimit.XRateLimit})
				if err != nil {
					return nil, err
				}
				return limit(next), nil
			}),
			Peers: []harness.Contender{
				serve("httprate", func(next http.Handler) (http.Handler, error) {
					return httprateMiddleware(int(c.tokens), next), nil
				}),
				serve("go-limiter/httplimit", func(next http.Handler) (http.Handler, error) {
					return goLimiterMiddleware(uint64(c.tokens), next)
				}),
			},
		})
	}
	return rows
}
