package sessiontest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// naive is a store of a map and a lock. Each field breaks one rule.
type naive struct {
	mu   sync.Mutex
	recs map[session.ID]session.Record
	rule string
}

func newNaive(rule string) *naive { return &naive{recs: map[session.ID]session.Record{}, rule: rule} }

func (s *naive) live(id session.ID) (session.Record, bool) {
	rec, ok := s.recs[id]
	return rec, ok && (s.rule == "expiry by sweeper" || rec.ExpiresAt.After(time.Now()))
}

func (s *naive) Load(ctx context.Context, id session.ID) (session.Record, error) {
	if err := ctx.Err(); err != nil && s.rule != "ended context" {
		return session.Record{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.live(id)
	if !ok {
		return session.Record{}, session.ErrNotFound
	}
	return s.copy(rec, "shared slice out"), nil
}

func (s *naive) copy(rec session.Record, unless string) session.Record {
	if s.rule != unless {
		rec.Payload = append([]byte(nil), rec.Payload...)
	}
	return rec
}

func (s *naive) Save(ctx context.Context, rec session.Record) error {
	if err := ctx.Err(); err != nil && s.rule != "ended context" {
		return err
	}
	s.mu.Lock()
	old, ok := s.live(rec.ID)
	switch {
	case s.rule == "upsert" && !ok:
	case s.rule == "no version check" && ok:
		rec.Version = old.Version
	case !ok && rec.Version > 0:
		s.mu.Unlock()
		return session.ErrNotFound
	case ok && old.Version != rec.Version:
		s.mu.Unlock()
		return session.ErrConflict
	}
	if s.rule == "check then act" { // the lock is given up between the check and the write
		s.mu.Unlock()
		<-time.After(50 * time.Microsecond)
		s.mu.Lock()
	}
	if s.rule == "forgets the user" {
		rec.UserID = ""
	}
	rec.Version++
	s.recs[rec.ID] = s.copy(rec, "shared slice in")
	s.mu.Unlock()
	return nil
}

func (s *naive) Touch(ctx context.Context, id session.ID, to time.Time) error {
	if err := ctx.Err(); err != nil && s.rule != "ended context" {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.live(id)
	if !ok {
		if s.rule == "touch that creates" {
			s.recs[id] = session.Record{ID: id, Version: 1, ExpiresAt: to, Deadline: to}
			return nil
		}
		return session.ErrNotFound
	}
	if to.After(rec.Deadline) && s.rule != "touch past the deadline" {
		to = rec.Deadline
	}
	if to.After(rec.ExpiresAt) || s.rule == "touch moves back" {
		rec.ExpiresAt = to
	}
	if s.rule == "touch counts a version" {
		rec.Version++
	}
	s.recs[id] = rec
	return nil
}

func (s *naive) Remove(ctx context.Context, id session.ID) error {
	if err := ctx.Err(); err != nil && s.rule != "ended context" {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.recs[id]; !ok && s.rule == "remove complains" {
		return session.ErrNotFound
	}
	delete(s.recs, id)
	return nil
}

// only hides everything but Store.
type only struct{ session.Store }

// indexed wraps a right store and breaks its index or its sweep.
type indexed struct {
	*session.MemoryStore
	rule string
}

func (s indexed) Sweep(ctx context.Context, limit int) (int, error) {
	if s.rule == "sweeps too much" {
		limit *= 10
	}
	return s.MemoryStore.Sweep(ctx, limit)
}

func (s indexed) RemoveUser(ctx context.Context, userID string, except ...session.ID) (int, error) {
	switch s.rule {
	case "removes the excepted too":
		except = nil
	case "cuts the user ID at NUL":
		userID, _, _ = strings.Cut(userID, "\x00")
	}
	return s.MemoryStore.RemoveUser(ctx, userID, except...)
}

// rules maps each broken store to the sub-test that must fail.
func rules() map[string]string {
	return map[string]string{
		"upsert":                   "SaveNeverRevives",
		"no version check":         "SaveIsConditional",
		"check then act":           "HistoriesAreLinearizable",
		"forgets the user":         "LoadReturnsWhatWasSaved",
		"touch that creates":       "TouchNeverCreates",
		"touch past the deadline":  "TouchMovesForwardOnly",
		"touch moves back":         "TouchMovesForwardOnly",
		"touch counts a version":   "TouchMovesForwardOnly",
		"expiry by sweeper":        "ExpiredIsMissing",
		"shared slice in":          "NoSharedMemory",
		"shared slice out":         "NoSharedMemory",
		"ended context":            "EndedContext",
		"remove complains":         "RemoveIsIdempotent",
		"sweeps too much":          "SweepRemovesExpiredOnly",
		"removes the excepted too": "UserIndexFollows",
		"cuts the user ID at NUL":  "UserIDsOfAnyBytes",
		"":                         "", // the control: nothing is broken, nothing fails
	}
}

const breakEnv = "SESSIONTEST_BREAK"

// TestBroken is what TestEachRuleIsChecked runs in a process of its own, because it must fail.
func TestBroken(t *testing.T) {
	rule, ok := os.LookupEnv(breakEnv)
	if !ok {
		t.Skip("run by TestEachRuleIsChecked")
	}
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		switch rule {
		case "sweeps too much", "removes the excepted too", "cuts the user ID at NUL":
			m, err := session.NewMemoryStore(session.MemoryOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return indexed{m, rule}
		}
		return only{newNaive(rule)}
	})
}

func TestEachRuleIsChecked(t *testing.T) {
	for rule, test := range rules() {
		t.Run(rule, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v")
			cmd.Env = append(os.Environ(), breakEnv+"="+rule)
			out, err := cmd.CombinedOutput()
			if test == "" {
				if err != nil {
					t.Errorf("a right store fails:\n%s", out)
				}
				return
			}
			if err == nil {
				t.Fatal("the kit lets it pass")
			}
			if !strings.Contains(string(out), "--- FAIL: TestBroken/"+test) {
				t.Errorf("%s does not fail:\n%s", test, out)
			}
		})
	}
}

func TestFaultyCountsAndFails(t *testing.T) {
	inner, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	var last sessiontest.Call
	s := sessiontest.Faulty(inner, func(c sessiontest.Call) sessiontest.Fault {
		last = c
		switch {
		case c.Op == "Save" && c.N == 1:
			return sessiontest.Fault{Before: boom}
		case c.Op == "Save" && c.N == 2:
			return sessiontest.Fault{After: boom}
		case c.Op == "Load":
			return sessiontest.Fault{Delay: time.Hour}
		}
		return sessiontest.Fault{}
	})
	now := time.Now()
	rec := session.Record{ID: session.ID{1}, ExpiresAt: now.Add(time.Hour), Deadline: now.Add(time.Hour)}
	for i, want := range []struct {
		err    error
		stored int
	}{{boom, 0}, {boom, 1}, {session.ErrConflict, 1}} {
		if err := s.Save(t.Context(), rec); !errors.Is(err, want.err) || inner.Len() != want.stored {
			t.Errorf("save %d: %v with %d stored", i+1, err, inner.Len())
		}
	}
	if last.N != 3 || last.ID != rec.ID || s.Calls("Save") != 3 || s.Calls("Touch") != 0 {
		t.Errorf("%+v", last)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Load(ctx, rec.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a delay does not obey the context: %v", err)
	}
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		m, err := session.NewMemoryStore(session.MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return sessiontest.Faulty(m, nil)
	})
}
