package sessiontest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sysblocks/sysblocks/session"
)

// Request returns a copy of r that carries a new session of userID ("" = anonymous) with that data. It stores the
// session through m, so it works for cookies, bearer tokens and client-side sessions alike.
func Request[T any](tb testing.TB, m *session.Manager[T], r *http.Request, userID string, data T) *http.Request {
	tb.Helper()
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, err := m.Get(r.Context())
		if err == nil {
			err = s.Update(func(d *T) error { *d = data; return nil })
		}
		if err == nil && userID != "" {
			err = s.Login(r.Context(), userID, session.LoginOptions{})
		}
		if err != nil {
			tb.Fatalf("sessiontest: new session: %v", err)
		}
	})).ServeHTTP(w, httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/", nil))
	answer := w.Result()
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		tb.Fatalf("sessiontest: new session: status %d", answer.StatusCode)
	}
	out := r.Clone(r.Context())
	for _, c := range answer.Cookies() {
		out.AddCookie(c)
	}
	for name, values := range answer.Header {
		switch name {
		case "Set-Cookie", "Vary", "Cache-Control":
		case "Session-Token":
			out.Header.Set("Authorization", "Bearer "+values[0])
		default: // a transport with a header of its own takes it both ways
			out.Header[name] = values
		}
	}
	return out
}
