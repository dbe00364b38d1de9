package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

// userDir is the folder of a user's markers. The hash makes a name of any bytes, and hides who it is.
func userDir(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return filepath.Join(usersDir, bucketName(sum[0]), hex.EncodeToString(sum[:]))
}

func userBucket(userID string) byte {
	sum := sha256.Sum256([]byte(userID))
	return sum[0]
}

// mark writes the marker of a session, durably. The lock of the record's folder is held.
func (s *FileStore) mark(userID string, id ID) error {
	dir := userDir(userID)
	above := filepath.Dir(dir)
	name := filepath.Join(dir, recordName(id))
	for {
		if err := s.before("create", name); err != nil {
			return err
		}
		f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
		if err == nil {
			err = f.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return err
			}
			break
		}
		// No folder yet, or another process has just removed it, being empty.
		if err := errors.Join(s.makeDir(above), s.makeDir(dir)); err != nil {
			return err
		}
	}
	// The folders above too: who made them may have been killed before he could.
	if err := errors.Join(s.syncDir(s.root, dir), s.syncDir(s.root, above)); err != nil {
		return err
	}
	synced := &s.users[userBucket(userID)]
	if synced.Load() {
		return nil
	}
	err := s.syncDir(s.root, usersDir)
	synced.Store(err == nil)
	return err
}

// unmark removes a marker, and the folder with the last one. The lock of the record's folder is held. What fails
// here is found by ListUser, RemoveUser or Sweep.
func (s *FileStore) unmark(userID string, id ID) {
	dir := userDir(userID)
	if s.removeFile(s.root, filepath.Join(dir, recordName(id))) == nil {
		_ = s.removeFile(s.root, dir) // refused unless empty
	}
}

// marked returns the IDs that have a marker in dir.
func (s *FileStore) marked(dir string) ([]ID, error) {
	if s.closed.Load() {
		return nil, os.ErrClosed
	}
	f, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(-1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ids := make([]ID, 0, len(names))
	for _, name := range names {
		if id, ok := parseRecordName(name); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// ListUser implements UserIndexer.
func (s *FileStore) ListUser(ctx context.Context, userID string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := ctx.Err()
		var ids []ID
		if err == nil {
			ids, err = s.marked(userDir(userID))
		}
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, id := range ids {
			rec, err := s.Load(ctx, id)
			switch {
			case errors.Is(err, ErrNotFound) || err == nil && rec.UserID != userID:
				_, err = s.heal(ctx, userDir(userID), id)
			case err == nil:
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

// heal removes a marker whose session has gone for good or belongs to somebody else. An expired record keeps its
// marker: Sweep takes both. true if the marker was removed.
func (s *FileStore) heal(ctx context.Context, dir string, id ID) (bool, error) {
	h, err := s.lock(ctx, id[0]) // a login writes marker and record under this lock
	if err != nil {
		return false, err
	}
	defer s.unlock(h)
	rec, err := readRecord(h.root, id)
	switch {
	case err == nil && userDir(rec.UserID) == dir && rec.UserID != "":
		return false, nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return false, err
	}
	err = s.removeFile(s.root, filepath.Join(dir, recordName(id)))
	if err == nil {
		_ = s.removeFile(s.root, dir)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err == nil, err
}

// RemoveUser implements UserIndexer. Each login beside it is wholly before (removed) or after.
func (s *FileStore) RemoveUser(ctx context.Context, userID string, except ...ID) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ids, err := s.marked(userDir(userID))
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, id := range ids {
		if slices.Contains(except, id) {
			continue
		}
		live, err := s.removeOf(ctx, userID, id)
		if err != nil {
			return removed, err
		}
		if live {
			removed++
		}
	}
	return removed, nil
}

// removeOf removes a record of that user, or a marker that has none; true if the record was live.
func (s *FileStore) removeOf(ctx context.Context, userID string, id ID) (live bool, err error) {
	h, err := s.lock(ctx, id[0])
	if err != nil {
		return false, err
	}
	defer s.unlock(h)
	rec, err := readRecord(h.root, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	if err != nil || rec.UserID != userID {
		s.unmark(userID, id)
		return false, nil
	}
	return rec.ExpiresAt.UnixMilli() > now(), s.drop(h, id, userID)
}
