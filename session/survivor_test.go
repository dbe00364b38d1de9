package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// interfere runs f before the n-th call of op from now on.
func interfere(calls *int, op string, f func()) func(sessiontest.Call) sessiontest.Fault {
	return func(c sessiontest.Call) sessiontest.Fault {
		if c.Op == op && *calls > 0 {
			if *calls--; *calls == 0 {
				f()
			}
		}
		return sessiontest.Fault{}
	}
}

// A login of another user drops the data even if a request of the first one saves in between.
func TestLoginOfAnotherUserDropsNewerDataToo(t *testing.T) {
	var b *browser
	n := 0
	s := newSite(t, session.Options{}, interfere(&n, "Save", func() { b.clone().increment() }))
	b = s.browser()
	b.login("ann")
	b.increment()
	n = 1
	b.login("bob")
	b.wantState("bob", 0)
}

// Updates that come while a commit is under way stay pending, on top of what the commit has found.
func TestUpdatesDuringACommitAreKept(t *testing.T) {
	var b *browser
	var current *session.Session[Data]
	n := 0
	s := newSite(t, session.Options{}, interfere(&n, "Save", func() { b.must(current.Update(increment)) }))
	b = s.browser()
	b.login("ann")
	for _, conflict := range []bool{false, true} {
		b.get(func(got *session.Session[Data], r *http.Request) {
			current = got
			b.must(got.Update(increment))
			n = 1
			if conflict {
				b.clone().between(func(b *browser) { n = 0; b.increment(); n = 2 })
			}
			b.must(got.Save(r.Context()))
			b.must(got.Save(r.Context()))
		})
	}
	b.wantState("ann", 2+3)
}

// An update that comes while pending ones are run again on newer data is not overwritten.
func TestUpdateDuringARebaseIsKept(t *testing.T) {
	var b *browser
	var current *session.Session[Data]
	runs, n := 0, 0
	s := newSite(t, session.Options{}, interfere(&n, "Save", func() {
		b.must(current.Update(func(d *Data) error {
			if runs++; runs == 2 { // the rebase
				b.must(current.Update(func(d *Data) error { d.Lang = "de"; return nil }))
			}
			d.N += 10
			return nil
		}))
	}))
	b = s.browser()
	b.login("ann")
	b.get(func(got *session.Session[Data], r *http.Request) {
		current = got
		b.must(got.Update(increment))
		b.clone().between(func(b *browser) { b.increment() })
		n = 2 // the save after the conflict
		b.must(got.Save(r.Context()))
		if d := got.Data(); d.N != 12 || d.Lang != "de" {
			t.Errorf("%+v", d)
		}
	})
	b.get(func(got *session.Session[Data], _ *http.Request) {
		if d := got.Data(); d.N != 12 || d.Lang != "de" {
			t.Errorf("stored %+v", d)
		}
	})
}

// A login that a newer one has ended before it returned says so and sends no cookie.
func TestLoginBeyondTheLimitSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *site
		n := 0
		s = newSite(t, session.Options{MaxPerUser: 1}, interfere(&n, "ListUser", func() {
			sleep(time.Second)
			s.browser().between(func(b *browser) { b.login("ann") }) // has not come to its own limit yet
		}))
		b := s.browser()
		n = 1
		answer := b.get(func(got *session.Session[Data], r *http.Request) {
			if err := got.Login(r.Context(), "ann", session.LoginOptions{}); !errors.Is(err, session.ErrRevoked) {
				t.Errorf("Login: %v", err)
			}
		})
		wantCookies(t, answer, 0)
		if s.count("ann") != 1 {
			t.Errorf("%d sessions", s.count("ann"))
		}
	})
}

// Who brings a previous secret may use the session and does not rotate it, even where another manager would.
func TestPreviousSecretDoesNotRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := rotating()
		opts.Rotation.Grace = 5 * time.Minute
		s := newSite(t, opts, nil)
		b := s.browser()
		b.login("ann")
		sleep(5 * time.Minute)
		before := b.clone()
		wantCookies(t, b.get(nothing), 1)
		sleep(2 * time.Minute)
		hasty, err := session.New[Data](s.store, session.Options{Rotation: session.Rotation{Every: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		before.site = &site{Manager: hasty, t: t, store: s.store, h: hasty.Handler(runNamed{})}
		wantCookies(t, before.get(nothing), 0)
		before.wantState("ann", 0)
	})
}

// While no rotation succeeds, the idle limit is kept by touches.
func TestFailedRotationStillCountsTheUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := false
		opts := rotating()
		opts.IdleTimeout = 10 * time.Minute
		s := newSite(t, opts, func(c sessiontest.Call) sessiontest.Fault {
			if failing && c.Op == "Save" {
				return sessiontest.Fault{Before: errors.New("disk full")}
			}
			return sessiontest.Fault{}
		})
		b := s.browser()
		b.login("ann")
		failing = true
		for range 6 {
			sleep(6 * time.Minute)
			wantCookies(t, b.get(nothing), 0)
		}
		failing = false
		b.wantState("ann", 0)
	})
}

// late is a store that forgets to look at the expiry.
type late struct {
	session.Store
	rec session.Record
}

func (s *late) Load(ctx context.Context, id session.ID) (session.Record, error) {
	rec, err := s.Store.Load(ctx, id)
	if err == nil {
		s.rec = rec
	}
	return s.rec, nil
}

// A session ends in time even on a store that is late.
func TestManagerLooksAtTheExpiryItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := session.New[Data](&late{Store: memory(t, session.MemoryOptions{})}, session.Options{IdleTimeout: -1, AbsoluteTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		b := (&site{Manager: m, t: t, h: m.Handler(runNamed{})}).browser()
		b.login("ann")
		sleep(time.Hour - time.Millisecond)
		b.wantState("ann", 0)
		sleep(time.Millisecond)
		b.wantState("", 0)
	})
}

// With one unknown token and one with a wrong secret, nothing is cleared: the second may just have been renewed.
func TestWrongSecretBesideAnUnknownTokenClearsNothing(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	const name = "__Host-Http-session"
	token := b.cookies[name]
	wrong := token[:40] + strings.Repeat("A", 24)
	unknown := strings.Repeat("A", 64)
	for cookies, want := range map[string]int{
		name + "=" + unknown + "; " + name + "=" + wrong: 0,
		name + "=" + wrong + "; " + name + "=" + unknown: 0,
		name + "=" + unknown:                             1,
	} {
		r := b.request(http.MethodGet)
		r.Header.Set("Cookie", cookies)
		wantCookies(t, b.clone().send(r, func(_ http.ResponseWriter, r *http.Request) { b.session(r) }), want)
	}
}

// Browsers grant 400 days and no more.
func TestPersistentCookieLivesAtMost400Days(t *testing.T) {
	h := http.Header{}
	session.Cookie{}.Send(h, "x", time.Now().Add(500*24*time.Hour), true)
	if !strings.Contains(h.Get("Set-Cookie"), "Max-Age=34560000;") {
		t.Error(h.Get("Set-Cookie"))
	}
}

// RFC 6265 allows no control characters in a value, DEL among them.
func TestCookieValueWithDELIsNone(t *testing.T) {
	for value, want := range map[string]bool{"a\x7fb": false, "a\x1fb": false, "a~b": true, "a b": true} {
		_, ok := session.Cookie{Name: "n"}.Token(&http.Request{Header: http.Header{"Cookie": {"n=" + value}}}, 0)
		if ok != want {
			t.Errorf("%q: %v", value, ok)
		}
	}
}

// A handler that recovers from the panic of an update function, run again in the commit, cannot send its page.
func TestPanicInACommitSendsNothing(t *testing.T) {
	var b *browser
	n := 0
	s := newSite(t, session.Options{}, interfere(&n, "Save", func() { b.clone().increment() }))
	b = s.browser()
	b.login("ann")
	answer := b.do(func(w http.ResponseWriter, r *http.Request) {
		runs := 0
		b.must(b.session(r).Update(func(d *Data) error {
			if runs++; runs > 1 {
				panic("again")
			}
			d.N += 100
			return nil
		}))
		n = 1
		func() {
			defer func() { _ = recover() }()
			_, _ = w.Write(page)
		}()
		if k, err := w.Write(page); k != 0 || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("a later write: %d, %v", k, err)
		}
	})
	if answer.Body != "" {
		t.Errorf("sent %q", answer.Body)
	}
	b.wantState("ann", 1)
}
