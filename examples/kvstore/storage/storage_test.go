package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func open(tb testing.TB, dir string) *Store {
	tb.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func put(tb testing.TB, s *Store, key string, time uint64, value string) {
	tb.Helper()
	if err := s.Put(Entry{Key: key, Stamp: Stamp{time, "n"}, Value: []byte(value)}); err != nil {
		tb.Fatal(err)
	}
}

// content is everything in the store, as text.
func content(tb testing.TB, s *Store) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for _, key := range s.Select(func(string) bool { return true }) {
		e, found, err := s.Get(key)
		if err != nil || !found {
			tb.Fatalf("%s: found %v, err %v", key, found, err)
		}
		all[key] = fmt.Sprint(e.Stamp, e.Deleted, string(e.Value))
	}
	return all
}

// TestRandomProgramsAgreeWithAMap runs puts in any order of stamps, deletions, forgets and reopens against a map.
func TestRandomProgramsAgreeWithAMap(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		dir := t.TempDir()
		s := open(t, dir)
		model := map[string]Entry{}
		for step := range 400 {
			key := fmt.Sprint("k", rng.IntN(30))
			switch op := rng.IntN(20); {
			case op < 15:
				e := Entry{Key: key, Stamp: Stamp{rng.Uint64N(1000), string(rune('a' + rng.IntN(3)))}, Deleted: rng.IntN(8) == 0}
				if !e.Deleted {
					e.Value = bytes.Repeat([]byte{byte(step)}, rng.IntN(3)*inline+rng.IntN(3))
				}
				if err := s.Put(e); err != nil {
					t.Fatal(err)
				}
				if old, ok := model[key]; !ok || e.Stamp.Compare(old.Stamp) > 0 {
					model[key] = e
				}
			case op < 17:
				if err := s.Forget(key); err != nil {
					t.Fatal(err)
				}
				delete(model, key)
			default:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, dir)
			}
		}
		want := map[string]string{}
		for key, e := range model {
			want[key] = fmt.Sprint(e.Stamp, e.Deleted, string(e.Value))
		}
		if got := content(t, s); !maps.Equal(got, want) {
			t.Fatalf("seed %d: store and model differ", seed)
		}
	}
}

// TestCrashAtAnyByteKeepsEveryFinishedRecord cuts the log at each byte, opens, appends, and opens again.
func TestCrashAtAnyByteKeepsEveryFinishedRecord(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	states := []map[string]string{{}}
	ends := []int64{0}
	for i := range 8 {
		put(t, s, fmt.Sprint("k", i%5), uint64(i+1), strings.Repeat("v", i*7))
		states = append(states, content(t, s))
		ends = append(ends, s.Stats().LogBytes)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "commit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(whole) + 1 {
		crashed := t.TempDir()
		if err := os.WriteFile(filepath.Join(crashed, "commit.log"), whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		finished := 0
		for finished+1 < len(ends) && ends[finished+1] <= int64(size) {
			finished++
		}
		s := open(t, crashed)
		if got := content(t, s); !maps.Equal(got, states[finished]) {
			t.Fatalf("cut at %d: got %v, want %v", size, got, states[finished])
		}
		if torn := int64(size) - ends[finished]; s.Stats().Torn != torn {
			t.Fatalf("cut at %d: torn %d, want %d", size, s.Stats().Torn, torn)
		}
		put(t, s, "after", 99, "crash")
		want := content(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, open(t, crashed)); !maps.Equal(got, want) {
			t.Fatalf("cut at %d: a write after the crash is gone", size)
		}
	}
}

// TestDamageInTheMiddleIsRefused flips each byte: only the last record may be taken for torn, nothing else is dropped in silence.
func TestDamageInTheMiddleIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", 1, "first")
	put(t, s, "b", 2, "second")
	last := s.Stats().LogBytes
	put(t, s, "c", 3, "third")
	path := filepath.Join(dir, "commit.log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		damaged := slices.Clone(whole)
		damaged[i] ^= 0x40
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{})
		switch {
		case err == nil && int64(i) < last:
			t.Errorf("byte %d: damage went unnoticed", i)
		case err != nil && !errors.Is(err, ErrCorrupt):
			t.Errorf("byte %d: got %v", i, err)
		case err == nil:
			if n := s.Stats().Entries; n != 2 {
				t.Errorf("byte %d: %d entries", i, n)
			}
			_ = s.Close()
		}
	}
}

func TestAnOlderOrRepeatedWriteDoesNotGrowTheLog(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a", 5, "x")
	before := s.Stats().LogBytes
	put(t, s, "a", 5, "x")
	put(t, s, "a", 4, "older")
	if after := s.Stats().LogBytes; after != before {
		t.Errorf("the log grew by %d bytes", after-before)
	}
	if e, _, err := s.Get("a"); err != nil || string(e.Value) != "x" {
		t.Errorf("got %q, %v", e.Value, err)
	}
}

func TestZerosAtTheEndAreATornTail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", 1, "x")
	end := s.Stats().LogBytes
	if err := errors.Join(s.Close(), os.Truncate(filepath.Join(dir, "commit.log"), end+10_000)); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got := s.Stats(); got.Entries != 1 || got.Torn != 10_000 || got.LogBytes != end {
		t.Errorf("got %+v", got)
	}
}

func TestAFailedAppendLeavesNoGarbage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", 1, "x")
	before := s.Stats().LogBytes
	if err := s.Put(Entry{Key: "big", Stamp: Stamp{2, "n"}, Value: make([]byte, maxRecord)}); err == nil {
		t.Fatal("a record over the limit was taken")
	}
	if s.Stats().LogBytes != before || s.Stats().Entries != 1 {
		t.Error("a refused write left a trace")
	}
	if err := s.log.file.Close(); err != nil { // now every write fails
		t.Fatal(err)
	}
	if err := s.Put(Entry{Key: "b", Stamp: Stamp{3, "n"}}); err == nil {
		t.Fatal("a write to a closed file was acknowledged")
	}
	if _, found, _ := s.Get("b"); found {
		t.Error("a failed write is visible")
	}
}

func TestListingIsOrderedBoundedAndPaged(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 25 {
		put(t, s, fmt.Sprintf("p/%02d", i), 1, "v")
		put(t, s, fmt.Sprintf("q/%02d", i), 1, "v")
	}
	var got []string
	after := ""
	for {
		page := s.Keys("p/", after, 10)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.Key)
		}
		after = got[len(got)-1]
	}
	if len(got) != 25 || !slices.IsSorted(got) || got[24] != "p/24" {
		t.Errorf("got %v", got)
	}
}

func TestClosedStoreRefusesAndSyncedStoreWorks(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", 7, "x")
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Put(Entry{Key: "a"}); !errors.Is(err, ErrClosed) {
		t.Errorf("put: got %v", err)
	}
	if _, _, err := s.Get("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("get: got %v", err)
	}
	if err := s.Forget("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("forget: got %v", err)
	}
	if got := open(t, dir).Stats(); got.Newest != (Stamp{7, "n"}) || got.Replayed != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestConcurrentWritersAgreeWithTheirLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var all sync.WaitGroup
	for w := range uint64(4) {
		all.Go(func() {
			for i := range uint64(200) {
				put(t, s, fmt.Sprint("k", i%10), (i*7+w)%200, fmt.Sprint(w, i))
				if _, _, err := s.Get("k1"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	want := content(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, open(t, dir)); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(Entry{Key: "k", Stamp: Stamp{1, "n"}, Value: []byte("v")}.AppendTo(nil))
	f.Add(Entry{Key: "", Deleted: true}.AppendTo(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := DecodeEntry(b)
		if err != nil {
			return
		}
		again, tail, err := DecodeEntry(e.AppendTo(nil))
		if err != nil || len(tail) != 0 || again.Key != e.Key || again.Stamp != e.Stamp || again.Deleted != e.Deleted || !bytes.Equal(again.Value, e.Value) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
		if len(rest) > len(b) {
			t.Error("rest grew")
		}
	})
}
