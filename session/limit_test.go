package session_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func (s *site) count(user string) (n int) {
	s.t.Helper()
	for _, err := range s.List(s.t.Context(), user) {
		s.must(err)
		n++
	}
	return n
}

// A login beyond the limit ends the oldest login, not the oldest or the least used session.
func TestMaxPerUserEndsTheOldestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked []session.ID
		s := newSite(t, session.Options{MaxPerUser: 3, OnEvent: func(_ context.Context, e session.Event) {
			if e.Kind == session.EventRevoked {
				revoked = append(revoked, e.ID)
			}
		}}, nil)
		var browsers [5]*browser
		login := func(i int, user string) {
			browsers[i].login(user)
			sleep(time.Second)
		}
		var first session.ID
		for i := range browsers {
			browsers[i] = s.browser()
		}
		login(0, "ann")
		login(1, "ann")
		login(2, "ann")
		login(0, "ann") // again: now the newest, and still three
		if s.count("ann") != 3 || len(revoked) != 0 {
			t.Fatalf("%d sessions, %v ended", s.count("ann"), revoked)
		}
		browsers[1].get(func(s *session.Session[Data], _ *http.Request) { first = s.ID() })
		browsers[1].increment() // used, but the oldest login
		login(3, "bob")
		login(4, "ann")
		for i, want := range []string{"ann", "", "ann", "bob", "ann"} {
			if user, _ := browsers[i].state(); user != want {
				t.Errorf("browser %d: user %q, want %q", i, user, want)
			}
		}
		if s.count("ann") != 3 || !slices.Equal(revoked, []session.ID{first}) {
			t.Errorf("%d sessions, ended %v, want %v", s.count("ann"), revoked, first)
		}
	})
}

// When the last of several parallel logins has returned, no more than the limit remain, and they are the newest.
func TestMaxPerUserHoldsForParallelLogins(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, session.Options{MaxPerUser: 2}, func(c sessiontest.Call) sessiontest.Fault {
				return sessiontest.Fault{Delay: time.Duration(c.N%7) * time.Millisecond}
			})
			var wg sync.WaitGroup
			var errs [8]error
			var infos [8]session.Info
			for i := range errs {
				wg.Go(func() {
					got, err := s.Lookup(t.Context(), "")
					s.must(err)
					sleep(time.Duration(i/4) * time.Millisecond)
					errs[i] = got.Login(t.Context(), "ann", session.LoginOptions{})
					infos[i] = got.Info()
					if errs[i] != nil && !errors.Is(errs[i], session.ErrRevoked) {
						t.Errorf("Login: %v", errs[i])
					}
				})
			}
			wg.Wait()
			slices.SortFunc(infos[:], func(a, b session.Info) int {
				if d := a.AuthTime.Compare(b.AuthTime); d != 0 {
					return d
				}
				return slices.Compare(a.ID[:], b.ID[:])
			})
			alive := map[session.ID]bool{}
			for info, err := range s.List(t.Context(), "ann") {
				s.must(err)
				alive[info.ID] = true
			}
			if len(alive) != 2 || !alive[infos[6].ID] || !alive[infos[7].ID] {
				t.Errorf("%d remain, the newest are among them: %v %v", len(alive), alive[infos[6].ID], alive[infos[7].ID])
			}
		})
	}
}

// A session that logs in anew while another login is about to end it is no longer the oldest and lives.
func TestMaxPerUserSparesWhoLogsInAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first *browser
		armed := 0
		s := newSite(t, session.Options{MaxPerUser: 2}, func(c sessiontest.Call) sessiontest.Fault {
			if c.Op == "Save" && armed > 0 {
				if armed--; armed == 0 { // the save that is to end the first
					first.between(func(b *browser) { b.login("ann") })
				}
			}
			return sessiontest.Fault{}
		})
		first = s.browser()
		second, third := s.browser(), s.browser()
		for _, b := range []*browser{first, second} {
			b.login("ann")
			sleep(time.Second)
		}
		armed = 2
		third.login("ann")
		if user, _ := first.state(); user != "ann" {
			t.Error("the newest login was ended")
		}
		if user, _ := second.state(); user != "" {
			t.Errorf("the oldest login lives: %q", user)
		}
		third.wantState("ann", 0)
	})
}

// A store that fails after the login leaves more sessions until the next login.
func TestMaxPerUserMakesUpForAFault(t *testing.T) {
	for _, op := range []string{"ListUser", "Remove", "Save"} {
		synctest.Test(t, func(t *testing.T) {
			fail := 0 // calls of op until one fails
			s := newSite(t, session.Options{MaxPerUser: 1}, func(c sessiontest.Call) sessiontest.Fault {
				if c.Op == op && fail > 0 {
					if fail--; fail == 0 {
						return sessiontest.Fault{Before: errors.New("down")}
					}
				}
				return sessiontest.Fault{}
			})
			a, b, c := s.browser(), s.browser(), s.browser()
			a.login("ann")
			sleep(time.Second)
			fail = 1
			if op == "Save" {
				fail = 2 // the first is the login's own
			}
			b.login("ann")
			b.wantState("ann", 0)
			if s.Stats().StoreErrors != 1 {
				t.Errorf("%s: %d errors counted", op, s.Stats().StoreErrors)
			}
			sleep(time.Second)
			c.login("ann")
			if n := s.count("ann"); n != 1 {
				t.Errorf("%s: %d sessions", op, n)
			}
			c.wantState("ann", 0)
		})
	}
}

// mute says at the call that it has no index.
type mute struct{ session.Store }

func (mute) ListUser(context.Context, string) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) { yield(session.Record{}, errors.ErrUnsupported) }
}

func (mute) RemoveUser(context.Context, string, ...session.ID) (int, error) {
	return 0, errors.ErrUnsupported
}

func second[A any](_ A, err error) error { return err }

func TestLimitsAndRotationAreChecked(t *testing.T) {
	store := memory(t, session.MemoryOptions{})
	ring := keyring(t, 1)
	ok := session.Rotation{Every: time.Minute, Grace: time.Minute, RevokeOnReuse: true}
	for name, err := range map[string]error{
		"MaxPerUser -1":                second(session.New[Data](store, session.Options{MaxPerUser: -1})),
		"MaxPerUser 2 needs":           second(session.New[Data](plain{store}, session.Options{MaxPerUser: 2})),
		"MaxPerUser 3 needs":           second(session.New[Data](mute{store}, session.Options{MaxPerUser: 3})),
		"MaxPerUser must be 0":         second(session.NewClientSide[Data](ring, session.Options{MaxPerUser: 1})),
		"Rotation must be zero":        second(session.NewClientSide[Data](ring, session.Options{Rotation: ok})),
		"Rotation.Every 59.999999999s": second(session.New[Data](store, session.Options{Rotation: session.Rotation{Every: time.Minute - 1}})),
		"Rotation.Every -1m0s":         second(session.New[Data](store, session.Options{Rotation: session.Rotation{Every: -time.Minute}})),
		"AbsoluteTimeout (1h0m0s)": second(session.New[Data](store, session.Options{
			AbsoluteTimeout: time.Hour, Rotation: session.Rotation{Every: time.Hour + 1},
		})),
		"Rotation.Grace -1ns":           second(session.New[Data](store, session.Options{Rotation: session.Rotation{Every: time.Minute, Grace: -1}})),
		"Rotation.Grace 1m0.000000001s": second(session.New[Data](store, session.Options{Rotation: session.Rotation{Every: time.Minute, Grace: time.Minute + 1}})),
		"Every is 0":                    second(session.New[Data](store, session.Options{Rotation: session.Rotation{Grace: time.Second}})),
		"Every is 0 (off)":              second(session.New[Data](store, session.Options{Rotation: session.Rotation{RevokeOnReuse: true}})),
	} {
		if !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, opts := range []session.Options{
		{MaxPerUser: 1, Rotation: ok}, {AbsoluteTimeout: time.Hour, Rotation: session.Rotation{Every: time.Hour, Grace: time.Hour}},
	} {
		if _, err := session.New[Data](store, opts); err != nil {
			t.Errorf("%+v: %v", opts.Rotation, err)
		}
	}
}
