package redissession

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func newStore(t *testing.T, f *Fake) *Store {
	t.Helper()
	s, err := New(f.Do, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(userID string) session.Record {
	t := time.Now().Truncate(time.Millisecond)
	rec := session.Record{UserID: userID, CreatedAt: t, ExpiresAt: t.Add(time.Hour), Deadline: t.Add(2 * time.Hour), Payload: []byte("p")}
	_, _ = rand.Read(rec.ID[:]) // never fails
	return rec
}

func mustSave(t *testing.T, s *Store, rec session.Record) session.Record {
	t.Helper()
	if err := s.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	rec.Version++
	return rec
}

func users(t *testing.T, s *Store, userID string) (ids []session.ID) {
	t.Helper()
	for rec, err := range s.ListUser(t.Context(), userID) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, rec.ID)
	}
	return ids
}

func TestStoreKeepsTheContract(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		f := NewFake()
		t.Cleanup(func() {
			for key, ttl := range f.Keys() {
				if ttl <= 0 || ttl > 24*time.Hour {
					t.Errorf("%s lives for %v", key, ttl)
				}
			}
		})
		return newStore(t, f)
	})
}

func TestArguments(t *testing.T) {
	f := NewFake()
	for _, prefix := range []string{"a{b", "}", strings.Repeat("x", 129)} {
		if _, err := New(f.Do, Options{Prefix: prefix}); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), "Prefix") {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
	if _, err := New[reply](nil, Options{}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("no do: %v", err)
	}
	s := newStore(t, f)
	if err := s.Save(t.Context(), record(strings.Repeat("u", 256))); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("a long user ID: %v", err)
	}
	far := record("u")
	far.Deadline = time.UnixMilli(1 << 53)
	if err := s.Save(t.Context(), far); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("a deadline in 287 000 years: %v", err)
	}
	if f.calls != 0 {
		t.Errorf("%d commands", f.calls)
	}
}

// A duration that is not positive becomes an immortal key in scs.
func TestRegressionS10ExpiryInThePastLeavesNoKey(t *testing.T) {
	f := NewFake()
	s := newStore(t, f)
	for _, expires := range []time.Time{{}, time.Unix(0, 0), time.Now(), time.Now().Add(-time.Hour)} {
		for _, user := range []string{"", "ann"} {
			rec := record(user)
			rec.ExpiresAt = expires
			if err := s.Save(t.Context(), rec); err != nil {
				t.Errorf("%v: %v", expires, err)
			}
			rec = mustSave(t, s, record(user))
			rec.ExpiresAt = expires
			if err := s.Save(t.Context(), rec); err != nil {
				t.Errorf("%v: %v", expires, err)
			}
			rec.Deadline = time.Time{}
			if err := s.Save(t.Context(), rec); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%v: %v", expires, err)
			}
		}
	}
	if n := len(users(t, s, "ann")); n != 0 || len(f.Keys()) != 0 {
		t.Errorf("%d sessions, keys %v", n, f.Keys())
	}
}

// The trips of each operation, as doc.go has them.
func TestRoundTrips(t *testing.T) {
	f := NewFake()
	s := newStore(t, f)
	trips := func(what string, want int, op func() error) {
		t.Helper()
		f.calls = 0
		if err := op(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if f.calls != want {
			t.Errorf("%s: %d round trips, want %d", what, f.calls, want)
		}
	}
	warm := mustSave(t, s, record("ann"))
	warm.UserID = "bob"
	mustSave(t, s, warm)
	_ = s.Touch(t.Context(), warm.ID, warm.Deadline)
	_ = s.Remove(t.Context(), warm.ID)
	users(t, s, "ann")

	anon, ann := record(""), record("ann")
	trips("create", 1, func() error { return s.Save(t.Context(), anon) })
	trips("create with a user", 3, func() error { return s.Save(t.Context(), ann) })
	anon.Version, ann.Version = 1, 1
	trips("save", 1, func() error { return s.Save(t.Context(), ann) })
	ann.Version++
	trips("save anonymous", 1, func() error { return s.Save(t.Context(), anon) })
	anon.Version++
	anon.UserID = "ann"
	trips("login", 4, func() error { return s.Save(t.Context(), anon) })
	trips("load", 1, func() error { _, err := s.Load(t.Context(), ann.ID); return err })
	trips("touch", 1, func() error { return s.Touch(t.Context(), ann.ID, ann.Deadline) })
	trips("list", 3, func() error { users(t, s, "ann"); return nil })
	trips("remove", 2, func() error { return s.Remove(t.Context(), ann.ID) })
	trips("remove user", 3, func() error { _, err := s.RemoveUser(t.Context(), "ann"); return err })
	trips("nobody", 0, func() error { _, err := s.RemoveUser(t.Context(), ""); return err })
}

// The script cache may be emptied between any two commands.
func TestForgottenScriptsAreSentAgain(t *testing.T) {
	f := NewFake()
	f.before = func(context.Context, []any) (any, error, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.calls%2 == 0 {
			clear(f.known)
		}
		return nil, nil, false
	}
	s := newStore(t, f)
	for range 5 {
		rec := mustSave(t, s, record("ann"))
		rec = mustSave(t, s, rec)
		if err := errors.Join(s.Touch(t.Context(), rec.ID, rec.Deadline), s.Remove(t.Context(), rec.ID)); err != nil {
			t.Fatal(err)
		}
	}
}

// Clients repeat commands by themselves after a time-out. The second must not see a conflict with the first: the manager
// would run the update again.
func TestARepeatedSaveIsNoConflict(t *testing.T) {
	f := NewFake()
	s := newStore(t, f)
	rec := mustSave(t, s, record("ann"))
	twice := false
	f.before = func(ctx context.Context, args []any) (any, error, bool) {
		if !twice && args[0] == "EVALSHA" && args[1] == save.name() {
			twice = true
			if r := f.Do(ctx, args...); r.err != nil {
				t.Error(r.err)
			}
		}
		return nil, nil, false
	}
	rec = mustSave(t, s, rec)
	if !twice {
		t.Fatal("nothing was repeated")
	}
	f.before = nil
	stale := rec
	stale.Version--
	if err := s.Save(t.Context(), stale); !errors.Is(err, session.ErrConflict) {
		t.Errorf("another save at the old version: %v", err)
	}
	mustSave(t, s, rec)
}

// A time-out, or any error but NOSCRIPT, is not followed by a second attempt.
func TestNoOtherErrorIsRetried(t *testing.T) {
	f := NewFake()
	s := newStore(t, f)
	calls := 0
	boom := errors.New("i/o timeout NOSCRIPT")
	f.before = func(context.Context, []any) (any, error, bool) {
		calls++
		return nil, boom, true
	}
	for i, op := range []func() error{
		func() error { _, err := s.Load(t.Context(), session.ID{}); return err },
		func() error { return s.Save(t.Context(), record("")) },
		func() error { return s.Save(t.Context(), record("ann")) },
		func() error { return s.Touch(t.Context(), session.ID{}, time.Now()) },
		func() error { return s.Remove(t.Context(), session.ID{}) },
		func() error { _, err := s.RemoveUser(t.Context(), "ann"); return err },
	} {
		calls = 0
		if err := op(); !errors.Is(err, boom) || calls != 1 {
			t.Errorf("operation %d: %v after %d commands", i, err, calls)
		}
	}
}

// A query finds the entry of a session that is just being stored, sees no session, and must not remove it any more when
// the login is through.
func TestHealingSparesALoginBetween(t *testing.T) {
	for _, via := range []string{"list", "remove"} {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprint(via, " stored=", stored), func(t *testing.T) {
				f := NewFake()
				s := newStore(t, f)
				rec := record("ann")
				if stored { // an entry is left of a login before
					rec = mustSave(t, s, rec)
					rec.UserID = "bob"
					rec = mustSave(t, s, rec)
					rec.UserID = "ann"
				}
				stepped := 0
				query := func() {
					if via == "list" {
						users(t, s, "ann")
					} else if _, err := s.RemoveUser(t.Context(), "ann"); err != nil {
						t.Error(err)
					}
				}
				// The login has entered the index and is about to store the session: the query reads the index and looks
				// for the session; the login goes on; then the query heals.
				f.before = func(_ context.Context, args []any) (any, error, bool) {
					switch {
					case stepped == 0 && len(args) > 1 && args[1] == save.name() && args[11] == "1":
						stepped = 1
						query()
					case stepped == 1 && args[1] == heal.name():
						stepped = 2
						mustSave(t, s, rec)
					}
					return nil, nil, false
				}
				// The server knows the scripts: each step is one command.
				for _, text := range []script{save, touch, remove, enter, list, heal} {
					f.known[text.name()] = text
				}
				err := s.Save(t.Context(), rec)
				if stepped != 2 || !errors.Is(err, session.ErrConflict) && err != nil {
					t.Fatalf("step %d, %v", stepped, err)
				}
				f.before = nil
				if got := users(t, s, "ann"); len(got) != 1 || got[0] != rec.ID {
					t.Errorf("the index misses a live session: %v", got)
				}
			})
		}
	}
}

func TestIndexHeals(t *testing.T) {
	f := NewFake()
	s := newStore(t, f)
	rec := mustSave(t, s, record("ann"))
	mustSave(t, s, record("ann"))
	f.mu.Lock()
	f.del(s.sessionKey(rec.ID)) // as if evicted
	f.zsets[s.userKey("ann")]["no ID"] = now() + 1000
	f.mu.Unlock()
	if n := len(users(t, s, "ann")); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	if n := len(f.zsets[s.userKey("ann")]); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
	if n, err := s.RemoveUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Errorf("RemoveUser: %d, %v", n, err)
	}
	if keys := f.Keys(); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
}

// What is not a reply of ours is an error and never "no session", "saved" or "gone".
func TestRepliesAreDecodedStrictly(t *testing.T) {
	f := NewFake()
	s := newStore(t, f)
	whole := []any{"1", "ann", "5", "9999999999999", "9999999999999", "p"}
	with := func(i int, v any) []any {
		out := append([]any(nil), whole...)
		out[i] = v
		return out
	}
	var answer any
	f.before = func(context.Context, []any) (any, error, bool) { return answer, nil, true }
	answer = whole
	if _, err := s.Load(t.Context(), session.ID{}); err != nil {
		t.Errorf("a whole record: %v", err)
	}
	for _, answer = range []any{
		nil, "OK", int64(1),
		[]any{},
		whole[:5], append(with(0, "1"), "x"), with(0, nil), with(5, nil), with(0, "0"), with(0, "-1"),
		with(0, "x"), with(2, ""), with(3, "1e5"), with(4, int64(5)), with(1, []any{}),
		map[any]any{},
		[]byte("saved "), "",
	} {
		_, err := s.Load(t.Context(), session.ID{})
		errs := []error{err, s.Save(t.Context(), record("")), s.Touch(t.Context(), session.ID{}, time.Now()), s.Remove(t.Context(), session.ID{})}
		for i, err := range errs {
			if !errors.Is(err, ErrReply) {
				t.Errorf("operation %d answered %#v: %v", i, answer, err)
			}
		}
	}
	for _, answer = range []any{nil, "x", []any{"a"}, []any{"a", "b"}, []any{"a", int64(1)}, []any{int64(1), "1"}} {
		if _, err := s.RemoveUser(t.Context(), "ann"); !errors.Is(err, ErrReply) {
			t.Errorf("list answered %#v: %v", answer, err)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add("1", "ann", "5", "6", "7", "p", byte(0))
	f.Add("0", "", "-5", "1e9", "99999999999999999999", "", byte(1))
	f.Fuzz(func(t *testing.T, v, u, c, e, d, p string, missing byte) {
		fields := []any{v, u, c, e, d, []byte(p)}
		for i := range fields {
			if missing>>i&1 == 1 {
				fields[i] = nil
			}
		}
		rec, err := decodeRecord(session.ID{1}, fields)
		switch {
		case err == nil && (rec.Version == 0 || rec.UserID != u || string(rec.Payload) != p || missing&63 != 0):
			t.Errorf("%+v of %q", rec, fields)
		case errors.Is(err, session.ErrNotFound) != (missing&63 == 63):
			t.Errorf("%v of %q", err, fields)
		case err != nil && !errors.Is(err, ErrReply) && !errors.Is(err, session.ErrNotFound):
			t.Error(err)
		}
	})
}
