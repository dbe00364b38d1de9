package session_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func rotating() session.Options {
	return session.Options{Rotation: session.Rotation{Every: 5 * time.Minute}}
}

func sleep(d time.Duration) { <-time.After(d) } // inside a bubble

// At the first Get after it is due, and only then, a session gets a new secret; ID, user and data stay.
func TestRotationReplacesTheSecretWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, rotating(), nil)
		b := s.browser()
		b.increment()
		b.login("ann")
		var id session.ID
		wantCookies(t, b.get(func(s *session.Session[Data], _ *http.Request) { id = s.ID() }), 0)
		sleep(5*time.Minute - time.Millisecond)
		wantCookies(t, b.get(func(*session.Session[Data], *http.Request) {}), 0)
		sleep(time.Millisecond)
		wantCookies(t, b.do(func(http.ResponseWriter, *http.Request) {}), 0) // no Get
		before := b.clone()
		saves := s.Stats().Saves
		answer := b.get(func(s *session.Session[Data], _ *http.Request) {
			if s.ID() != id {
				t.Error("another ID")
			}
		})
		wantCookies(t, answer, 1)
		if answer.Header.Get("Cache-Control") != "no-store" {
			t.Error("the new token may be cached")
		}
		if got := s.Stats().Saves - saves; got != 1 {
			t.Errorf("%d saves", got)
		}
		wantCookies(t, b.get(func(*session.Session[Data], *http.Request) {}), 0)
		b.wantState("ann", 1)
		// The old secret is good for 30 s, to the millisecond, and no longer.
		sleep(30*time.Second - time.Millisecond)
		wantCookies(t, before.get(func(*session.Session[Data], *http.Request) {}), 0)
		before.wantState("ann", 1)
		sleep(time.Millisecond)
		wantCookies(t, before.get(func(*session.Session[Data], *http.Request) {}), 0) // not cleared either
		before.wantState("", 0)
		b.wantState("ann", 1)
	})
}

// A second rotation leaves no trace of the secret two before: it is a wrong one like any other.
func TestOnlyOnePreviousSecretIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := rotating()
		opts.Rotation.Grace = 5 * time.Minute
		var kinds []session.EventKind
		opts.OnEvent = onEvents(&kinds)
		s := newSite(t, opts, nil)
		b := s.browser()
		b.login("ann")
		first := b.clone()
		for range 2 {
			sleep(5 * time.Minute)
			wantCookies(t, b.get(nothing), 1)
		}
		first.wantState("", 0)
		b.wantState("ann", 0)
		if kinds[len(kinds)-1] != session.EventForged {
			t.Errorf("events %v", kinds)
		}
	})
}

// Six requests of a page come together with one secret that is due: one rotates, all are served, and what they
// change is kept.
func TestParallelRequestsRotateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, rotating(), func(sessiontest.Call) sessiontest.Fault {
			return sessiontest.Fault{Delay: time.Millisecond} // they all load before one saves
		})
		b := s.browser()
		b.login("ann")
		sleep(6 * time.Minute)
		var wg sync.WaitGroup
		var cookies atomic.Int32
		fresh := make(chan *browser, 6)
		for range 6 {
			wg.Go(func() {
				mine := b.clone()
				answer := mine.increment()
				wantStatus(t, answer, http.StatusOK)
				if n := len(setCookies(answer)); n > 0 {
					cookies.Add(int32(n))
					fresh <- mine
				}
			})
		}
		wg.Wait()
		if cookies.Load() != 1 {
			t.Fatalf("%d rotations, want 1", cookies.Load())
		}
		(<-fresh).wantState("ann", 6)
		b.wantState("ann", 6) // in its grace
	})
}

// The generation stays: a request that was under way with the old secret still saves, even without a conflict of its own.
func TestRotationLetsRequestsUnderWaySave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, rotating(), nil)
		b := s.browser()
		b.login("ann")
		sleep(5*time.Minute - time.Second)
		slow := b.clone().start(func(s *session.Session[Data], _ *http.Request) { b.must(s.Update(increment)) }, nothing)
		sleep(time.Second)
		wantCookies(t, b.increment(), 1)
		wantStatus(t, slow(), http.StatusOK)
		b.wantState("ann", 2)
	})
}

// Login and Renew end the secret before the rotation too: no grace.
func TestLoginAndRenewGrantNoGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, change := range map[string]func(s *session.Session[Data], r *http.Request) error{
			"login": func(s *session.Session[Data], r *http.Request) error {
				return s.Login(r.Context(), "ann", session.LoginOptions{})
			},
			"renew": func(s *session.Session[Data], r *http.Request) error { return s.Renew(r.Context()) },
		} {
			s := newSite(t, rotating(), nil)
			b := s.browser()
			b.login("ann")
			sleep(5 * time.Minute)
			before := b.clone()
			wantCookies(t, b.get(nothing), 1)
			rotated := b.clone()
			before.wantState("ann", 0)
			b.get(func(s *session.Session[Data], r *http.Request) { b.must(change(s, r)) })
			before.wantState("", 0)
			rotated.wantState("", 0)
			if user, _ := b.state(); user != "ann" {
				t.Errorf("%s: user %q", name, user)
			}
		}
	})
}

func onEvents(kinds *[]session.EventKind) func(context.Context, session.Event) {
	var mu sync.Mutex
	return func(_ context.Context, e session.Event) {
		mu.Lock()
		defer mu.Unlock()
		*kinds = append(*kinds, e.Kind)
	}
}

// A previous secret after its grace is reported; it ends the session only if that is wanted.
func TestReuseIsDetected(t *testing.T) {
	for _, revoke := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			opts := rotating()
			opts.Rotation.RevokeOnReuse = revoke
			var kinds []session.EventKind
			opts.OnEvent = onEvents(&kinds)
			s := newSite(t, opts, nil)
			b := s.browser()
			b.login("ann")
			thief := b.clone()
			sleep(5 * time.Minute)
			b.get(nothing)
			sleep(29 * time.Second)
			thief.wantState("ann", 0)
			if slices.Contains(kinds, session.EventReused) {
				t.Error("reported within the grace")
			}
			sleep(time.Second)
			wantCookies(t, thief.get(nothing), 0)
			if n := len(kinds); kinds[n-1] != session.EventReused || s.Stats().Forged != 1 {
				t.Errorf("events %v, %d forged", kinds, s.Stats().Forged)
			}
			if revoke {
				b.wantState("", 0)
			} else {
				b.wantState("ann", 0)
			}
		})
	}
}

// If the header is out, the secret stays: the browser could not learn the new one.
func TestNoRotationAfterTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, rotating(), nil)
		b := s.browser()
		b.login("ann")
		sleep(5 * time.Minute)
		saves := s.Stats().Saves
		b.do(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			if got := b.session(r); got.UserID() != "ann" {
				t.Error("not logged in")
			}
		})
		if s.Stats().Saves != saves {
			t.Error("rotated")
		}
		wantCookies(t, b.get(nothing), 1) // at the next one
		token := b.cookies["__Host-Http-session"]
		sleep(5 * time.Minute)
		if got, err := s.Lookup(t.Context(), token); err != nil || got.Token() != token {
			t.Errorf("Lookup rotates: %v", err)
		}
	})
}

// A header that another goroutine sends while the secret is being replaced waits for the cookie.
func TestHeaderWaitsForARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, rotating(), func(c sessiontest.Call) sessiontest.Fault {
			if c.Op != "Save" {
				return sessiontest.Fault{}
			}
			return sessiontest.Fault{Delay: time.Second}
		})
		b := s.browser()
		b.login("ann")
		sleep(6 * time.Minute)
		before := b.clone()
		answer := b.do(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				if got := b.session(r); got.UserID() != "ann" {
					t.Error("not logged in")
				}
			}()
			synctest.Wait() // it saves the new secret
			_, _ = w.Write(page)
		})
		wantCookies(t, answer, 1)
		b.wantState("ann", 0)
		sleep(time.Minute)
		before.wantState("", 0)
	})
}

// Whatever the store does during a rotation, the browser that obeys the answer stays logged in past the grace.
func TestRotationSurvivesTheStore(t *testing.T) {
	lost := errors.New("lost")
	for name, plan := range map[string]func(op string, n int) sessiontest.Fault{
		"save fails": func(op string, n int) sessiontest.Fault {
			if op == "Save" && n == 1 {
				return sessiontest.Fault{Before: lost}
			}
			return sessiontest.Fault{}
		},
		"reply lost": func(op string, n int) sessiontest.Fault {
			if op == "Save" && n == 1 {
				return sessiontest.Fault{After: lost}
			}
			return sessiontest.Fault{}
		},
		"save and load fail": func(op string, n int) sessiontest.Fault {
			if op == "Save" && n == 1 || op == "Load" && n == 2 {
				return sessiontest.Fault{Before: lost}
			}
			return sessiontest.Fault{}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var faulty atomic.Bool
			calls := map[string]int{}
			s := newSite(t, rotating(), func(c sessiontest.Call) sessiontest.Fault {
				if !faulty.Load() {
					return sessiontest.Fault{}
				}
				calls[c.Op]++
				return plan(c.Op, calls[c.Op])
			})
			b := s.browser()
			b.login("ann")
			sleep(5 * time.Minute)
			faulty.Store(true)
			wantStatus(t, b.get(func(s *session.Session[Data], _ *http.Request) {
				if s.UserID() != "ann" {
					t.Errorf("%s: user %q", name, s.UserID())
				}
			}), http.StatusOK)
			faulty.Store(false)
			sleep(time.Minute)
			b.wantState("ann", 0)
			sleep(time.Minute)
			b.wantState("ann", 0)
			if s.Stats().StoreErrors == 0 {
				t.Errorf("%s: not counted", name)
			}
		})
	}
}

// A login, a logout or a plain update that comes between the load and the save of a rotation.
func TestRotationMeetsOtherChanges(t *testing.T) {
	for name, c := range map[string]struct {
		between func(b *browser)
		user    string
		n       int
		cookies int
	}{
		"update": {func(b *browser) { b.increment() }, "ann", 1, 1},
		"login":  {func(b *browser) { b.login("ann") }, "", 0, 0},
		"logout": {func(b *browser) { b.logout() }, "", 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var b *browser
			var armed bool
			s := newSite(t, rotating(), func(call sessiontest.Call) sessiontest.Fault {
				if call.Op == "Save" && armed {
					armed = false
					other := b.clone()
					other.between(c.between)
				}
				return sessiontest.Fault{}
			})
			b = s.browser()
			b.login("ann")
			sleep(6 * time.Minute)
			armed = true
			var user string
			var n int
			answer := b.get(func(s *session.Session[Data], _ *http.Request) { user, n = s.UserID(), s.Data().N })
			if user != c.user || n != c.n || len(setCookies(answer)) != c.cookies {
				t.Errorf("%s: user %q with %d, %d cookies", name, user, n, len(setCookies(answer)))
			}
			b.wantState(c.user, c.n)
		})
	}
}

// between runs f on a site that does not rotate, so that it can come first.
func (b *browser) between(f func(b *browser)) {
	b.t.Helper()
	m, err := session.New[Data](b.store, session.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	f(&browser{site: &site{Manager: m, t: b.t, store: b.store, h: m.Handler(runNamed{})}, cookies: b.cookies})
}

// A rotation is a use: idle and absolute limits hold as without.
func TestRotationKeepsTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := rotating()
		opts.IdleTimeout, opts.AbsoluteTimeout = 10*time.Minute, time.Hour
		s := newSite(t, opts, nil)
		b := s.browser()
		b.login("ann")
		for range 11 {
			sleep(5 * time.Minute)
			wantCookies(t, b.get(nothing), 1)
		}
		sleep(5*time.Minute - time.Millisecond)
		b.wantState("ann", 0)
		sleep(time.Millisecond)
		b.wantState("", 0)
		b.login("ann")
		sleep(5 * time.Minute)
		b.get(nothing)
		sleep(10*time.Minute - time.Millisecond)
		if user, _ := b.clone().state(); user != "ann" {
			t.Error("ended before the idle limit")
		}
	})
}
