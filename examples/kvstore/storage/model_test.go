package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// model is what a store should be: a map.
type model map[string]Entry

func (m model) put(e Entry) {
	if old, ok := m[e.Key]; !ok || e.Stamp.Compare(old.Stamp) > 0 {
		m[e.Key] = e
	}
}

func (m model) text() map[string]string {
	all := map[string]string{}
	for key, e := range m {
		all[key] = text(e)
	}
	return all
}

// page is what Keys should return.
func (m model) page(prefix, after string, limit int) (page []string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, prefix) && key > after && len(page) < limit {
			page = append(page, fmt.Sprint(key, m[key].Stamp, m[key].Deleted))
		}
	}
	return page
}

func draw(rng *rand.Rand, step int) Entry {
	e := Entry{Key: fmt.Sprint(string(rune('a'+rng.IntN(3))), rng.IntN(40)), Stamp: Stamp{Time: rng.Uint64N(1000), Node: string(rune('a' + rng.IntN(3)))}}
	if e.Deleted = rng.IntN(8) == 0; !e.Deleted {
		size := rng.IntN(60)
		if rng.IntN(20) == 0 {
			size = rng.IntN(10_000) // longer than a block
		}
		e.Value = bytes.Repeat([]byte{'a' + byte(step%26)}, size)
	}
	return e
}

// TestRandomProgramsAgreeWithAMap runs puts in any order of stamps, deletions, forgets, listings, flushes, merges and reopens against
// a map, with memtables so small that most of it happens in the background as well.
func TestRandomProgramsAgreeWithAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		o := Options{FlushBytes: 200 << rng.IntN(8), CacheBytes: []int{-1, 0, 3000}[rng.IntN(3)], NoFilter: rng.IntN(4) == 0}
		dir := t.TempDir()
		s, want := start(t, dir, o), model{}
		for step := range 600 {
			e := draw(rng, step)
			var err error
			switch op := rng.IntN(100); {
			case op < 70:
				err = s.Put(e)
				want.put(e)
			case op < 80:
				err = s.Forget(e.Key)
				delete(want, e.Key)
			case op < 84:
				err = s.Flush()
			case op < 86:
				err = s.Compact()
			case op < 96:
				prefix, limit := e.Key[:rng.IntN(3)], rng.IntN(30)
				after := draw(rng, step).Key[:rng.IntN(3)]
				page, err := s.Keys(prefix, after, limit)
				var got []string
				for _, e := range page {
					got = append(got, fmt.Sprint(e.Key, e.Stamp, e.Deleted))
				}
				if err != nil || !slices.Equal(got, want.page(prefix, after, limit)) {
					t.Fatalf("seed %d step %d: keys %q after %q: got %v, %v, want %v", seed, step, prefix, after, got, err, want.page(prefix, after, limit))
				}
			default:
				newest := s.Stats().Newest
				err = s.Close()
				s = start(t, dir, o)
				if s.Stats().Newest != newest {
					t.Fatalf("seed %d step %d: newest %v, was %v", seed, step, s.Stats().Newest, newest)
				}
			}
			if err != nil {
				t.Fatalf("seed %d step %d: %v", seed, step, err)
			}
			got, found, err := s.Get(e.Key)
			if now, ok := want[e.Key]; err != nil || found != ok || found && text(got) != text(now) {
				t.Fatalf("seed %d step %d: %s is %v, found %v, err %v; want %v, %v", seed, step, e.Key, got, found, err, now, ok)
			}
		}
		if got := content(t, s); !maps.Equal(got, want.text()) {
			t.Fatalf("seed %d: store and model differ", seed)
		}
	}
}

// TestTombstonesLeaveOnlyWhenTheirTimeIsOverAndNothingIsBelow puts keys into an old run, deletes them in a newer one, and merges.
func TestTombstonesLeaveOnlyWhenTheirTimeIsOverAndNothingIsBelow(t *testing.T) {
	hour := uint64(time.Hour)
	now := uint64(time.Now().UnixNano())
	for name, c := range map[string]struct {
		grace time.Duration
		at    uint64
		stays bool
	}{
		"no grace":        {0, now - 10*hour, true},
		"within grace":    {2 * time.Hour, now - hour, true},
		"past grace":      {2 * time.Hour, now - 3*hour, false},
		"of the future":   {2 * time.Hour, now + hour, true},
		"grace from 1970": {1 << 62, now - hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, dir, Options{Grace: c.grace})
			for i := range 200 {
				put(t, s, fmt.Sprintf("key-%03d", i), 1, strings.Repeat("v", 100))
			}
			gone := Entry{Key: "key-007", Stamp: Stamp{Time: c.at, Node: "n"}, Deleted: true}
			if err := errors.Join(s.Flush(), s.Put(gone), s.Flush()); err != nil {
				t.Fatal(err)
			}
			if st := s.Stats(); st.Runs != 2 {
				t.Fatalf("%d runs, want 2", st.Runs)
			}
			if e, found, err := s.Get(gone.Key); err != nil || !found || !e.Deleted {
				t.Fatalf("the tombstone has left while a value lies below: %v, %v, %v", e, found, err)
			}
			if err := s.Compact(); err != nil {
				t.Fatal(err)
			}
			_, found, err := s.Get(gone.Key)
			if err != nil || found != c.stays {
				t.Errorf("after the merge found = %v, want %v, err %v", found, c.stays, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := start(t, dir, Options{}).Stats().Newest; got != gone.Stamp {
				t.Errorf("newest %v, want %v, although its entry may have left", got, gone.Stamp)
			}
		})
	}
}

// TestAForgottenKeyComesBackInAnyVersion forgets a key that lies in a run; the mark must hold across flushes, merges and a reopen,
// and an older version must be taken afterwards.
func TestAForgottenKeyComesBackInAnyVersion(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, Options{})
	for i := range 200 {
		put(t, s, fmt.Sprintf("key-%03d", i), 50, strings.Repeat("v", 100))
	}
	absent := func(when string) {
		t.Helper()
		if _, found, err := s.Get("key-007"); err != nil || found {
			t.Fatalf("%s: found %v, err %v", when, found, err)
		}
		if n := len(content(t, s)); n != 199 {
			t.Fatalf("%s: %d keys", when, n)
		}
	}
	if err := errors.Join(s.Flush(), s.Forget("key-007", "never seen")); err != nil {
		t.Fatal(err)
	}
	absent("forgotten")
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	absent("flushed")
	if st := s.Stats(); st.Runs != 2 || st.Entries != 201 {
		t.Fatalf("the mark is not in a run: %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, Options{})
	absent("reopened")
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	absent("merged")
	if st := s.Stats(); st.Entries != 199 {
		t.Errorf("the mark has not left: %+v", st)
	}
	put(t, s, "key-007", 1, "older than what was forgotten")
	if e, found, err := s.Get("key-007"); err != nil || !found || e.Stamp.Time != 1 {
		t.Errorf("got %v, %v, %v", e, found, err)
	}
}

// TestReadersSeeEveryAcknowledgedWriteWhileRunsComeAndGo lets writers, readers, scans and merges run at once.
func TestReadersSeeEveryAcknowledgedWriteWhileRunsComeAndGo(t *testing.T) {
	s := start(t, t.TempDir(), Options{FlushBytes: 2000, CacheBytes: 20_000})
	const writers, rounds, keys = 4, 60, 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for round := range uint64(rounds) {
				for k := range keys {
					put(t, s, fmt.Sprint("w", w, "-", k), round+1, strings.Repeat("v", int(round)))
				}
				for k := range keys {
					e, found, err := s.Get(fmt.Sprint("w", w, "-", k))
					if err != nil || !found || e.Stamp.Time != round+1 {
						t.Errorf("got %v, %v, %v in round %d", e, found, err, round)
					}
				}
				seen := 0
				for _, err := range s.Scan(fmt.Sprint("w", w, "-"), "") {
					if seen++; err != nil {
						t.Error(err)
					}
				}
				if seen != keys {
					t.Errorf("a scan saw %d of %d keys", seen, keys)
				}
			}
		})
	}
	all.Go(func() {
		for range 10 {
			if err := s.Compact(); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if st := s.Stats(); st.FlushedBytes == 0 || st.MergedBytes == 0 {
		t.Errorf("nothing came and went: %+v", st)
	}
}
