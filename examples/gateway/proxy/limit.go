package proxy

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/problem"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

// UnlimitedHeader is set to "unavailable" on answers to requests that nobody could count.
const UnlimitedHeader = "X-RateLimit-Status"

// Limit says how much a client may ask for, and what happens when nobody can tell.
type Limit struct {
	// Backend decides. It lies in a store that all gateways share, or else each of them grants the whole limit. It must obey a
	// deadline of its own: see Within.
	Backend ratelimit.Backend
	// Closed refuses what cannot be counted. Otherwise it is served: a limiter that is away must not be an outage.
	Closed bool
}

// expensive is what POST /work costs; anything else costs 1.
const expensive = 10

// limited puts a limit before a handler.
func limited(next http.Handler, l Limit) (http.Handler, error) {
	address := httplimit.ByIP()
	limit, err := httplimit.New(l.Backend, httplimit.Options{
		Key: func(r *http.Request) (string, bool) {
			if name := user(r); name != "" {
				return "user:" + name, true
			}
			key, known := address(r)
			return "ip:" + key, known
		},
		Cost: func(r *http.Request) int {
			if r.Method == http.MethodPost && r.URL.Path == "/work" {
				return expensive
			}
			return 1
		},
		Deny: httplimit.Problem,
		OnError: func(w http.ResponseWriter, _ *http.Request, _ error) (serve bool) {
			w.Header().Set(UnlimitedHeader, "unavailable")
			if l.Closed {
				w.Header().Set("Retry-After", "1")
				problem.Write(w, http.StatusServiceUnavailable, "rate limits are not available; try again later")
			}
			return !l.Closed
		},
	})
	if err != nil {
		return nil, err
	}
	return limit(next), nil
}

// user is the name in "Authorization: Bearer NAME", "" without one. It stands for the identity that a real gateway has verified:
// a key that the client chooses would be a limit that the client chooses.
func user(r *http.Request) string {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(name)
}

// Within gives every decision of a backend a deadline. A store that refuses costs nothing; one that does not answer costs
// whatever its callers are willing to wait, which without a deadline is everything they have.
func Within(d time.Duration, b ratelimit.Backend) ratelimit.Backend { return within{b, d} }

type within struct {
	ratelimit.Backend
	d time.Duration
}

func (w within) Take(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, w.d)
	defer cancel()
	return w.Backend.Take(ctx, key, n)
}
