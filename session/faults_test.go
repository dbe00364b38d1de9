package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// Each store call of a flow fails, once before and once after it took effect. Whatever happens: an update that was
// acknowledged is there or the session is gone, and after an acknowledged logout nobody is logged in.
func TestEveryCallMayFail(t *testing.T) {
	lost := errors.New("lost")
	for _, op := range []string{"Load", "Save", "Touch", "Remove"} {
		for n := 1; n <= 8; n++ {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s-%d-after=%v", op, n, after), func(t *testing.T) {
					s := newSite(t, session.Options{}, func(c sessiontest.Call) sessiontest.Fault {
						switch {
						case c.Op != op || c.N != n:
							return sessiontest.Fault{}
						case after:
							return sessiontest.Fault{After: lost}
						}
						return sessiontest.Fault{Before: lost}
					})
					runFlow(t, s)
				})
			}
		}
	}
}

func runFlow(t *testing.T, s *site) {
	t.Helper()
	b := s.browser()
	acknowledged, uncertain := 0, 0
	step := func(f func(got *session.Session[Data], r *http.Request) error) bool {
		var err error
		answer := b.do(func(_ http.ResponseWriter, r *http.Request) {
			var got *session.Session[Data]
			if got, err = s.Get(r.Context()); err == nil {
				err = f(got, r)
			}
		})
		return err == nil && answer.StatusCode == http.StatusOK
	}
	update := func() {
		if step(func(got *session.Session[Data], _ *http.Request) error { return got.Update(increment) }) {
			acknowledged++
		} else {
			uncertain++
		}
	}
	update()
	loggedIn := step(func(got *session.Session[Data], r *http.Request) error {
		return got.Login(r.Context(), "ann", session.LoginOptions{})
	})
	update()
	other := b.clone()
	step(func(got *session.Session[Data], r *http.Request) error { return got.Renew(r.Context()) })
	update()
	s.browser().do(func(http.ResponseWriter, *http.Request) {}) // a request that never asks
	var user string
	var n int
	if step(func(got *session.Session[Data], _ *http.Request) error {
		user, n = got.UserID(), got.Data().N
		return nil
	}) {
		switch {
		case user == "ann" && loggedIn && (n > acknowledged+uncertain):
			t.Errorf("n = %d, %d acknowledged and %d uncertain updates", n, acknowledged, uncertain)
		case user == "ann" && uncertain == 0 && n != acknowledged:
			t.Errorf("n = %d of %d acknowledged updates", n, acknowledged)
		}
	}
	last := b.clone()
	if !step(func(got *session.Session[Data], r *http.Request) error {
		if got.UserID() == "" {
			return errors.New("not logged in")
		}
		return got.Logout(r.Context())
	}) {
		return
	}
	for _, copied := range []*browser{b, last, other} {
		copied.do(func(_ http.ResponseWriter, r *http.Request) {
			if got, _ := s.Get(r.Context()); got.UserID() != "" { // with or without an error
				t.Errorf("logged in as %q after an acknowledged logout", got.UserID())
			}
		})
	}
}
