package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// FileStore keeps one file per session; several processes may share the directory, and each may be killed at any
// moment. It implements Store, UserIndexer and Sweeper.
//
//	dir/3f/3f9c…e1            a record: two hex digits of the ID / all 32; its mtime is the expiry
//	dir/3f/next               the record being written; renamed over the old one when it is complete
//	dir/users/a1/a1b2…/3f9c…  an empty file: the user with this hash has that session
//
// A writer locks the folder of the record (flock) against the other writers of all processes, compares the
// version, writes the new record to a file of its own, syncs it, renames it and syncs the folder. What it finds at
// any step is the old record or the new one. Readers take no lock: a rename replaces a file as a whole.
//
// The marker of a user is written before the record and removed after it, so the index may name a session that has
// gone, never miss a live one. Names without a session are removed when they are met, and by Sweep.
//
// The lock is taken on the folder itself and not on a file beside it: there is nothing that a clean-up job could
// delete under a process that holds it, and the handle that syncs the folder serves for both.
//
// A record that was damaged from outside fails its checksum and is as good as missing. Use a local file system;
// network file systems differ in what flock and rename promise.
type FileStore struct {
	root    *os.Root
	noSync  bool
	buckets [256]bucket      // by the first byte of the ID
	users   [256]atomic.Bool // set by mark: this process has synced the folder of markers into the one above
	closed  atomic.Bool      // published by Close, read by everything
	sweeper fileSweeper
	// step is nil but in tests; it is asked before each system call that changes something, and may fail or kill.
	step func(call, name string) error
}

// FileOptions configure a FileStore.
type FileOptions struct {
	// NoSync leaves out fsync: a power failure may lose recent changes (a logout too) or end a session, never
	// tear a record. A process that is killed loses nothing either way.
	NoSync bool
}

const (
	usersDir = "users"
	tempName = "next"

	// maxFilePayload is the largest MaxBytes and room for the envelope. It also bounds what Load reads.
	maxFilePayload = 16<<20 + 4<<10
)

// NewFileStore opens the store in dir, and makes the folder, for the owner only, if there is none. The error is
// errors.ErrUnsupported on systems without flock, and ErrInvalid if dir is empty or its file system does not keep
// times to the millisecond. Up to two file descriptors stay open for each of 256 folders.
func NewFileStore(dir string, opts FileOptions) (*FileStore, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: dir is empty", ErrInvalid)
	}
	if !canLock {
		return nil, fmt.Errorf("session: FileStore on this system: %w", errors.ErrUnsupported)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("session: file store: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("session: file store: %w", err)
	}
	s := &FileStore{root: root, noSync: opts.NoSync}
	for i := range s.buckets {
		s.buckets[i].turn = make(chan struct{}, 1)
	}
	if err := s.prepare(dir); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("session: file store: %w", err)
	}
	return s, nil
}

// prepare makes the folder of users; folders of records and of markers are made when they are needed.
func (s *FileStore) prepare(dir string) error {
	if err := mkdir(s.root, usersDir); err != nil {
		return err
	}
	if err := s.probe(); err != nil || s.noSync {
		return err
	}
	parent, err := os.Open(filepath.Dir(filepath.Clean(dir)))
	if err == nil {
		_ = parent.Sync() // it may belong to somebody else
		_ = parent.Close()
	}
	return s.syncDir(s.root, ".")
}

// probe sees that times are kept to the millisecond.
func (s *FileStore) probe() error {
	name := fmt.Sprintf("probe-%x", newID())
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = s.root.Remove(name) }()
	if err := f.Close(); err != nil {
		return err
	}
	want := time.UnixMilli(now()/1000*1000 + 3_600_123)
	if err := s.root.Chtimes(name, want, want); err != nil {
		return err
	}
	info, err := s.root.Stat(name)
	if err == nil && info.ModTime().UnixMilli() != want.UnixMilli() {
		err = fmt.Errorf("%w: dir is on a file system that does not keep times to the millisecond", ErrInvalid)
	}
	return err
}

func mkdir(root *os.Root, name string) error {
	if err := root.Mkdir(name, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Close waits for the writers of this process and gives the files back. Calls after it return an error that is
// os.ErrClosed.
func (s *FileStore) Close(ctx context.Context) error {
	s.closed.Store(true)
	for i := range s.buckets {
		if err := s.buckets[i].close(ctx); err != nil {
			return err
		}
	}
	return s.root.Close()
}

// Load implements Store. It takes no lock.
func (s *FileStore) Load(ctx context.Context, id ID) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	rec, err := s.peek(id)
	if err == nil && rec.ExpiresAt.UnixMilli() <= now() {
		err = ErrNotFound
	}
	if err != nil {
		return Record{}, err
	}
	return rec, nil
}

// peek reads a record, expired or not, without a lock and without making its folder.
func (s *FileStore) peek(id ID) (Record, error) {
	h, err := s.handle(id[0])
	if err != nil {
		return Record{}, err
	}
	return readRecord(h.root, id)
}

// Save implements Store.
func (s *FileStore) Save(ctx context.Context, rec Record) error {
	if len(rec.UserID) > maxLabel {
		return fmt.Errorf("%w: user ID of %d bytes, at most %d", ErrInvalid, len(rec.UserID), maxLabel)
	}
	if len(rec.Payload) > maxFilePayload {
		return fmt.Errorf("%w: payload of %d bytes, limit %d", ErrTooLarge, len(rec.Payload), maxFilePayload)
	}
	h, err := s.lock(ctx, rec.ID[0])
	if err != nil {
		return err
	}
	defer s.unlock(h)
	old, err := readRecord(h.root, rec.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	live := err == nil && old.ExpiresAt.UnixMilli() > now()
	switch {
	case !live && rec.Version > 0:
		return ErrNotFound
	case live && old.Version != rec.Version:
		return ErrConflict
	}
	expires := min(rec.ExpiresAt.UnixMilli(), rec.Deadline.UnixMilli())
	if expires <= now() { // stored and expired is as good as removed
		return s.drop(h, rec.ID, old.UserID)
	}
	if rec.UserID != "" && (!live || old.UserID != rec.UserID) {
		if err := s.mark(rec.UserID, rec.ID); err != nil {
			return err
		}
	}
	if err := s.replace(h, recordName(rec.ID), encodeFile(rec), time.UnixMilli(expires)); err != nil {
		return err
	}
	if old.UserID != "" && old.UserID != rec.UserID {
		s.unmark(old.UserID, rec.ID)
	}
	return nil
}

// Touch implements Store: it changes the mtime of the record and writes nothing. A power failure may undo it.
func (s *FileStore) Touch(ctx context.Context, id ID, expiresAt time.Time) error {
	h, err := s.lock(ctx, id[0])
	if err != nil {
		return err
	}
	defer s.unlock(h)
	rec, err := readRecord(h.root, id)
	if err != nil {
		return err
	}
	if rec.ExpiresAt.UnixMilli() <= now() {
		return ErrNotFound
	}
	to := min(expiresAt.UnixMilli(), rec.Deadline.UnixMilli())
	if to <= rec.ExpiresAt.UnixMilli() {
		return nil
	}
	return s.setTime(h.root, recordName(id), time.UnixMilli(to))
}

// Remove implements Store.
func (s *FileStore) Remove(ctx context.Context, id ID) error {
	h, err := s.lock(ctx, id[0])
	if err != nil {
		return err
	}
	defer s.unlock(h)
	rec, err := readRecord(h.root, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return s.drop(h, id, rec.UserID)
}

// drop removes a record, and then the marker of its user. The lock is held. A record that is not there costs a
// sync all the same: whoever removed it may have been killed before his.
func (s *FileStore) drop(h *handle, id ID, userID string) error {
	if err := s.removeFile(h.root, recordName(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.syncHandle(h); err != nil {
		return err
	}
	if userID != "" {
		s.unmark(userID, id)
	}
	return nil
}
