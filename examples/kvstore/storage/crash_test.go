package storage

import (
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

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
)

const absent = "absent"

// books are kept outside the store: of each key, what a store may say after a crash. That is what was acknowledged last, or one of
// the writes after it that have not been acknowledged.
type books struct {
	mu  sync.Mutex
	may map[string][]string
}

func newBooks() *books { return &books{may: map[string][]string{}} }

func (b *books) begin(key, state string) {
	if b.may[key] == nil {
		b.may[key] = []string{absent}
	}
	b.may[key] = append(b.may[key], state)
}

// do writes, and books what was promised.
func (b *books) do(key, state string, write func() error) error {
	b.mu.Lock()
	b.begin(key, state)
	b.mu.Unlock()
	err := write()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.may[key] = []string{state}
	}
	return err
}

// wrong lists the keys of which the store says what it must not. The caller holds mu, or is alone.
func (b *books) wrong(got map[string]string) (keys []string) {
	for key, may := range b.may {
		state, ok := got[key]
		if !ok {
			state = absent
		}
		if !slices.Contains(may, state) {
			keys = append(keys, fmt.Sprintf("%s is %s, not of %v", key, state, may))
		}
	}
	for key := range got {
		if b.may[key] == nil {
			keys = append(keys, key+" was never written")
		}
	}
	slices.Sort(keys)
	return keys
}

// program writes, deletes and forgets, with memtables of a few records, so that flushes and merges run beside it; it goes on after errors.
func (b *books) program(s *Store) (failures int) {
	count := func(err error) {
		if err != nil {
			failures++
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range uint64(60) {
		e := Entry{Key: fmt.Sprint("k", rng.IntN(12)), Stamp: Stamp{Time: i + 1, Node: "n"}, Value: []byte(strings.Repeat("v", rng.IntN(40)))}
		if e.Deleted = rng.IntN(6) == 0; e.Deleted {
			e.Value = nil
		}
		if rng.IntN(6) == 0 {
			count(b.do(e.Key, absent, func() error { return s.Forget(e.Key) }))
			continue
		}
		count(b.do(e.Key, text(e), func() error { return s.Put(e) }))
		if i == 40 {
			count(s.Compact())
		}
	}
	count(s.Flush())
	count(s.Compact())
	return failures
}

func tiny(sync bool) Options { return Options{Sync: sync, FlushBytes: 250, CacheBytes: 4000} }

// reopen opens a folder that a crash has left, compares it with the books, and works on; deep also flushes and comes back again.
func (b *books) reopen(tb testing.TB, what, dir string, deep bool) {
	tb.Helper()
	s, err := open(disk.Folder{Dir: dir, Step: unsynced}, tiny(false))
	if err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	if wrong := b.wrong(content(tb, s)); wrong != nil {
		tb.Fatalf("%s: %v", what, wrong)
	}
	if !deep {
		if err := s.Close(); err != nil {
			tb.Fatal(err)
		}
		return
	}
	put(tb, s, "after", 1000, what)
	want := content(tb, s)
	if err := errors.Join(s.Compact(), s.Close()); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	s, err = open(disk.Folder{Dir: dir, Step: unsynced}, tiny(false))
	if err != nil {
		tb.Fatalf("%s, then a merge: %v", what, err)
	}
	if got := content(tb, s); !maps.Equal(got, want) {
		tb.Fatalf("%s, then a merge: got %v, want %v", what, got, want)
	}
	for _, name := range names(tb, dir) { // nothing is left that nobody counts
		if strings.HasSuffix(name, disk.TmpSuffix) {
			tb.Errorf("%s: %s is left", what, name)
		}
	}
	if n := len(names(tb, dir)); n != 3 {
		tb.Errorf("%s: %d files are left, want manifest, log and run", what, n)
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	names, err := disk.Folder{Dir: dir}.Names()
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func clone(tb testing.TB, dir string) string {
	tb.Helper()
	to := tb.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		tb.Fatal(err)
	}
	return to
}

// TestAKillAtEveryStepLeavesWhatWasAcknowledged copies the folder before and after every change that a store makes in it, and with the
// bytes of each write cut at several places: that is what a kill leaves. Every copy is opened.
func TestAKillAtEveryStepLeavesWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBooks()
	steps := map[string]int{}
	total := 0
	step := func(op, name string, do func() error) error {
		b.mu.Lock() // one change at a time, so that a copy is of one moment
		defer b.mu.Unlock()
		steps[op]++
		total++
		what := fmt.Sprintf("kill before step %d, %s %s", total, op, name)
		b.reopen(t, what, clone(t, dir), total%7 == 0)
		before := fileSize(dir, name)
		if err := unsynced(op, name, do); err != nil {
			return err
		}
		if op != "append" && op != "write" {
			return nil
		}
		size := fileSize(dir, name) - before
		for _, cut := range []int64{1, 4, 5, 11, 12, 13, size / 2, size - 1} {
			if cut >= size || cut < 1 {
				continue
			}
			copied := clone(t, dir)
			if err := os.Truncate(filepath.Join(copied, name), before+cut); err != nil {
				return err
			}
			b.reopen(t, fmt.Sprintf("kill %d bytes into step %d, %s %s", cut, total, op, name), copied, false)
		}
		return nil
	}
	s, err := open(disk.Folder{Dir: dir, Step: step}, tiny(false))
	if err != nil {
		t.Fatal(err)
	}
	if failures := b.program(s); failures > 0 {
		t.Fatalf("%d failures", failures)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.reopen(t, "the end", dir, true)
	for _, op := range []string{"create", "append", "write", "sync", "rename", "sync-folder", "remove"} {
		if steps[op] < 3 {
			t.Errorf("only %d steps of %s: %v", steps[op], op, steps)
		}
	}
}

func fileSize(dir, name string) int64 {
	if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return info.Size()
	}
	return 0
}

var errInjected = errors.New("no space left, says the test")

// TestAnErrorAtEveryStepLosesNothing fails every step in turn, once or from then on, before it was made, half-way or after. What was acknowledged
// must be there at once and after a reopen; what failed may be there or not.
func TestAnErrorAtEveryStepLosesNothing(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{false, true} {
		stride := 1
		if dead {
			stride = 3
		}
		for n, more := 1, true; more; n += stride {
			how := n % 2 // a change that was made and still reports an error is the worse one
			dir, b := t.TempDir(), newBooks()
			total, failed := 0, ""
			var mu sync.Mutex
			step := func(op, name string, do func() error) error {
				mu.Lock()
				defer mu.Unlock()
				if total++; total != n && (!dead || total < n) {
					return unsynced(op, name, do)
				}
				failed += fmt.Sprint(" ", op, " ", name)
				if how == 1 && op != "rename" && op != "remove" {
					return errors.Join(errInjected, do())
				}
				return errInjected
			}
			s, err := open(disk.Folder{Dir: dir, Step: step}, tiny(n%3 == 0))
			if err == nil {
				failures := b.program(s)
				if failures == 0 && failed != "" && !strings.HasPrefix(failed, " remove") { // the next flush would tell of that
					t.Errorf("step %d:%s failed, and nobody was told", n, failed)
				}
				if wrong := b.wrong(content(t, s)); wrong != nil {
					t.Fatalf("error at step %d (%s): %v", n, failed, wrong)
				}
				_ = s.Close()
			} else if !errors.Is(err, errInjected) {
				t.Fatal(err)
			}
			mu.Lock()
			more = failed != ""
			b.reopen(t, fmt.Sprintf("error at step %d (%s)", n, failed), dir, true)
			mu.Unlock()
		}
	}
}
