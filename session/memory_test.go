package session_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func memory(tb testing.TB, opts session.MemoryOptions) *session.MemoryStore {
	tb.Helper()
	s, err := session.NewMemoryStore(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func record(userID string, life time.Duration, payload int) session.Record {
	now := time.Now()
	rec := session.Record{
		UserID: userID, CreatedAt: now, ExpiresAt: now.Add(life), Deadline: now.Add(24 * time.Hour),
		Payload: make([]byte, payload),
	}
	for i := range rec.ID {
		rec.ID[i] = byte(rand.Uint32())
	}
	return rec
}

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		return memory(t, session.MemoryOptions{})
	})
}

func TestMemoryOptionsAreChecked(t *testing.T) {
	for _, opts := range []session.MemoryOptions{{MaxSessions: -1}, {MaxBytes: -1}} {
		if _, err := session.NewMemoryStore(opts); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}

func TestMemoryBoundHoldsForTheWholeStore(t *testing.T) {
	s := memory(t, session.MemoryOptions{MaxSessions: 100})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if err := s.Save(t.Context(), record("", time.Hour, 10)); err != nil {
					t.Errorf("Save: %v", err)
				}
				if n := s.Len(); n > 100 {
					t.Errorf("%d records, limit 100", n)
				}
			}
		})
	}
	wg.Wait()
	if n := s.Len(); n != 100 {
		t.Errorf("%d records at the end, want 100", n)
	}
}

func TestMemoryBytesAreBounded(t *testing.T) {
	s := memory(t, session.MemoryOptions{MaxBytes: 100_000})
	for range 1000 {
		if err := s.Save(t.Context(), record("", time.Hour, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Len(); n < 80 || n > 100 {
		t.Errorf("%d records of 1000 bytes in 100 000", n)
	}
	if err := s.Save(t.Context(), record("", time.Hour, 100_000)); !errors.Is(err, session.ErrFull) {
		t.Errorf("a record larger than the store: %v", err)
	}
	if s.Len() < 80 {
		t.Error("a record that can never fit has evicted others")
	}
	// Growing a record counts too.
	full := memory(t, session.MemoryOptions{MaxBytes: 2000})
	rec := record("u", time.Hour, 500)
	if err := full.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	other := record("u", time.Hour, 500)
	if err := full.Save(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	rec.Version, rec.Payload = 1, make([]byte, 1500)
	if err := full.Save(t.Context(), rec); !errors.Is(err, session.ErrFull) {
		t.Errorf("growing past the bound: %v", err)
	}
}

// The flood: anonymous visitors without end log nobody out.
func TestAnonymousFloodLogsNobodyOut(t *testing.T) {
	s := memory(t, session.MemoryOptions{MaxSessions: 1000})
	var users []session.Record
	for i := range 900 {
		rec := record(fmt.Sprint("user", i), time.Hour, 10)
		if err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		users = append(users, rec)
	}
	for range 20_000 {
		if err := s.Save(t.Context(), record("", time.Hour, 10)); err != nil {
			t.Fatal(err)
		}
	}
	for _, rec := range users {
		if _, err := s.Load(t.Context(), rec.ID); err != nil {
			t.Fatalf("logged out by the flood: %v", err)
		}
	}
	for i := range 100 {
		if err := s.Save(t.Context(), record(fmt.Sprint("late", i), time.Hour, 10)); err != nil {
			t.Fatalf("login %d beside anonymous sessions: %v", i, err)
		}
	}
	if err := s.Save(t.Context(), record("one more", time.Hour, 10)); !errors.Is(err, session.ErrFull) {
		t.Errorf("full of logged-in sessions: %v, want ErrFull", err)
	}
	if err := s.Save(t.Context(), record("", time.Hour, 10)); !errors.Is(err, session.ErrFull) {
		t.Errorf("full of logged-in sessions: %v, want ErrFull", err)
	}
}

func TestEvictionTakesExpiredBeforeAnonymous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t, session.MemoryOptions{MaxSessions: 100})
		var anonymous []session.Record
		for range 50 {
			rec := record("", time.Hour, 1)
			if err := s.Save(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
			anonymous = append(anonymous, rec)
		}
		for range 50 {
			if err := s.Save(t.Context(), record("u", time.Minute, 1)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(2 * time.Minute)
		for range 50 {
			if err := s.Save(t.Context(), record("v", time.Hour, 1)); err != nil {
				t.Fatal(err)
			}
		}
		for _, rec := range anonymous {
			if _, err := s.Load(t.Context(), rec.ID); err != nil {
				t.Fatal("an anonymous record went before an expired one")
			}
		}
	})
}

func TestEvictionIsLeastRecentlyUsed(t *testing.T) {
	s := memory(t, session.MemoryOptions{MaxSessions: 2000})
	var busy []session.Record
	for i := range 2000 {
		rec := record("", time.Hour, 1)
		if err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		if i%4 == 0 {
			busy = append(busy, rec)
		}
	}
	for range 50 {
		for range 100 {
			if err := s.Save(t.Context(), record("", time.Hour, 1)); err != nil {
				t.Fatal(err)
			}
		}
		for _, rec := range busy {
			_, _ = s.Load(t.Context(), rec.ID)
		}
	}
	kept := 0
	for _, rec := range busy {
		if _, err := s.Load(t.Context(), rec.ID); err == nil {
			kept++
		}
	}
	// 5000 evictions among 2000; without the reference bit about 8 % would be left.
	if kept < len(busy)*3/5 {
		t.Errorf("%d of %d records in use are left", kept, len(busy))
	}
}

func TestMemoryStoreForgetsWhatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t, session.MemoryOptions{})
		for range 10_000 {
			if err := s.Save(t.Context(), record("", time.Minute, 1)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(2 * time.Minute)
		for range 14_000 { // writes alone remove faster than they add
			if err := s.Save(t.Context(), record("", time.Hour, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Len(); n != 14_000 {
			t.Errorf("%d records, want the 14 000 that live", n)
		}
		// Touched records are filed again, not removed; removed ones leave nothing behind.
		rec := record("u", time.Minute, 1)
		if err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			<-time.After(50 * time.Second)
			if err := s.Touch(t.Context(), rec.ID, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Sweep(t.Context(), 1000); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(61 * time.Second)
		if n, err := s.Sweep(t.Context(), 1000); n != 1 || err != nil {
			t.Errorf("Sweep: %d, %v, want 1", n, err)
		}
	})
}

// A save may bring the expiry nearer than it was filed.
func TestShorterExpiryIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t, session.MemoryOptions{})
		rec := record("u", 10*time.Hour, 1)
		if err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		rec.Version, rec.ExpiresAt = 1, time.Now().Add(time.Minute)
		if err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Minute)
		if n, _ := s.Sweep(t.Context(), 10); n != 1 {
			t.Errorf("swept %d, want 1", n)
		}
	})
}

func TestMemoryStoreSurvivesChurn(t *testing.T) {
	s := memory(t, session.MemoryOptions{MaxSessions: 500})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			var mine []session.Record
			for range 5000 {
				switch {
				case len(mine) < 50 || rng.IntN(3) == 0 && len(mine) < 100:
					rec := record(fmt.Sprint("u", rng.IntN(5)), time.Hour, rng.IntN(100))
					if err := s.Save(t.Context(), rec); err != nil {
						t.Errorf("Save: %v", err)
						return
					}
					rec.Version = 1
					mine = append(mine, rec)
				case rng.IntN(2) == 0:
					i := rng.IntN(len(mine))
					if err := s.Save(t.Context(), mine[i]); err != nil {
						t.Errorf("Save: %v", err)
						return
					}
					mine[i].Version++
				default:
					i := rng.IntN(len(mine))
					if _, err := s.Load(t.Context(), mine[i].ID); err != nil {
						t.Errorf("Load: %v", err)
						return
					}
					_ = s.Remove(t.Context(), mine[i].ID)
					mine[i] = mine[len(mine)-1]
					mine = mine[:len(mine)-1]
				}
			}
			for _, rec := range mine {
				_ = s.Remove(t.Context(), rec.ID)
			}
		})
	}
	wg.Wait()
	if n := s.Len(); n != 0 {
		t.Errorf("%d records left", n)
	}
	for i := range 5 {
		for _, err := range s.ListUser(t.Context(), fmt.Sprint("u", i)) {
			t.Errorf("the index has a record that the store has not: %v", err)
		}
	}
}

func TestMemoryFootprint(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("needs 40 MB and exact counts")
	}
	const n = 100_000
	s := memory(t, session.MemoryOptions{MaxSessions: n})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		if err := s.Save(t.Context(), record(fmt.Sprintf("user-%011d", i), time.Hour, 200)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes per session of 200 bytes with a user ID of 16", per)
	if per > 380 {
		t.Errorf("%.0f bytes per session, want at most 380", per)
	}
	runtime.KeepAlive(s)
}
