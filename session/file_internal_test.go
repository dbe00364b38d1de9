//go:build unix

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// LockFolder holds the lock of a folder of records until the returned function is called.
func LockFolder(t *testing.T, s *FileStore, id ID) (unlock func()) {
	t.Helper()
	h, err := s.lock(t.Context(), id[0])
	if err != nil {
		t.Fatal(err)
	}
	return func() { s.unlock(h) }
}

func openFiles(t *testing.T, dir string, opts FileOptions) *FileStore {
	t.Helper()
	s, err := NewFileStore(dir, opts)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// fileOp is one operation on the record with the ID 7…7, and the states it may leave: those before and after it.
type fileOp struct {
	name   string
	before func(t *testing.T, s *FileStore)
	run    func(s *FileStore) error
	after  fileState // if it is acknowledged
}

// fileState is what a reader sees of the record; version 0 = nothing.
type fileState struct {
	version uint64
	user    string
	payload string
}

func fileID() (id ID) {
	for i := range id {
		id[i] = 7
	}
	return id
}

func fileRec(version uint64, user, payload string) Record {
	t := time.Now().Truncate(time.Millisecond)
	return Record{
		ID: fileID(), Version: version, UserID: user, CreatedAt: t, ExpiresAt: t.Add(time.Hour), Deadline: t.Add(2 * time.Hour),
		Payload: []byte(payload),
	}
}

func fileOps() []fileOp {
	ctx := context.Background()
	save := func(version uint64, user, payload string) func(s *FileStore) error {
		return func(s *FileStore) error { return s.Save(ctx, fileRec(version, user, payload)) }
	}
	start := func(user, payload string) func(t *testing.T, s *FileStore) {
		return func(t *testing.T, s *FileStore) {
			t.Helper()
			if err := save(0, user, payload)(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	nothing := func(*testing.T, *FileStore) {}
	return []fileOp{
		{"create", nothing, save(0, "", "new"), fileState{1, "", "new"}},
		{"create for a user", nothing, save(0, "ann", "new"), fileState{1, "ann", "new"}},
		{"save", start("ann", "old"), save(1, "ann", "new"), fileState{2, "ann", "new"}},
		{"login", start("", "old"), save(1, "ann", "new"), fileState{2, "ann", "new"}},
		{"other user", start("bob", "old"), save(1, "ann", "new"), fileState{2, "ann", "new"}},
		{"touch", start("ann", "old"), func(s *FileStore) error {
			return s.Touch(ctx, fileID(), time.Now().Add(90*time.Minute))
		}, fileState{1, "ann", "old"}},
		{"remove", start("ann", "old"), func(s *FileStore) error { return s.Remove(ctx, fileID()) }, fileState{}},
		{"remove user", start("ann", "old"), func(s *FileStore) error {
			_, err := s.RemoveUser(ctx, "ann")
			return err
		}, fileState{}},
		{"sweep", func(t *testing.T, s *FileStore) {
			t.Helper()
			start("ann", "old")(t, s)
			past := time.Now().Add(-time.Minute)
			if err := s.root.Chtimes(filepath.Join("07", recordName(fileID())), past, past); err != nil {
				t.Fatal(err)
			}
		}, func(s *FileStore) error {
			_, err := s.Sweep(ctx, 10)
			return err
		}, fileState{}},
	}
}

func seen(t *testing.T, s *FileStore) fileState {
	t.Helper()
	rec, err := s.Load(t.Context(), fileID())
	if errors.Is(err, ErrNotFound) {
		return fileState{}
	}
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return fileState{rec.Version, rec.UserID, string(rec.Payload)}
}

// wantWhole checks a folder after a fault: the record is the one before or after the operation, the index agrees with
// it, and everything works.
func wantWhole(t *testing.T, s *FileStore, allowed ...fileState) {
	t.Helper()
	got := seen(t, s)
	if !slices.Contains(allowed, got) {
		t.Errorf("record %+v, want one of %+v", got, allowed)
	}
	for _, user := range []string{"ann", "bob"} {
		n := 0
		for rec, err := range s.ListUser(t.Context(), user) {
			if err != nil || rec.UserID != user {
				t.Errorf("ListUser(%s): %v, %v", user, rec.UserID, err)
			}
			n++
		}
		if want := 0; got.user == user {
			want = 1
			if n != want {
				t.Errorf("ListUser(%s): %d records, want %d: the index misses a live session", user, n, want)
			}
		} else if n != want {
			t.Errorf("ListUser(%s): %d records, want %d", user, n, want)
		}
	}
	if err := s.Save(t.Context(), fileRec(got.version, "bob", "next")); err != nil {
		t.Errorf("the next Save: %v", err)
	}
	if next := seen(t, s); next != (fileState{got.version + 1, "bob", "next"}) {
		t.Errorf("after it: %+v", next)
	}
	if n, err := s.RemoveUser(t.Context(), "bob"); n != 1 || err != nil {
		t.Errorf("RemoveUser: %d, %v", n, err)
	}
	for _, user := range []string{"ann", "bob"} {
		if err := s.sweepMarkers(t.Context(), userBucket(user)); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.root.Name(), "*", "*"))
	for _, name := range left {
		if filepath.Base(filepath.Dir(name)) != usersDir {
			t.Errorf("left behind: %s, %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.root.Name(), usersDir, "*", "*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

const (
	fileCrashEnv = "SESSION_FILE_CRASH" // dir | operation | step
	stepsDone    = "operation done in steps: "
)

// TestFileCrash is the process that TestKilledAtEachStep kills.
func TestFileCrash(t *testing.T) {
	parts := strings.Split(os.Getenv(fileCrashEnv), "|")
	if len(parts) != 3 {
		t.Skip("run by TestKilledAtEachStep")
	}
	s := openFiles(t, parts[0], FileOptions{})
	op, err1 := strconv.Atoi(parts[1])
	kill, err2 := strconv.Atoi(parts[2])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	steps := 0
	s.step = func(string, string) error {
		if steps++; steps == kill {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	if err := fileOps()[op].run(s); err != nil {
		t.Fatal(err)
	}
	fmt.Println(stepsDone, steps)
}

// A process is killed before each of its system calls. Another process, which has had the folder open all the time,
// finds the record before or after the operation, an index that agrees, and no lock held.
func TestKilledAtEachStep(t *testing.T) {
	if os.Getenv(fileCrashEnv) != "" {
		t.Skip("in the child")
	}
	for i, op := range fileOps() {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel() // they wait for disks and processes
			for kill := 1; ; kill++ {
				dir := t.TempDir()
				s := openFiles(t, dir, FileOptions{})
				op.before(t, s)
				before := seen(t, s)
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileCrash$")
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d|%d", fileCrashEnv, dir, i, kill))
				out, err := cmd.CombinedOutput()
				if err == nil {
					if kill == 1 || !strings.Contains(string(out), stepsDone) {
						t.Errorf("no step was killed:\n%s", out)
					}
					wantWhole(t, s, op.after)
					t.Logf("killed before each of %d steps", kill-1)
					return
				}
				var exit *exec.ExitError
				if !errors.As(err, &exit) {
					t.Fatal(err)
				}
				if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
					t.Fatalf("%v\n%s", err, out)
				}
				wantWhole(t, s, before, op.after)
				if t.Failed() {
					t.Fatalf("killed before step %d", kill)
				}
			}
		})
	}
}

// Each system call fails once. The error is reported unless it concerns the clearing up, and the state is that
// before or after; if the operation reports success, that after.
func TestEachStepFails(t *testing.T) {
	boom := errors.New("boom")
	for _, op := range fileOps() {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			for fail := 1; ; fail++ {
				s := openFiles(t, t.TempDir(), FileOptions{})
				op.before(t, s)
				before := seen(t, s)
				steps := 0
				s.step = func(string, string) error {
					if steps++; steps == fail {
						return boom
					}
					return nil
				}
				err := op.run(s)
				s.step = nil
				if err != nil && !errors.Is(err, boom) {
					t.Fatalf("step %d: %v", fail, err)
				}
				if err == nil {
					wantWhole(t, s, op.after)
				} else {
					wantWhole(t, s, before, op.after)
				}
				if t.Failed() {
					t.Fatalf("step %d failed, %v", fail, err)
				}
				if steps < fail {
					return
				}
			}
		})
	}
}

// What a power failure may undo is not yet synced. The order of system calls is the proof that an acknowledged
// change is, and that a name is never on disk before its content.
func TestNothingIsAcknowledgedBeforeItIsSynced(t *testing.T) {
	want := map[string]string{
		"create":            "mkdir 07, syncdir ., create next, write next, utimes next, sync next, rename ID, syncdir 07",
		"create for a user": "mkdir 07, syncdir ., create M, mkdir UP, mkdir U, create M, syncdir U, syncdir UP, syncdir users, create next, write next, utimes next, sync next, rename ID, syncdir 07",
		"save":              "create next, write next, utimes next, sync next, rename ID, syncdir 07",
		"login":             "create M, mkdir UP, mkdir U, create M, syncdir U, syncdir UP, syncdir users, create next, write next, utimes next, sync next, rename ID, syncdir 07",
		"touch":             "utimes ID",
		"remove":            "unlink ID, syncdir 07, unlink M, unlink U",
		"remove user":       "unlink ID, syncdir 07, unlink M, unlink U",
		"sweep":             "unlink ID, unlink M, unlink U",
	}
	user := userDir("ann")
	names := strings.NewReplacer(filepath.Join(user, recordName(fileID())), "M", user, "U", filepath.Dir(user), "UP", recordName(fileID()), "ID")
	for _, op := range fileOps() {
		for _, noSync := range []bool{false, true} {
			s := openFiles(t, t.TempDir(), FileOptions{NoSync: noSync})
			op.before(t, s)
			var steps []string
			s.step = func(call, name string) error {
				steps = append(steps, call+" "+names.Replace(name))
				return nil
			}
			if err := op.run(s); err != nil {
				t.Fatal(err)
			}
			s.step = nil
			got, expected := strings.Join(steps, ", "), want[op.name]
			if noSync && strings.Contains(got, "sync") {
				t.Errorf("%s with NoSync: %s", op.name, got)
			}
			if !noSync && expected != "" && got != expected {
				t.Errorf("%s:\n got %s\nwant %s", op.name, got, expected)
			}
		}
	}
}

// A touch may come between the look of a sweep at a record and its lock: under the lock it looks again.
func TestSweepSparesWhatWasTouchedMeanwhile(t *testing.T) {
	s := openFiles(t, t.TempDir(), FileOptions{NoSync: true})
	if err := s.Save(t.Context(), fileRec(0, "ann", "live")); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.sweepRecord(t.Context(), fileID()); gone || err != nil {
		t.Errorf("swept: %v, %v", gone, err)
	}
	if got := seen(t, s); got.version != 1 {
		t.Errorf("%+v", got)
	}
}
