package session_test

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// A request that was in flight with a planted token at the victim's login must not write into his session.
func TestUpdateInFlightDoesNotCrossALogin(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	victim := s.browser()
	victim.increment() // the anonymous session whose token the thief planted
	thief := victim.clone()
	evil := thief.start(func(s *session.Session[Data], _ *http.Request) {
		thief.must(s.Update(func(d *Data) error { d.Flash = "pay to the thief"; return nil }))
	}, nothing)
	victim.login("victim")
	answer := evil()
	wantStatus(t, answer, http.StatusUnauthorized)
	wantCookies(t, answer, 0)
	victim.get(func(s *session.Session[Data], _ *http.Request) {
		if d := s.Data(); d.Flash != "" || d.N != 1 || s.UserID() != "victim" {
			t.Errorf("the victim's session: %+v of %q", d, s.UserID())
		}
	})
	thief.wantState("", 0)
}

// An update and a login in flight together on data that another request changes: the login carries on.
func TestLoginReplaysOverAnUpdate(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.increment()
	finish := b.start(func(s *session.Session[Data], _ *http.Request) { b.must(s.Update(increment)) },
		func(s *session.Session[Data], r *http.Request) {
			b.must(s.Login(r.Context(), "ann", session.LoginOptions{}))
		})
	other := b.clone()
	wantStatus(t, other.increment(), http.StatusOK)
	wantStatus(t, finish(), http.StatusOK)
	b.wantState("ann", 3)
	other.wantState("", 0)
}

func TestTwoLoginsOneWins(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.increment()
	var errs [2]error
	var finish [2]func() *answer
	browsers := [2]*browser{b.clone(), b.clone()}
	for i, user := range []string{"ann", "bob"} {
		finish[i] = browsers[i].start(nothing, func(s *session.Session[Data], r *http.Request) {
			errs[i] = s.Login(r.Context(), user, session.LoginOptions{})
		})
	}
	var wg sync.WaitGroup
	for i := range finish {
		wg.Go(func() { finish[i]() })
	}
	wg.Wait()
	winner := 0
	if errs[0] != nil {
		winner = 1
	}
	if errs[winner] != nil || !errors.Is(errs[1-winner], session.ErrRevoked) && !errors.Is(errs[1-winner], session.ErrConflict) {
		t.Fatalf("errors %v", errs)
	}
	browsers[winner].wantState([]string{"ann", "bob"}[winner], 1)
	browsers[1-winner].wantState("", 0)
}

func TestRevokeUserBesideLogin(t *testing.T) {
	for range 50 {
		s := newSite(t, session.Options{}, nil)
		old := s.browser()
		old.login("ann")
		var browsers [4]*browser
		var loggedIn [4]bool
		var wg sync.WaitGroup
		for i := range browsers {
			browsers[i] = s.browser()
			browsers[i].increment()
			wg.Go(func() {
				browsers[i].get(func(s *session.Session[Data], r *http.Request) {
					loggedIn[i] = s.Login(r.Context(), "ann", session.LoginOptions{}) == nil
				})
			})
		}
		wg.Go(func() {
			_, err := s.RevokeUser(t.Context(), "ann")
			s.must(err)
		})
		wg.Wait()
		old.wantState("", 0)
		listed := 0
		for _, err := range s.List(t.Context(), "ann") {
			s.must(err)
			listed++
		}
		alive := 0
		for i, b := range browsers {
			if user, _ := b.state(); user == "ann" {
				alive++
			} else if user != "" || !loggedIn[i] {
				t.Errorf("half a login: %q", user)
			}
		}
		if listed != alive {
			t.Errorf("%d listed, %d alive", listed, alive)
		}
	}
}

// A reply is lost after the store has written: the update must not run again.
func TestLostReplyIsNotRetried(t *testing.T) {
	lost := errors.New("reply lost")
	var lose atomic.Bool
	s := newSite(t, session.Options{}, func(c sessiontest.Call) sessiontest.Fault {
		if c.Op == "Save" && lose.Swap(false) {
			return sessiontest.Fault{After: lost}
		}
		return sessiontest.Fault{}
	})
	b := s.browser()
	b.increment()
	b.get(func(got *session.Session[Data], r *http.Request) {
		s.must(got.Update(increment))
		lose.Store(true)
		err := got.Save(r.Context())
		if !errors.Is(err, lost) || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Save: %v", err)
		}
		if err := got.Update(increment); !errors.Is(err, lost) {
			t.Errorf("Update after a save of unknown outcome: %v", err)
		}
		if saves := s.store.Calls("Save"); saves != 2 {
			t.Errorf("%d saves", saves)
		}
		s.must(got.Reload(r.Context()))
		if n := got.Data().N; n != 2 {
			t.Errorf("n = %d after Reload, want 2: the save had arrived", n)
		}
		s.must(got.Update(increment))
	})
	b.wantState("", 3)
}

// Commits of 64 goroutines on one session, each a request of its own, none lost and none starved.
func TestContendedSessionLosesNothing(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.increment()
	var wg sync.WaitGroup
	for range 64 {
		mine := b.clone()
		wg.Go(func() {
			for range 50 {
				wantStatus(t, mine.increment(), http.StatusOK)
			}
		})
	}
	began := time.Now()
	wg.Wait()
	b.wantState("", 1+64*50)
	t.Logf("%.0f commits/s, %+v", 64*50/time.Since(began).Seconds(), s.Stats())
}

// Two goroutines of one request update: both are kept.
func TestParallelUpdatesOfOneRequest(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.get(func(got *session.Session[Data], r *http.Request) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					s.must(got.Update(increment))
				}
				s.must(got.Save(r.Context()))
			})
		}
		wg.Wait()
	})
	b.wantState("", 160)
}

func TestSaveByReplayStopsAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conflict atomic.Bool
		s := newSite(t, session.Options{}, func(c sessiontest.Call) sessiontest.Fault {
			if c.Op == "Save" && conflict.Load() {
				return sessiontest.Fault{Before: session.ErrConflict}
			}
			return sessiontest.Fault{}
		})
		b := s.browser()
		b.increment()
		conflict.Store(true)
		began := time.Now()
		answer := b.increment()
		wantStatus(t, answer, http.StatusConflict)
		if took := time.Since(began); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("gave up after %v", took)
		}
		conflict.Store(false)
		b.wantState("", 1)
	})
}
