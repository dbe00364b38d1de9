package httplimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

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

// A client that keeps to its own pace and to what the server asks for.
func ExampleNewTransport() {
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served++
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	perHost, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerSecond(5)}, ratelimit.Options{Capacity: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := http.Client{
		Transport: httplimit.NewTransport(nil, func(r *http.Request) ratelimit.Limiter { return perHost.Key(r.URL.Host) }),
		Timeout:   10 * time.Second,
	}
	for range 2 {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		response, err := client.Do(request)
		if err != nil {
			fmt.Println("not sent:", errors.Is(err, ratelimit.ErrDeadline))
			continue
		}
		_ = response.Body.Close()
		fmt.Println(response.Status)
	}
	fmt.Println(served, "served")
	// Output:
	// 429 Too Many Requests
	// not sent: true
	// 1 served
}
