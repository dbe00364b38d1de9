package ratelimitrows

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/go-chi/httprate"
)

// httprateOnKeys asks the limiter behind its middleware, which needs a request and a response to write headers to.
func httprateOnKeys() (func(string), error) {
	l := httprate.NewRateLimiter(keyedTokens, time.Minute)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	return func(key string) { l.OnLimit(discard{http.Header{}}, r, key) }, nil
}

func httprateMiddleware(tokens int, next http.Handler) http.Handler {
	byAddress := func(r *http.Request) (string, error) { // what ByIP is without proxies
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		return host, err
	}
	return httprate.LimitBy(tokens, time.Hour, byAddress)(next)
}
