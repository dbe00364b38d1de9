package diskstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

type store = Store[int, string]

// small has the smallest segments and room for the fewest of them.
func small() Options[int, string] {
	return Options[int, string]{SegmentSize: minSegmentSize, MaxBytes: minSegments * minSegmentSize}
}

func open(tb testing.TB, dir string, opts Options[int, string]) *store {
	tb.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeStore(tb, s) })
	return s
}

func closeStore(tb testing.TB, s *store) {
	tb.Helper()
	if err := s.Close(tb.Context()); err != nil && tb.Context().Err() == nil {
		tb.Error(err)
	}
}

func putIn(tb testing.TB, s *store, key int, value string) {
	tb.Helper()
	if err := s.Put(lru.Entry[int, string]{Key: key, Value: value, Weight: 1}); err != nil {
		tb.Fatal(err)
	}
}

// takes wants a value from Take; "": none.
func takes(tb testing.TB, s *store, key int, want string) {
	tb.Helper()
	e, ok, err := s.Take(tb.Context(), key)
	if err != nil || e.Value != want || ok != (want != "") {
		tb.Fatalf("Take(%d) = %q, %v, %v; want %q", key, e.Value, ok, err, want)
	}
}

// rest waits until no segment is being emptied.
func (s *Store[K, V]) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.retiring {
		s.retired.Wait()
	}
}

// contents reads all entries without taking them.
func contents(tb testing.TB, s *store, keys int) map[int]string {
	tb.Helper()
	out := map[int]string{}
	for key := range keys {
		name, err := s.opts.Encoding.Key.Append(nil, key)
		if err != nil {
			tb.Fatal(err)
		}
		s.mu.Lock()
		p, known := s.index[s.hash(name)]
		seg := s.find(p.segment())
		s.mu.Unlock()
		if !known {
			continue
		}
		var buf []byte
		if _, value, ok := seg.read(part{p.offset(), seg.size}, name, &buf); ok {
			out[key] = string(value)
		} else {
			tb.Errorf("the entry of key %d cannot be read", key)
		}
	}
	return out
}

func TestOptionsAreRefusedByName(t *testing.T) {
	for field, opts := range map[string]Options[int, string]{
		"SegmentSize": {SegmentSize: 100},
		"MaxBytes":    {MaxBytes: 100},
		"at most":     {MaxBytes: 1 << 40, SegmentSize: 1 << 20},
	} {
		if _, err := Open(t.TempDir(), opts); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestTakeHandsBackOnce(t *testing.T) {
	s := open(t, t.TempDir(), small())
	deadline := time.Now().Add(time.Hour).Round(0)
	if err := s.Put(lru.Entry[int, string]{Key: 1, Value: "one", Weight: 7, Expires: deadline}); err != nil {
		t.Fatal(err)
	}
	e, ok, err := s.Take(t.Context(), 1)
	if !ok || err != nil || e.Key != 1 || e.Value != "one" || e.Weight != 7 || !e.Expires.Equal(deadline) {
		t.Fatalf("Take = %+v, %v, %v", e, ok, err)
	}
	takes(t, s, 1, "")
	if s.Len() != 0 {
		t.Fatalf("Len %d", s.Len())
	}
}

func TestEntriesAreThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	putIn(t, s, 1, "old")
	putIn(t, s, 1, "new")
	putIn(t, s, 2, "two")
	putIn(t, s, 3, "three")
	if err := s.Remove(2); err != nil {
		t.Fatal(err)
	}
	takes(t, s, 3, "three")
	closeStore(t, s)
	s = open(t, dir, small())
	takes(t, s, 1, "new")
	takes(t, s, 2, "")
	takes(t, s, 3, "")
}

func TestClearedEntriesStayGone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	for key := range 200 {
		putIn(t, s, key, strings.Repeat("x", 50))
	}
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 0 || s.Bytes() > minSegmentSize {
		t.Fatalf("Len %d, Bytes %d after Clear", s.Len(), s.Bytes())
	}
	putIn(t, s, 7, "seven")
	closeStore(t, s)
	s = open(t, dir, small())
	if got := contents(t, s, 200); len(got) != 1 || got[7] != "seven" {
		t.Fatalf("contents %v", got)
	}
}

func TestExpiredEntryIsNoneAndHidesWhatItReplaced(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	putIn(t, s, 1, "for ever")
	soon := time.Now().Add(20 * time.Millisecond)
	if err := s.Put(lru.Entry[int, string]{Key: 1, Value: "short", Expires: soon}); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(soon))
	closeStore(t, s)
	s = open(t, dir, small())
	takes(t, s, 1, "")
	putIn(t, s, 2, "there")
	if err := s.Put(lru.Entry[int, string]{Key: 2, Value: "late", Expires: time.Now().Add(-1)}); err != nil {
		t.Fatal(err)
	}
	takes(t, s, 2, "")
}

func TestEntryLargerThanASegmentIsForgotten(t *testing.T) {
	s := open(t, t.TempDir(), small())
	putIn(t, s, 1, "small")
	putIn(t, s, 1, strings.Repeat("x", minSegmentSize))
	takes(t, s, 1, "")
	largest := strings.Repeat("y", minSegmentSize-len(title(s.title))-headSize-8)
	putIn(t, s, 2, largest)
	takes(t, s, 2, largest)
}

func TestFilesNeverExceedMaxBytes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	for key := range 2000 {
		putIn(t, s, key, strings.Repeat("x", 100))
		if n := s.Bytes(); n > s.opts.MaxBytes {
			t.Fatalf("%d bytes, at most %d", n, s.opts.MaxBytes)
		}
	}
	s.rest()
	var onDisk int64
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		onDisk += info.Size()
	}
	if onDisk != s.Bytes() {
		t.Fatalf("%d bytes on disk, Bytes says %d", onDisk, s.Bytes())
	}
	// What was put last is there, and the index holds nothing that went.
	got := contents(t, s, 2000)
	if len(got) != s.Len() || got[1999] == "" || got[0] != "" {
		t.Fatalf("%d entries readable of %d", len(got), s.Len())
	}
	if len(got) < 40 {
		t.Fatalf("only %d entries in %d bytes", len(got), onDisk)
	}
}

func TestFewSurvivorsOfTheOldestSegmentAreMoved(t *testing.T) {
	s := open(t, t.TempDir(), small())
	for key := range 3 {
		putIn(t, s, key, "keep")
	}
	for key := 10; key < 1000; key++ { // each is put and taken: its segment is empty when it is the oldest
		putIn(t, s, key, strings.Repeat("x", 100))
		takes(t, s, key, strings.Repeat("x", 100))
	}
	s.rest()
	for key := range 3 {
		takes(t, s, key, "keep")
	}
}

func TestDamagedValueIsAMiss(t *testing.T) {
	s := open(t, t.TempDir(), small())
	putIn(t, s, 1, "value")
	seg := s.segments[0]
	if _, err := seg.file.WriteAt([]byte{'X'}, seg.size-1); err != nil {
		t.Fatal(err)
	}
	takes(t, s, 1, "")
}

func TestDamageDropsEverythingThatItMayHaveRemoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	putIn(t, s, 1, "one")
	at := s.segments[0].size
	if err := s.Remove(1); err != nil {
		t.Fatal(err)
	}
	putIn(t, s, 2, "two")
	if _, err := s.segments[0].file.WriteAt([]byte{0xff}, at+headSize); err != nil { // in the key of the removal
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, dir, small())
	takes(t, s, 1, "")
	putIn(t, s, 3, "three")
	closeStore(t, s)
	s = open(t, dir, small())
	takes(t, s, 1, "")
	takes(t, s, 3, "three")
}

func TestOtherEncodingStartsEmpty(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	putIn(t, s, 1, "one")
	closeStore(t, s)
	other, err := Open(dir, Options[int, []byte]{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(t.Context()) }()
	if _, ok, err := other.Take(t.Context(), 1); ok || err != nil || other.Len() != 0 {
		t.Fatalf("Take = %v, %v", ok, err)
	}
}

func TestSecondStoreOfADirectoryIsLockedOut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, small())
	if _, err := Open(dir, small()); !errors.Is(err, ErrLocked) {
		t.Fatalf("second Open: %v", err)
	}
	closeStore(t, s)
	open(t, dir, small())
}

func TestFailedWriteDisablesTheStoreAndLeavesNothing(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full:", err)
	}
	dir := t.TempDir()
	var told []error
	opts := small()
	opts.OnError = func(err error) { told = append(told, err) }
	s := open(t, dir, opts)
	putIn(t, s, 1, "one")
	s.segments[0].file, full = full, s.segments[0].file
	defer func() { _ = full.Close() }()
	if err := s.Remove(1); !errors.Is(err, ErrDisabled) {
		t.Fatalf("Remove on a full disk: %v", err)
	}
	if err := s.Put(lru.Entry[int, string]{Key: 2, Value: "two"}); !errors.Is(err, ErrDisabled) {
		t.Fatalf("Put afterwards: %v", err)
	}
	if _, _, err := s.Take(t.Context(), 1); !errors.Is(err, ErrDisabled) {
		t.Fatalf("Take afterwards: %v", err)
	}
	if len(told) != 1 {
		t.Fatalf("OnError heard %v", told)
	}
	closeStore(t, s)
	s = open(t, dir, small())
	takes(t, s, 1, "") // its removal could not be written
}

func TestMethodsAfterCloseSaySo(t *testing.T) {
	s := open(t, t.TempDir(), small())
	closeStore(t, s)
	_, _, err := s.Take(t.Context(), 1)
	for _, err := range []error{err, s.Put(lru.Entry[int, string]{Key: 1}), s.Remove(1), s.Clear()} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	closeStore(t, s) // a second time is no error
}

// TestConcurrentUseKeepsValuesWhole is for -race: values carry their key, and nobody gets what another one took.
func TestConcurrentUseKeepsValuesWhole(t *testing.T) {
	s := open(t, t.TempDir(), small())
	var wg sync.WaitGroup
	var mu sync.Mutex
	puts, taken := map[string]int{}, map[string]int{}
	for w := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 1500 {
				key := rng.IntN(60)
				switch rng.IntN(4) {
				case 0, 1:
					v := fmt.Sprintf("%d/%d/%d/%s", key, w, i, bytes.Repeat([]byte{'x'}, rng.IntN(200)))
					mu.Lock()
					puts[v]++
					mu.Unlock()
					putIn(t, s, key, v)
				case 2:
					e, ok, err := s.Take(t.Context(), key)
					if err != nil || ok && !strings.HasPrefix(e.Value, fmt.Sprint(key, "/")) {
						t.Errorf("Take(%d) = %q, %v", key, e.Value, err)
					}
					if ok {
						mu.Lock()
						taken[e.Value]++
						mu.Unlock()
					}
				default:
					if err := s.Remove(key); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for v, n := range taken {
		if n != 1 || puts[v] != 1 {
			t.Fatalf("%q was put %d times and taken %d times", v, puts[v], n)
		}
	}
	if len(taken) == 0 {
		t.Fatal("nothing was ever taken")
	}
	s.rest()
	if got := contents(t, s, 60); len(got) != s.Len() {
		t.Fatalf("%d entries readable, Len %d", len(got), s.Len())
	}
}

func TestAnEntryTakesAtMost40BytesOfMemory(t *testing.T) {
	// Just before and just after the index grows, where it is fullest and emptiest.
	for _, entries := range []int{110_000, 120_000, 200_000} {
		s := open(t, t.TempDir(), Options[int, string]{})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for key := range entries {
			putIn(t, s, key, "v")
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if per := float64(after.HeapAlloc-before.HeapAlloc) / float64(entries); per < 16 || per > 40 {
			t.Errorf("%d entries take %.1f bytes each", entries, per)
		}
		runtime.KeepAlive(s)
	}
}
