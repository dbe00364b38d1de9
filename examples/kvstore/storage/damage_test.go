package storage

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// twoRuns makes a store with two runs and something in the log.
func twoRuns(tb testing.TB) (dir string, want map[string]string) {
	tb.Helper()
	dir = tb.TempDir()
	s := start(tb, dir, Options{})
	for i := range 30 {
		put(tb, s, fmt.Sprint("k", i), 1, strings.Repeat("v", 10))
	}
	if err := s.Flush(); err != nil {
		tb.Fatal(err)
	}
	put(tb, s, "k7", 2, "newer")
	if err := s.Flush(); err != nil {
		tb.Fatal(err)
	}
	put(tb, s, "k8", 3, "newest")
	want = content(tb, s)
	if st := s.Stats(); st.Runs != 2 {
		tb.Fatalf("%d runs, want 2", st.Runs)
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir, want
}

// read opens a store and reads everything in both ways.
func read(tb testing.TB, dir string) (got map[string]string, err error) {
	tb.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		return nil, err
	}
	got = map[string]string{}
	for e, err := range s.Scan("", "") {
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		got[e.Key] = text(e)
	}
	for key, want := range got {
		e, found, err := s.Get(key)
		if err != nil || !found || text(e) != want {
			tb.Fatalf("%s: a scan says %s, a look-up %s, found %v, %v", key, want, text(e), found, err)
		}
	}
	return got, s.Close()
}

// TestEveryDamagedByteIsAnErrorThatNamesTheFile flips each byte of the manifest and of the runs in turn.
func TestEveryDamagedByteIsAnErrorThatNamesTheFile(t *testing.T) {
	t.Parallel()
	dir, want := twoRuns(t)
	if got, err := read(t, dir); err != nil || !maps.Equal(got, want) {
		t.Fatalf("undamaged: %v, %v", got, err)
	}
	for _, name := range names(t, dir) {
		if strings.HasSuffix(name, ".log") {
			continue // TestDamageInTheMiddleIsRefused
		}
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damage := func(what string, b []byte) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := read(t, dir)
			if err == nil {
				t.Errorf("%s: unnoticed, %d keys", what, len(got))
			} else if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "offset") {
				t.Errorf("%s: %v", what, err)
			}
		}
		for i := range whole {
			whole[i] ^= 0x10
			damage(fmt.Sprintf("%s, byte %d", name, i), whole)
			whole[i] ^= 0x10
		}
		for size := range len(whole) - 1 { // the last byte of the manifest is the end of its line
			damage(fmt.Sprintf("%s, cut at %d", name, size), whole[:size])
		}
		damage(name+", longer", append(whole, 'x'))
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilesThatAreGoneOrExchangedAreRefused(t *testing.T) {
	dir, _ := twoRuns(t)
	refused := func(what string, change func(dir string) error) {
		t.Helper()
		copied := clone(t, dir)
		if err := change(copied); err != nil {
			t.Fatal(err)
		}
		if got, err := read(t, copied); err == nil {
			t.Errorf("%s: unnoticed, %d keys", what, len(got))
		}
	}
	for _, name := range names(t, dir) {
		refused(name+" is gone", func(dir string) error { return os.Remove(filepath.Join(dir, name)) })
	}
	refused("runs exchanged", func(dir string) error {
		var runs []string
		for _, name := range names(t, dir) {
			if strings.HasSuffix(name, ".run") {
				runs = append(runs, filepath.Join(dir, name))
			}
		}
		return errors.Join(os.Rename(runs[0], runs[0]+".x"), os.Rename(runs[1], runs[0]), os.Rename(runs[0]+".x", runs[1]))
	})
}

// TestATornLogWithAnotherOneBehindItIsRefused cuts a log that was complete when the next one began.
func TestATornLogWithAnotherOneBehindItIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, Options{})
	put(t, s, "a", 1, "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "000001.log")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "000002.log"), nil, 0o600), os.Truncate(log, fileSize(dir, "000001.log")-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, dir); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), log) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsOutOfRangeAreInvalid(t *testing.T) {
	for _, o := range []Options{{FlushBytes: -1}, {Grace: -1}} {
		if _, err := Open(t.TempDir(), o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
