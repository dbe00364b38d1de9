//go:build unix

package session_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func newFileStore(t *testing.T, dir string, opts session.FileOptions) *session.FileStore {
	t.Helper()
	s, err := session.NewFileStore(dir, opts)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestFileStoreKeepsTheContract(t *testing.T) {
	for _, noSync := range []bool{true, false} {
		t.Run(fmt.Sprint("nosync=", noSync), func(t *testing.T) {
			sessiontest.Run(t, func(t *testing.T) session.Store {
				t.Helper()
				return newFileStore(t, t.TempDir(), session.FileOptions{NoSync: noSync})
			})
		})
	}
}

// inTurn sends each call to the next of several stores, as a proxy in front of several processes does.
type inTurn[S interface {
	session.Store
	session.UserIndexer
	session.Sweeper
}] struct {
	stores []S
	n      *atomic.Uint32
}

func (s inTurn[S]) next() S { return s.stores[int(s.n.Add(1))%len(s.stores)] }

func (s inTurn[S]) Load(ctx context.Context, id session.ID) (session.Record, error) {
	return s.next().Load(ctx, id)
}

func (s inTurn[S]) Save(ctx context.Context, rec session.Record) error {
	return s.next().Save(ctx, rec)
}

func (s inTurn[S]) Touch(ctx context.Context, id session.ID, to time.Time) error {
	return s.next().Touch(ctx, id, to)
}

func (s inTurn[S]) Remove(ctx context.Context, id session.ID) error { return s.next().Remove(ctx, id) }

func (s inTurn[S]) ListUser(ctx context.Context, userID string) iter.Seq2[session.Record, error] {
	return s.next().ListUser(ctx, userID)
}

func (s inTurn[S]) RemoveUser(ctx context.Context, userID string, except ...session.ID) (int, error) {
	return s.next().RemoveUser(ctx, userID, except...)
}

func (s inTurn[S]) Sweep(ctx context.Context, limit int) (int, error) {
	return s.next().Sweep(ctx, limit)
}

// Two stores on one folder exclude each other as two processes do: flock belongs to the open file.
func TestTwoFileStoresOnOneFolder(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		dir := t.TempDir()
		opts := session.FileOptions{NoSync: true}
		return inTurn[*session.FileStore]{
			[]*session.FileStore{newFileStore(t, dir, opts), newFileStore(t, dir, opts)}, new(atomic.Uint32),
		}
	})
}

const fileWriterEnv = "SESSION_FILE_WRITER"

// TestFileWriter is a process of TestFileStoreAcrossProcesses.
func TestFileWriter(t *testing.T) {
	dir, token, _ := strings.Cut(os.Getenv(fileWriterEnv), "|")
	if dir == "" {
		t.Skip("run by TestFileStoreAcrossProcesses")
	}
	m, err := session.New[counter](newFileStore(t, dir, session.FileOptions{NoSync: true}), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range fileWriters {
		wg.Go(func() {
			for range fileIncrements {
				s, err := m.Lookup(t.Context(), token)
				if err == nil {
					if err = s.Update(func(d *counter) error { d.N++; return nil }); err == nil {
						err = s.Save(t.Context())
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

const (
	fileProcesses  = 3
	fileWriters    = 3
	fileIncrements = 20
)

func TestFileStoreAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	m, err := session.New[counter](newFileStore(t, dir, session.FileOptions{NoSync: true}), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := m.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range fileProcesses {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileWriter$")
			cmd.Env = append(os.Environ(), fileWriterEnv+"="+dir+"|"+s.Token())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	got, err := m.Lookup(t.Context(), s.Token())
	if want := fileProcesses * fileWriters * fileIncrements; err != nil || got.Data().N != want {
		t.Errorf("n = %d, %v, want %d: processes lost updates of each other", got.Data().N, err, want)
	}
}

// files lists everything below dir but folders.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if perm := info.Mode().Perm(); path != dir && perm&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, perm)
		}
		if !info.IsDir() {
			rel, err := filepath.Rel(dir, path)
			out = append(out, rel)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever the user is called and whatever the ID, files stay in the folder and belong to the owner only.
func TestFileStoreNeverLeavesItsFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "a", "b")
	s := newFileStore(t, dir, session.FileOptions{})
	for _, user := range []string{"../../../x", "/etc/passwd", "..", ".", "a/b", "a\x00b", strings.Repeat("../", 80)} {
		rec := fileRecord(user, time.Hour)
		copy(rec.ID[:], "../../..")
		rec.ID[15] = byte(len(user))
		if err := s.Save(t.Context(), rec); err != nil {
			t.Errorf("%q: %v", user, err)
		}
	}
	for _, name := range files(t, parent) {
		if !strings.HasPrefix(name, filepath.Join("a", "b")+string(filepath.Separator)) {
			t.Errorf("outside: %s", name)
		}
		if strings.Contains(name, "passwd") {
			t.Errorf("a user's name on disk: %s", name)
		}
	}
}

// A folder of records that has been replaced by a link out of the directory is refused, for reading and writing.
func TestFileStoreRefusesLinksOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	rec := fileRecord("ann", time.Hour)
	first := newFileStore(t, dir, session.FileOptions{})
	if err := first.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	bucket := filepath.Join(dir, fmt.Sprintf("%02x", rec.ID[0]))
	if err := errors.Join(os.Rename(bucket, filepath.Join(outside, "moved")), os.Symlink(filepath.Join(outside, "moved"), bucket)); err != nil {
		t.Skip(err)
	}
	s := newFileStore(t, dir, session.FileOptions{})
	if _, err := s.Load(t.Context(), rec.ID); err == nil || errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load through a link: %v", err)
	}
	rec.Version = 1
	if err := s.Save(t.Context(), rec); err == nil {
		t.Error("Save through a link")
	}
}

// Damage of any kind ends the session; it never gives wrong data, an error for ever, or a panic.
func TestDamagedFileIsAMissingSession(t *testing.T) {
	dir := t.TempDir()
	s := newFileStore(t, dir, session.FileOptions{})
	rec := fileRecord("ann", time.Hour)
	if err := s.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, fmt.Sprintf("%02x", rec.ID[0]), hex.EncodeToString(rec.ID[:]))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) {
		t.Helper()
		if err := errors.Join(os.WriteFile(name, data, 0o600), os.Chtimes(name, rec.ExpiresAt, rec.ExpiresAt)); err != nil {
			t.Fatal(err)
		}
	}
	missing := func(what string) {
		t.Helper()
		if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := range whole {
		write(whole[:n])
		missing(fmt.Sprint("cut to ", n))
		flipped := append([]byte(nil), whole...)
		flipped[n] ^= 0x10
		write(flipped)
		missing(fmt.Sprint("flipped at ", n))
	}
	write(append(whole, 0))
	missing("longer")
	if err := os.Truncate(name, 64<<20); err != nil { // sparse: nothing that large may be read
		t.Fatal(err)
	}
	missing("huge")
	write(whole)
	if got, err := s.Load(t.Context(), rec.ID); err != nil || string(got.Payload) != "payload" {
		t.Fatalf("whole again: %v", err)
	}
	other := rec.ID
	other[15] ^= 1
	moved := filepath.Join(filepath.Dir(name), hex.EncodeToString(other[:]))
	if err := os.Rename(name, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), other); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a record under another session's name: %v", err)
	}
}

func TestFileStoreSweepsMarkersAndTime(t *testing.T) {
	dir := t.TempDir()
	s := newFileStore(t, dir, session.FileOptions{NoSync: true})
	for i := range 20 {
		if err := s.Save(t.Context(), fileRecord(fmt.Sprint("user ", i%5), 30*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	lost := fileRecord("lost", time.Hour)
	if err := s.Save(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%02x", lost.ID[0]), hex.EncodeToString(lost.ID[:]))); err != nil {
		t.Fatal(err)
	}
	<-time.After(50 * time.Millisecond)
	total := 0
	for range 257 { // each looks at one folder of markers
		n, err := s.Sweep(t.Context(), 7)
		if err != nil || n > 7 {
			t.Fatalf("Sweep(7): %d, %v", n, err)
		}
		total += n
	}
	if left := files(t, dir); total != 20 || len(left) != 0 {
		t.Errorf("swept %d, want 20; left: %v", total, left)
	}
	users, err := filepath.Glob(filepath.Join(dir, "users", "*", "*"))
	if err != nil || len(users) != 0 {
		t.Errorf("folders of users without sessions: %v, %v", users, err)
	}
}

func TestFileStoreArguments(t *testing.T) {
	if _, err := session.NewFileStore("", session.FileOptions{}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("no folder: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewFileStore(file, session.FileOptions{}); err == nil {
		t.Error("a file for a folder")
	}
	s := newFileStore(t, t.TempDir(), session.FileOptions{})
	rec := fileRecord(strings.Repeat("x", 256), time.Hour)
	if err := s.Save(t.Context(), rec); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("a long user ID: %v", err)
	}
	rec = fileRecord("", time.Hour)
	rec.Payload = make([]byte, 17<<20)
	if err := s.Save(t.Context(), rec); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("17 MiB: %v", err)
	}
}

func TestClosedFileStore(t *testing.T) {
	s := newFileStore(t, t.TempDir(), session.FileOptions{})
	rec := fileRecord("ann", time.Hour)
	if err := s.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Load(t.Context(), rec.ID)
	errs := []error{err, s.Save(t.Context(), rec), s.Touch(t.Context(), rec.ID, rec.Deadline), s.Remove(t.Context(), rec.ID)}
	_, err = s.RemoveUser(t.Context(), "ann")
	errs = append(errs, err)
	_, err = s.Sweep(t.Context(), 1)
	errs = append(errs, err)
	for _, err := range s.ListUser(t.Context(), "ann") {
		errs = append(errs, err)
	}
	if len(errs) != 7 {
		t.Errorf("%d errors", len(errs))
	}
	for i, err := range errs {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("call %d after Close: %v", i, err)
		}
	}
}

// A writer that waits for another process obeys its context.
func TestFileLockObeysContext(t *testing.T) {
	dir := t.TempDir()
	s := newFileStore(t, dir, session.FileOptions{})
	rec := fileRecord("", time.Hour)
	unlock := session.LockFolder(t, newFileStore(t, dir, session.FileOptions{}), rec.ID)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Save(ctx, rec); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Save under another's lock: %v", err)
	}
	if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load: %v", err)
	}
	unlock()
	if err := s.Save(t.Context(), rec); err != nil {
		t.Errorf("Save after it: %v", err)
	}
}
