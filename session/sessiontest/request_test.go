package sessiontest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

type account struct{ Visits int }

// The test of a handler that wants a logged-in user.
func TestRequestCarriesASession(t *testing.T) {
	store, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := session.NewKeyring(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]session.Options{
		"cookie": {}, "bearer": {Transport: session.Bearer{}}, "header": {Transport: session.Bearer{Header: "X-Session"}},
	} {
		server, err := session.New[account](store, opts)
		if err != nil {
			t.Fatal(err)
		}
		client, err := session.NewClientSide[account](keys, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*session.Manager[account]{server, client} {
			for _, user := range []string{"ann", ""} {
				h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					s, err := m.Get(r.Context())
					_, _ = fmt.Fprint(w, s.UserID(), s.Data().Visits, err)
				}))
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/account", nil)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, sessiontest.Request(t, m, r, user, account{Visits: 7}))
				if got, want := w.Body.String(), user+"7 <nil>"; got != want && got != user+"7<nil>" {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
				if len(r.Header) > 0 {
					t.Error("the request given was changed")
				}
			}
		}
	}
}
