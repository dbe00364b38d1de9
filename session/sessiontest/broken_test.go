package sessiontest_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"slices"
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
	now := time.Now()
	if s.rule == "expires early" {
		now = now.Add(time.Second) // as a store that keeps whole seconds
	}
	return rec, ok && (s.rule == "expiry by sweeper" || rec.ExpiresAt.After(now))
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
	case s.rule == "refuses a past expiry" && rec.Version > 0 && rec.ExpiresAt.Before(time.Now()):
		s.mu.Unlock()
		return session.ErrInvalid
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
	if s.rule == "check then act" || s.rule == "creates twice" && rec.Version == 0 { // the lock is given up between the check and the write
		s.mu.Unlock()
		<-time.After(50 * time.Microsecond)
		s.mu.Lock()
	}
	if s.rule == "forgets the user" {
		rec.UserID = ""
	}
	if s.rule == "cuts payloads at 64 KiB" {
		rec.Payload = rec.Payload[:min(len(rec.Payload), 1<<16-1)]
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

	mu       sync.Mutex
	saving   int  // Saves under way
	removing bool // a RemoveUser is under way
	hidden   map[session.ID]bool
}

// Save hides from the index what it must not: what is saved beside another Save, until both are done, or what logs in
// beside a RemoveUser.
func (s *indexed) Save(ctx context.Context, rec session.Record) error {
	s.mu.Lock()
	s.saving++
	s.mu.Unlock()
	if s.rule == "index lags behind parallel saves" {
		<-time.After(50 * time.Microsecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rule == "index lags behind parallel saves" && s.saving > 1 || s.rule == "forgets who logs in meanwhile" && s.removing {
		s.hidden[rec.ID] = true
	}
	if s.saving--; s.saving == 0 && s.rule == "index lags behind parallel saves" {
		clear(s.hidden)
	}
	return s.MemoryStore.Save(ctx, rec)
}

func (s *indexed) ListUser(ctx context.Context, userID string) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		for rec, err := range s.MemoryStore.ListUser(ctx, userID) {
			s.mu.Lock()
			hidden := s.hidden[rec.ID]
			s.mu.Unlock()
			if !hidden && !yield(rec, err) {
				return
			}
		}
	}
}

func (s *indexed) Sweep(ctx context.Context, limit int) (int, error) {
	if s.rule == "sweeps too much" {
		limit *= 10
	}
	return s.MemoryStore.Sweep(ctx, limit)
}

func (s *indexed) RemoveUser(ctx context.Context, userID string, except ...session.ID) (int, error) {
	switch s.rule {
	case "removes the excepted too":
		except = nil
	case "cuts the user ID at NUL":
		userID, _, _ = strings.Cut(userID, "\x00")
	case "forgets who logs in meanwhile":
		s.during(true)
		defer s.during(false)
		defer func() { <-time.After(time.Millisecond) }()
	}
	return s.MemoryStore.RemoveUser(ctx, userID, except...)
}

func (s *indexed) during(removing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removing = removing
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
		"cuts payloads at 64 KiB":  "PayloadsOfAnyBytes",
		"creates twice":            "OneOfManyCreates",
		"expires early":            "ExpiryIsExact",
		"refuses a past expiry":    "SaveMayExpire",

		"forgets who logs in meanwhile":    "RemoveUserBesideSave",
		"index lags behind parallel saves": "ListSeesEarlierSaves",

		"": "", // the control: nothing is broken, nothing fails
	}
}

// alsoBreaks tells which stores cannot break one rule without others: what is no store at all in one respect shows in
// every history too.
func alsoBreaks(rule string) bool {
	switch rule {
	case "upsert", "no version check", "check then act", "touch that creates", "touch past the deadline", "touch moves back",
		"touch counts a version", "expiry by sweeper", "forgets the user", "remove complains":
		return true
	}
	return false
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
		case "sweeps too much", "removes the excepted too", "cuts the user ID at NUL", "forgets who logs in meanwhile",
			"index lags behind parallel saves":
			m, err := session.NewMemoryStore(session.MemoryOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return &indexed{MemoryStore: m, rule: rule, hidden: map[session.ID]bool{}}
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
			failed := strings.Split(string(out), "--- FAIL: TestBroken/")[1:]
			for i, line := range failed {
				failed[i], _, _ = strings.Cut(line, " ")
			}
			if !slices.Contains(failed, test) || !alsoBreaks(rule) && len(failed) > 1 {
				t.Errorf("%v fail, want %s:\n%s", failed, test, out)
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
