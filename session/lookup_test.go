package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func TestLookupOutsideHTTP(t *testing.T) {
	sealed := newSealedSite(t, session.Options{})
	for name, s := range map[string]*site{"server": newSite(t, session.Options{}, nil), "client": sealed} {
		ctx := t.Context()
		got, err := s.Lookup(ctx, "")
		if err != nil || got.Token() != "" {
			t.Fatalf("%s: %v, token %q", name, err, got.Token())
		}
		s.must(got.Update(increment))
		s.must(got.Save(ctx))
		anonymous := got.Token()
		s.must(got.Login(ctx, "ann", session.LoginOptions{}))
		token := got.Token()
		again, err := s.Lookup(ctx, token)
		if err != nil || again.UserID() != "ann" || again.Data().N != 1 || again.ID() != got.ID() || again.Info().Current {
			t.Errorf("%s: %v %+v", name, err, again.Info())
		}
		s.must(again.Logout(ctx))
		for _, bad := range []string{"x", token, anonymous} {
			if name == "client" && bad != "x" {
				continue // a sealed session cannot be ended
			}
			got, err := s.Lookup(ctx, bad)
			wantReadOnly(ctx, t, got, err, session.ErrNotFound)
		}
	}
}

func TestTakeShowsOnce(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.get(func(got *session.Session[Data], _ *http.Request) {
		s.must(got.Update(func(d *Data) error { d.Flash, d.N = "saved", 1; return nil }))
	})
	for _, want := range []string{"saved", ""} {
		b.get(func(got *session.Session[Data], _ *http.Request) {
			flash, err := session.Take(got, func(d *Data) *string { return &d.Flash })
			if err != nil || flash != want {
				t.Errorf("%q, %v, want %q", flash, err, want)
			}
		})
	}
	b.wantState("", 1)
}

func TestValues(t *testing.T) {
	m, err := session.New[session.Values](memory(t, session.MemoryOptions{}), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const lang, count = session.Key[string]("lang"), session.Key[int]("count")
	ctx := t.Context()
	s, _ := m.Lookup(ctx, "")
	if _, ok := lang.Get(s.Data()); ok {
		t.Error("a value in an empty bag")
	}
	if err := s.Update(func(bag *session.Values) error {
		count.Remove(bag) // of a nil bag
		return errors.Join(lang.Set(bag, "de"), count.Set(bag, 7))
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx); err != nil {
		t.Fatal(err)
	}
	s, err = m.Lookup(ctx, s.Token())
	if err != nil {
		t.Fatal(err)
	}
	l, okL := lang.Get(s.Data())
	n, okN := count.Get(s.Data())
	_, okType := session.Key[[]int]("lang").Get(s.Data())
	if l != "de" || n != 7 || !okL || !okN || okType {
		t.Errorf("%q %d %v %v %v", l, n, okL, okN, okType)
	}
	if err := session.Key[func()]("f").Set(new(session.Values), nil); err == nil {
		t.Error("a function is no JSON")
	}
	if err := s.Update(func(bag *session.Values) error { lang.Remove(bag); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, ok := lang.Get(s.Data()); ok {
		t.Error("removed and still there")
	}
}

func TestEventsTellTheStory(t *testing.T) {
	var kinds []session.EventKind
	s := newSite(t, session.Options{OnEvent: func(_ context.Context, e session.Event) { kinds = append(kinds, e.Kind) }}, nil)
	b := s.browser()
	b.login("ann")
	old := b.clone()
	b.get(func(got *session.Session[Data], r *http.Request) { s.must(got.Renew(r.Context())) })
	old.get(nothing)
	b.logout()
	b.login("ann")
	_, err := s.RevokeUser(t.Context(), "ann")
	s.must(err)
	want := []session.EventKind{
		session.EventCreated, session.EventLogin, session.EventRenewed, session.EventForged, session.EventLogout,
		session.EventCreated, session.EventLogin, session.EventRevoked,
	}
	if len(kinds) != len(want) {
		t.Fatalf("%v, want %v", kinds, want)
	}
	for i := range want {
		if kinds[i] != want[i] {
			t.Errorf("event %d: %v, want %v", i, kinds[i], want[i])
		}
	}
	for k := session.EventCreated; k <= session.EventCommitFailed; k++ {
		if k.String() == "unknown" {
			t.Errorf("event %d has no name", k)
		}
	}
}

func TestLateCommitFailureIsReported(t *testing.T) {
	var events []session.Event
	down := errors.New("down")
	var fail bool
	s := newSite(t, session.Options{OnEvent: func(_ context.Context, e session.Event) { events = append(events, e) }},
		func(c sessiontest.Call) sessiontest.Fault {
			if fail && c.Op == "Save" {
				return sessiontest.Fault{Before: down}
			}
			return sessiontest.Fault{}
		})
	b := s.browser()
	b.increment()
	fail, events = true, nil
	answer := b.do(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		s.must(s.session(r).Update(increment))
	})
	wantStatus(t, answer, http.StatusAccepted)
	if len(events) != 1 || events[0].Kind != session.EventCommitFailed || !errors.Is(events[0].Err, down) || s.Stats().CommitErrors != 1 {
		t.Errorf("%+v", events)
	}
}

func TestRunSweepsUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, session.Options{}, nil)
		for range 2500 {
			got, _ := s.Lookup(t.Context(), "")
			s.must(got.Update(increment))
			s.must(got.Save(t.Context()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		<-time.After(25 * time.Minute)
		if n := s.store.Calls("Sweep"); n < 4 || n > 6 {
			t.Errorf("%d sweeps in 25 minutes", n)
		}
		before := s.store.Calls("Sweep")
		<-time.After(12 * time.Minute)
		if n := s.store.Calls("Sweep") - before; n < 4 || n > 6 {
			t.Errorf("%d calls for 2500 records in batches of 1000", n)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}
