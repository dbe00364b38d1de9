package session_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

const cookieName = "__Host-Http-session"

func TestClientSideIsTheSameAPI(t *testing.T) {
	s := newSealedSite(t, session.Options{})
	b := s.browser()
	wantCookies(t, b.increment(), 1)
	wantCookies(t, b.login("ann"), 1)
	wantCookies(t, b.increment(), 1)
	b.wantState("ann", 2)
	wantCookies(t, b.get(nothing), 0) // a read sends nothing
	b.login("bob")
	b.wantState("bob", 0)
	b.get(func(got *session.Session[Data], r *http.Request) {
		s.must(got.Renew(r.Context()))
		s.must(got.Reload(r.Context()))
		if got.Token() == "" || got.Info().UserID != "bob" {
			t.Errorf("%+v", got.Info())
		}
	})
	b.logout()
	b.wantState("", 0)
	if len(b.cookies) > 0 {
		t.Error("the cookie is left")
	}
}

func TestClientSideTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSealedSite(t, session.Options{IdleTimeout: 10 * time.Minute, AbsoluteTimeout: time.Hour})
		b := s.browser()
		b.login("ann")
		sent := 0
		for range 59 {
			<-time.After(time.Minute)
			answer := b.get(nothing)
			sent += len(setCookies(answer))
			b.wantState("ann", 0)
		}
		if sent < 45 || sent > 59 {
			t.Errorf("%d cookies in 59 minutes, want one a minute until the deadline is near", sent)
		}
		<-time.After(time.Minute)
		stale := b.clone()
		wantCookies(t, b.get(nothing), 1) // cleared
		stale.wantState("", 0)
		b.login("ann")
		<-time.After(10 * time.Minute)
		b.wantState("", 0)
	})
}

func TestSealedCookieBelongsToItsPlace(t *testing.T) {
	one := newSealedSite(t, session.Options{})
	two := newSealedSite(t, session.Options{Transport: session.Cookie{Name: "admin"}})
	b := one.browser()
	b.login("ann")
	thief := two.browser()
	thief.cookies["admin"] = b.cookies[cookieName]
	thief.wantState("", 0)
	if two.Stats().Forged != 1 {
		t.Error("a cookie of another manager is not refused as forged")
	}
	// Every character counts.
	good := b.cookies[cookieName]
	for i := range good {
		c := byte('A')
		if good[i] == 'A' {
			c = 'B'
		}
		changed := b.clone()
		changed.cookies[cookieName] = good[:i] + string(c) + good[i+1:]
		changed.wantState("", 0)
	}
	for _, bad := range []string{good + "A", good + "=", good[1:], "", "x", strings.Repeat("A", 60)} {
		changed := b.clone()
		changed.cookies[cookieName] = bad
		changed.wantState("", 0)
	}
}

func TestClientSideAfterTheHeader(t *testing.T) {
	s := newSealedSite(t, session.Options{})
	b := s.browser()
	b.login("ann")
	b.do(func(w http.ResponseWriter, r *http.Request) {
		got := s.session(r)
		_, _ = io.WriteString(w, "x")
		if err := got.Update(increment); !errors.Is(err, session.ErrCommitted) {
			t.Errorf("Update after the header: %v", err)
		}
	})
	b.wantState("ann", 0)
}

func TestClientSideCapacity(t *testing.T) {
	s := newSealedSite(t, session.Options{})
	b := s.browser()
	b.login("user-of-16-bytes")
	fits := func(n int) (ok bool) {
		c := b.clone()
		answer := c.get(func(got *session.Session[Data], _ *http.Request) {
			err := got.Update(func(d *Data) error { d.Flash = strings.Repeat("x", n); return nil })
			ok = err == nil
			if !ok && !errors.Is(err, session.ErrTooLarge) {
				t.Errorf("%d bytes: %v", n, err)
			}
		})
		wantStatus(t, answer, http.StatusOK)
		if ok {
			if size := len(cookieName) + len(c.cookies[cookieName]); size > 4096 {
				t.Errorf("cookie of %d octets", size)
			}
		}
		return ok
	}
	n := 2000
	for fits(n + 1) {
		n++
	}
	n += len(`{"flash":""}`)
	t.Logf("%d bytes of encoded data fit into a cookie", n)
	if n < 2930 {
		t.Errorf("%d bytes fit, want 2930", n)
	}
	b.get(func(got *session.Session[Data], r *http.Request) {
		s.must(got.Update(func(d *Data) error { d.Flash = strings.Repeat("x", n-20); return nil }))
		err := got.Login(r.Context(), "user-of-16-bytes", session.LoginOptions{Device: strings.Repeat("d", 200)})
		if !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("a login that no longer fits: %v", err)
		}
	})
}

// The three steps of a key change, on managers that serve: accept the new key, seal with it, drop the old.
func TestKeyChangeInThreeSteps(t *testing.T) {
	ring := keyring(t, 1)
	m, err := session.NewClientSide[Data](ring, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Manager: m, t: t, h: m.Handler(runNamed{})}
	b := s.browser()
	b.login("ann")
	old := b.clone()
	if err := ring.Rotate(key(2)); err != nil {
		t.Fatal(err)
	}
	wantCookies(t, b.get(nothing), 1) // sealed anew
	wantCookies(t, b.get(nothing), 0)
	b.wantState("ann", 0)
	old.wantState("ann", 0)

	last := newSealedSite(t, session.Options{}) // only key 1
	gone := last.browser()
	gone.cookies = b.cookies
	gone.wantState("", 0)
	next, err := session.NewClientSide[Data](keyring(t, 2), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s2 := &site{Manager: next, t: t, h: next.Handler(runNamed{})}
	b2 := s2.browser()
	b2.cookies = b.cookies
	b2.wantState("ann", 0)
}

func TestTaggedTokens(t *testing.T) {
	ring := keyring(t, 1)
	s := newSite(t, session.Options{Keys: ring}, nil)
	b := s.browser()
	b.login("ann")
	if n := len(b.cookies[cookieName]); n != 80 {
		t.Errorf("token of %d characters, want 80", n)
	}
	b.wantState("ann", 0)
	loads := s.store.Calls("Load")
	for i := range 100 {
		flood := s.browser()
		flood.cookies[cookieName] = strings.Repeat(string(rune('A'+i%26)), 80)
		wantCookies(t, flood.get(nothing), 0)
	}
	if n := s.store.Calls("Load") - loads; n != 0 || s.Stats().Forged != 100 {
		t.Errorf("%d loads, %d forged", n, s.Stats().Forged)
	}
	if err := ring.Rotate(key(2)); err != nil {
		t.Fatal(err)
	}
	b.wantState("ann", 0)
}
