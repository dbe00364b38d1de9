package sessiontest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// indexer returns the user index of the store; a wrapper may say at the call that it has none.
func indexer(t *testing.T, s session.Store) (session.UserIndexer, bool) {
	t.Helper()
	users, ok := s.(session.UserIndexer)
	if !ok {
		return nil, false
	}
	if _, err := users.RemoveUser(t.Context(), "nobody"); errors.Is(err, errors.ErrUnsupported) {
		return nil, false
	}
	return users, true
}

func listUser(t *testing.T, users session.UserIndexer, userID string) map[session.ID]session.Record {
	t.Helper()
	got := map[session.ID]session.Record{}
	for rec, err := range users.ListUser(t.Context(), userID) {
		if err != nil {
			t.Errorf("ListUser: %v", err)
			return got
		}
		if rec.UserID != userID {
			t.Errorf("ListUser(%q) yields a record of %q", userID, rec.UserID)
		}
		if _, twice := got[rec.ID]; twice {
			t.Errorf("ListUser yields %v twice", rec.ID)
		}
		got[rec.ID] = rec
	}
	return got
}

func wantUser(t *testing.T, users session.UserIndexer, userID string, want map[session.ID]session.Record) {
	t.Helper()
	got := listUser(t, users, userID)
	for id, rec := range want {
		if _, ok := got[id]; !ok {
			t.Errorf("ListUser(%q) misses %v", userID, id)
			continue
		}
		wantRecord(t, got[id], rec)
	}
	if len(got) > len(want) {
		t.Errorf("ListUser(%q) yields %d records, want %d", userID, len(got), len(want))
	}
}

// userIndexFollows compares the index with a map after each step of a random program.
func userIndexFollows(t *testing.T, s session.Store) {
	t.Helper()
	users, ok := indexer(t, s)
	if !ok {
		t.Skip("the store has no user index")
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	names := []string{"ann", "bob", "", "an"}
	all := map[session.ID]session.Record{}
	of := func(userID string) map[session.ID]session.Record {
		m := maps.Clone(all)
		maps.DeleteFunc(m, func(_ session.ID, rec session.Record) bool { return rec.UserID != userID })
		return m
	}
	for range 150 {
		name := names[rng.IntN(len(names))]
		switch p := rng.IntN(10); {
		case p < 4 || len(all) == 0:
			rec := save(t, s, fresh(name, []byte(name)))
			all[rec.ID] = rec
		case p < 7:
			rec := anyOf(all)
			rec.UserID = name
			rec = save(t, s, rec)
			all[rec.ID] = rec
		case p < 9:
			rec := anyOf(all)
			if err := s.Remove(t.Context(), rec.ID); err != nil {
				t.Fatal(err)
			}
			delete(all, rec.ID)
		case name != "":
			checkRemoveUser(t, users, name, of(name), all)
		}
		for _, name := range names {
			if name != "" {
				wantUser(t, users, name, of(name))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func anyOf(all map[session.ID]session.Record) session.Record {
	for _, rec := range all {
		return rec
	}
	return session.Record{}
}

// checkRemoveUser removes a user's records but one.
func checkRemoveUser(t *testing.T, users session.UserIndexer, name string, his, all map[session.ID]session.Record) {
	t.Helper()
	keep := anyOf(his)
	n, err := users.RemoveUser(t.Context(), name, keep.ID, newID())
	if want := max(0, len(his)-1); err != nil || n != want {
		t.Errorf("RemoveUser: %d, %v, want %d", n, err, want)
	}
	for id := range his {
		if id != keep.ID {
			delete(all, id)
		}
	}
}

func userIDsOfAnyBytes(t *testing.T, s session.Store) {
	t.Helper()
	users, ok := indexer(t, s)
	if !ok {
		t.Skip("the store has no user index")
	}
	ids := []string{
		"a", "A", "a ", "a\x00", "a\x00b", "\xff\xfe", "é", "e\u0301", "a:b", "a/b", "{a}", "*", "%", "a_b", "'", "\\", "\n",
		strings.Repeat("x", 255), strings.Repeat("x", 254) + "y",
	}
	records := map[string]session.Record{}
	for _, id := range ids {
		records[id] = save(t, s, fresh(id, []byte(id)))
	}
	for _, id := range ids {
		wantUser(t, users, id, map[session.ID]session.Record{records[id].ID: records[id]})
		wantRecord(t, load(t, s, records[id].ID), records[id])
	}
	for _, id := range ids {
		if n, err := users.RemoveUser(t.Context(), id); n != 1 || err != nil {
			t.Errorf("RemoveUser(%q): %d, %v, want 1", id, n, err)
		}
	}
}

// listSeesEarlierSaves: of parallel saves, each lists at least what was saved before it began to list. A manager that
// limits the sessions of a user relies on it: the last of several logins must see them all.
func listSeesEarlierSaves(t *testing.T, s session.Store) {
	t.Helper()
	users, ok := indexer(t, s)
	if !ok {
		t.Skip("the store has no user index")
	}
	for range 10 {
		const n = 8
		var wg sync.WaitGroup
		var mu sync.Mutex
		var saved []session.ID
		for range n {
			rec := save(t, s, fresh("", nil))
			wg.Go(func() {
				rec.UserID = "u"
				if err := s.Save(t.Context(), rec); err != nil {
					t.Errorf("Save: %v", err)
					return
				}
				mu.Lock()
				saved = append(saved, rec.ID)
				want := slices.Clone(saved)
				mu.Unlock()
				got := listUser(t, users, "u")
				for _, id := range want {
					if _, ok := got[id]; !ok {
						t.Errorf("ListUser misses %v, which was saved before", id)
					}
				}
			})
		}
		wg.Wait()
		if n, err := users.RemoveUser(t.Context(), "u"); err != nil || n != len(saved) {
			t.Errorf("RemoveUser: %d, %v, want %d", n, err, len(saved))
		}
	}
}

// removeUserBesideSave: whatever logs in while a user's records are removed is removed or kept as a whole, and the
// index agrees with the records.
func removeUserBesideSave(t *testing.T, s session.Store) {
	t.Helper()
	users, ok := indexer(t, s)
	if !ok {
		t.Skip("the store has no user index")
	}
	for range 10 {
		const n = 8
		var wg sync.WaitGroup
		var recs [n]session.Record
		for i := range recs {
			recs[i] = save(t, s, fresh("", []byte("anonymous")))
		}
		old := save(t, s, fresh("u", []byte("old")))
		for i := range recs {
			wg.Go(func() {
				login := recs[i]
				login.UserID = "u"
				if err := s.Save(t.Context(), login); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
		}
		wg.Go(func() {
			if _, err := users.RemoveUser(t.Context(), "u"); err != nil {
				t.Errorf("RemoveUser: %v", err)
			}
		})
		wg.Wait()
		_, err := s.Load(t.Context(), old.ID)
		wantError(t, "Load of a record older than RemoveUser", err, session.ErrNotFound)
		alive := map[session.ID]session.Record{}
		for _, rec := range recs {
			got, err := s.Load(t.Context(), rec.ID)
			if err == nil {
				alive[rec.ID] = got
			}
		}
		wantUser(t, users, "u", alive)
		if got, err := users.RemoveUser(t.Context(), "u"); err != nil || got != len(alive) {
			t.Errorf("RemoveUser: %d, %v, want %d", got, err, len(alive))
		}
	}
}

func sweepRemovesExpiredOnly(t *testing.T, s session.Store) {
	t.Helper()
	sweeper, ok := s.(session.Sweeper)
	if !ok {
		t.Skip("the store does not sweep")
	}
	ctx := t.Context()
	if _, err := sweeper.Sweep(ctx, 10); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the store does not sweep")
	}
	live := save(t, s, fresh("u", []byte("live")))
	touched := fresh("u", []byte("touched"))
	touched.ExpiresAt = time.Now().Add(30 * time.Millisecond).Truncate(time.Millisecond)
	touched = save(t, s, touched)
	if err := s.Touch(ctx, touched.ID, touched.Deadline); errors.Is(err, session.ErrNotFound) {
		t.Skip("the machine is too slow for this test")
	}
	touched.ExpiresAt = touched.Deadline
	for range 25 {
		dead := fresh("u", nil)
		dead.ExpiresAt = time.Now().Add(30 * time.Millisecond).Truncate(time.Millisecond)
		save(t, s, dead)
	}
	<-time.After(50 * time.Millisecond)
	total := 0
	for calls := 0; ; calls++ {
		n, err := sweeper.Sweep(ctx, 10)
		if err != nil || n > 10 || calls > 100 {
			t.Fatalf("Sweep(10): %d, %v at call %d", n, err, calls)
		}
		total += n
		if n == 0 {
			break
		}
	}
	// A store may have removed some by itself, never more.
	if total > 25 {
		t.Errorf("swept %d, want at most 25", total)
	}
	wantRecord(t, load(t, s, live.ID), live)
	wantRecord(t, load(t, s, touched.ID), touched)
}
