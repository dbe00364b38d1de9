package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

// unsynced makes every change but those that only a power cut would miss: they are slow, and powercut_test.go is about them.
func unsynced(op, _ string, do func() error) error {
	if op == "sync" || op == "sync-folder" {
		return nil
	}
	return do()
}

func start(tb testing.TB, dir string, o Options) *Store {
	tb.Helper()
	s, err := open(disk.Folder{Dir: dir, Step: unsynced}, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func put(tb testing.TB, s *Store, key string, time uint64, value string) {
	tb.Helper()
	if err := s.Put(Entry{Key: key, Stamp: Stamp{Time: time, Node: "n"}, Value: []byte(value)}); err != nil {
		tb.Fatal(err)
	}
}

// content is everything in the store, as text.
func content(tb testing.TB, s *Store) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for e, err := range s.Scan("", "") {
		if err != nil {
			tb.Fatal(err)
		}
		all[e.Key] = text(e)
		if got, found, err := s.Get(e.Key); err != nil || !found || text(got) != all[e.Key] {
			tb.Fatalf("%s: a scan says %s, a look-up %s, found %v, err %v", e.Key, all[e.Key], text(got), found, err)
		}
	}
	return all
}

func text(e Entry) string { return fmt.Sprint(e.Stamp, e.Deleted, string(e.Value)) }

// TestCrashAtAnyByteKeepsEveryFinishedRecord cuts the log at each byte, opens, appends, and opens again.
func TestCrashAtAnyByteKeepsEveryFinishedRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, Options{})
	states := []map[string]string{{}}
	ends := []int64{0}
	for i := range 8 {
		put(t, s, fmt.Sprint("k", i%5), uint64(i+1), strings.Repeat("v", i*7))
		states = append(states, content(t, s))
		ends = append(ends, s.Stats().LogBytes)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(whole) + 1 {
		crashed := t.TempDir()
		if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, "000001.log"), whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		finished := 0
		for finished+1 < len(ends) && ends[finished+1] <= int64(size) {
			finished++
		}
		s := start(t, crashed, Options{})
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
		if got := content(t, start(t, crashed, Options{})); !maps.Equal(got, want) {
			t.Fatalf("cut at %d: a write after the crash is gone", size)
		}
	}
}

// TestDamageInTheMiddleIsRefused flips each byte: only the last record may be taken for torn, nothing else is dropped in silence.
func TestDamageInTheMiddleIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, Options{})
	put(t, s, "a", 1, "first")
	put(t, s, "b", 2, "second")
	last := s.Stats().LogBytes
	put(t, s, "c", 3, "third")
	path := filepath.Join(dir, "000001.log")
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
		case err != nil && (!errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "offset")):
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
	s := start(t, t.TempDir(), Options{})
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
	s := start(t, dir, Options{})
	put(t, s, "a", 1, "x")
	end := s.Stats().LogBytes
	if err := errors.Join(s.Close(), os.Truncate(filepath.Join(dir, "000001.log"), end+10_000)); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, Options{})
	if got := s.Stats(); got.Entries != 1 || got.Torn != 10_000 || got.LogBytes != end {
		t.Errorf("got %+v", got)
	}
}

func TestARecordOverTheLimitLeavesNoTrace(t *testing.T) {
	s := start(t, t.TempDir(), Options{})
	put(t, s, "a", 1, "x")
	before := s.Stats()
	if err := s.Put(Entry{Key: "big", Stamp: Stamp{Time: 2, Node: "n"}, Value: make([]byte, entry.MaxBytes)}); !errors.Is(err, ErrInvalid) {
		t.Fatalf("a record over the limit: %v", err)
	}
	if s.Stats() != before {
		t.Error("a refused write left a trace")
	}
	big := bytes.Repeat([]byte("b"), entry.MaxBytes-100)
	if err := errors.Join(s.Put(Entry{Key: "big", Stamp: Stamp{Time: 2, Node: "n"}, Value: big}), s.Compact()); err != nil {
		t.Fatal(err)
	}
	if e, _, err := s.Get("big"); err != nil || !bytes.Equal(e.Value, big) {
		t.Errorf("the largest value: %d bytes, %v", len(e.Value), err)
	}
}

func TestListingIsOrderedBoundedAndPaged(t *testing.T) {
	s := start(t, t.TempDir(), Options{})
	for i := range 25 {
		put(t, s, fmt.Sprintf("p/%02d", i), 1, "v")
		put(t, s, fmt.Sprintf("q/%02d", i), 1, "v")
	}
	var got []string
	after := ""
	for {
		page, err := s.Keys("p/", after, 10)
		if err != nil {
			t.Fatal(err)
		}
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
	if err := s.Compact(); !errors.Is(err, ErrClosed) {
		t.Errorf("compact: got %v", err)
	}
	if _, err := s.Keys("", "", 1); !errors.Is(err, ErrClosed) {
		t.Errorf("keys: got %v", err)
	}
	if got := start(t, dir, Options{}).Stats(); got.Newest != (Stamp{Time: 7, Node: "n"}) || got.Replayed != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestConcurrentWritersAgreeWithTheirLog(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, Options{})
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
	if got := content(t, start(t, dir, Options{})); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
