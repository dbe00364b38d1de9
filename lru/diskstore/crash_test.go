package diskstore

import (
	"bufio"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/lru"
)

// files is what the segments of a directory hold.
type files map[string]string

func snapshot(tb testing.TB, dir string) files {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		tb.Fatal(err)
	}
	out := files{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			tb.Fatal(err)
		}
		out[filepath.Base(p)] = string(b)
	}
	return out
}

func (f files) write(tb testing.TB, dir string) {
	tb.Helper()
	for name, text := range f {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

// between passes the directories that a process killed between two states may leave: every prefix of what was
// appended, in order, with nothing deleted yet, and then each step of the deletions.
func between(before, after files, pass func(files)) {
	now := maps.Clone(before)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		for n := len(now[name]); n < len(after[name]); n++ {
			now[name] = after[name][:n]
			pass(now)
		}
		now[name] = after[name]
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		pass(now)
		if _, kept := after[name]; !kept {
			delete(now, name)
		}
	}
	pass(now)
}

// TestKilledAtAnyByteItOpensBeforeOrAfter runs random programs and opens every directory that a kill could leave. Each
// key must be as it was before the call or as it is after it.
func TestKilledAtAnyByteItOpensBeforeOrAfter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const keys = 12
	dir := t.TempDir()
	opts := small()
	s := open(t, dir, opts)
	was, wasThere := snapshot(t, dir), map[int]string{}
	kills := 0
	for i := range 250 {
		key := rng.IntN(keys)
		switch op := rng.IntN(20); {
		case op < 14:
			putIn(t, s, key, strings.Repeat(fmt.Sprint(i, " "), 1+rng.IntN(150)))
		case op < 17:
			if _, _, err := s.Take(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		case op < 19 || i%10 != 0:
			if err := s.Remove(key); err != nil {
				t.Fatal(err)
			}
		default:
			if err := s.Clear(); err != nil {
				t.Fatal(err)
			}
		}
		s.rest()
		is, isThere := snapshot(t, dir), contents(t, s, keys)
		stride := 0
		between(was, is, func(f files) {
			if stride++; stride%31 != 0 && len(is) == len(was) && stride > headSize+10 {
				return // every byte of heads and keys, some of long values
			}
			kills++
			crashed := t.TempDir()
			f.write(t, crashed)
			again, err := Open(crashed, opts)
			if err != nil {
				t.Fatalf("call %d: Open after a kill: %v", i, err)
			}
			got := contents(t, again, keys)
			for k := range keys {
				if got[k] != wasThere[k] && got[k] != isThere[k] {
					t.Fatalf("call %d: key %d is %.20q after a kill, was %.20q before the call and %.20q after it",
						i, k, got[k], wasThere[k], isThere[k])
				}
			}
			if err := again.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		was, wasThere = is, isThere
	}
	if kills < 1000 {
		t.Fatalf("only %d kills", kills)
	}
}

func entryOf(key int, value string) lru.Entry[int, string] {
	return lru.Entry[int, string]{Key: key, Value: value, Weight: 1}
}

const childVariable = "DISKSTORE_TEST_CHILD"

// TestMain lets the test start itself as a process that can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child makes calls for ever and prints what it is about to do and what is done.
func child(dir string) {
	s, err := Open(dir, small())
	if err != nil {
		fmt.Println("error", err)
		return
	}
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	out := bufio.NewWriterSize(os.Stdout, 1)
	for i := 0; ; i++ {
		key := rng.IntN(20)
		_, _ = fmt.Fprintf(out, "begin %d %d\n", key, i)
		switch rng.IntN(4) {
		case 0:
			err = s.Remove(key)
			_, _ = fmt.Fprintf(out, "end %d -\n", key)
		default:
			err = s.Put(entryOf(key, fmt.Sprintf("%d:%s", i, strings.Repeat("x", rng.IntN(300)))))
			_, _ = fmt.Fprintf(out, "end %d %d\n", key, i)
		}
		if err != nil {
			fmt.Println("error", err)
			return
		}
	}
}

// TestKilledProcessLeavesNothingOlder kills a process at a random moment, over and over on one directory. What a key
// holds afterwards is its last acknowledged value, the one that was under way, or nothing (it may have been dropped for
// room); never an older one.
func TestKilledProcessLeavesNothingOlder(t *testing.T) {
	dir := t.TempDir()
	for round := range 8 {
		last, underway := killedChild(t, dir)
		s, err := Open(dir, small())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		found := 0
		for key, value := range contents(t, s, 20) {
			number, _, _ := strings.Cut(value, ":")
			if number != last[key] && number != underway[key] {
				t.Fatalf("round %d: key %d holds value %s, acknowledged was %s, under way %s", round, key, number, last[key],
					underway[key])
			}
			found++
		}
		if found == 0 {
			t.Fatalf("round %d: nothing was there", round)
		}
		if err := s.Clear(); err != nil { // the next round numbers its values from zero again
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// killedChild runs a child for a moment and returns the last acknowledged number per key, and the one under way.
func killedChild(t *testing.T, dir string) (last, underway map[int]string) {
	t.Helper()
	last, underway = map[int]string{}, map[int]string{}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	stop := 1000 + rand.IntN(2000)
	for n := 0; lines.Scan(); n++ {
		var what, number string
		var key int
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %s", &what, &key, &number); err != nil {
			continue // the kill cut the line off
		}
		switch what {
		case "begin":
			underway[key] = number
		case "end":
			last[key] = number
			delete(underway, key)
		default:
			t.Fatal(lines.Text())
		}
		if n == stop {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	return last, underway
}

// FuzzOpen opens a directory with any bytes as its segment, and uses it.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(dir, small())
	if err != nil {
		f.Fatal(err)
	}
	putIn(f, s, 1, "one")
	putIn(f, s, 2, "two")
	if err := s.Remove(1); err != nil {
		f.Fatal(err)
	}
	for _, text := range snapshot(f, dir) {
		f.Add([]byte(text), []byte(text)[:len(text)/2])
	}
	if err := s.Close(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir := t.TempDir()
		files{"0000000001.seg": string(first), "0000000007.seg": string(second)}.write(t, dir)
		s, err := Open(dir, small())
		if err != nil {
			t.Fatal(err)
		}
		putIn(t, s, 1, "new")
		takes(t, s, 1, "new")
		if _, _, err := s.Take(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err = Open(dir, small())
		if err != nil {
			t.Fatal(err)
		}
		takes(t, s, 1, "")
		takes(t, s, 2, "")
		closeStore(t, s)
	})
}
