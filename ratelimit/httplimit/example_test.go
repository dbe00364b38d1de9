package httplimit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

func ExampleNew() {
	perIP, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerHour(1)}, ratelimit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	limit, err := httplimit.New(ratelimit.Local(perIP), httplimit.Options{
		Key: httplimit.ByIP(netip.MustParsePrefix("10.0.0.0/8")),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	api := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for range 2 {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:4711"
		r.Header.Set("X-Forwarded-For", "6.6.6.6, 192.0.2.9")
		api.ServeHTTP(w, r)
		fmt.Printf("%d %q %q\n", w.Code, w.Header().Get("RateLimit"), w.Header().Get("Retry-After"))
	}
	// Output:
	// 204 "\"1/1h\";r=0;t=3600" ""
	// 429 "\"1/1h\";r=0;t=3600" "3600"
}

func ExampleByIP() {
	key := httplimit.ByIP(netip.MustParsePrefix("10.0.0.0/8"))
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 2001:db8:1:2::7, 10.0.0.2")
	fmt.Println(key(r))
	// Output: 2001:db8:1:2::/64 true
}

func ExampleProblem() {
	w := httptest.NewRecorder()
	d := ratelimit.Decision{Policy: "day", RetryAfter: ratelimit.Never}
	httplimit.Problem(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil), d)
	fmt.Print(w.Body)
	// Output: {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request quota exceeded","status":429,"detail":"Request quota exceeded.","violated-policies":["day"]}
}
