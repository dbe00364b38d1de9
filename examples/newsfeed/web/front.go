// Package web is what the world sees of the news feed: the limit on posting, and the HTTP interface.
//
// Read exchanges.go for the interface by example, web.go for how a session's version finds its way into a read, front.go for the limit.
package web

import (
	"net/http"
	"strings"

	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

// Limited puts a quota before posting, by author. Whoever posts makes work for each of his followers, so this is the tap of the whole
// system. Reading is not limited.
func Limited(next http.Handler, authors ratelimit.Backend) (http.Handler, error) {
	limit, err := httplimit.New(authors, httplimit.Options{
		Deny: httplimit.Problem,
		Key: func(r *http.Request) (string, bool) {
			return caller(r), caller(r) != "" && r.Method == http.MethodPost
		},
	})
	if err != nil {
		return nil, err
	}
	return limit(next), nil
}

// caller is the name in "Authorization: Bearer NAME", "" without one. It stands for the identity that a real service has verified.
func caller(r *http.Request) string {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(name)
}
