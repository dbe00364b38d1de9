package session

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// fileSweeper remembers where the sweeps of this process are.
type fileSweeper struct {
	records atomic.Uint32 // folder of records to look at next
	users   atomic.Uint32 // folder of markers to look at next
}

// sweepRead is how many names a sweep reads at a time.
const sweepRead = 512

// Sweep implements Sweeper. It goes on where the last one stopped and looks at each folder once; a live record
// costs a stat and no lock, an expired one the lock of its folder for as long as it takes to remove it. A sweep that
// has seen all records also looks at 1/256 of the markers: at one sweep in five minutes, at each within a day.
func (s *FileStore) Sweep(ctx context.Context, limit int) (int, error) {
	removed := 0
	for range s.buckets {
		if err := ctx.Err(); err != nil || removed >= limit {
			return removed, err
		}
		n := byte(s.sweeper.records.Load())
		got, err := s.sweepRecords(ctx, n, limit-removed)
		removed += got
		if err != nil {
			return removed, err
		}
		if removed < limit {
			s.sweeper.records.Add(1)
		}
	}
	return removed, s.sweepMarkers(ctx, byte(s.sweeper.users.Add(1)))
}

// names calls f with the names in a folder, in no order, until f is done.
func names(root *os.Root, dir string, f func(name string) (done bool, err error)) error {
	d, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	for {
		batch, err := d.Readdirnames(sweepRead)
		for _, name := range batch {
			if done, err := f(name); done || err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *FileStore) sweepRecords(ctx context.Context, n byte, limit int) (removed int, err error) {
	h, err := s.handle(n)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = names(h.root, ".", func(name string) (bool, error) {
		if err := ctx.Err(); err != nil {
			return true, err
		}
		id, ok := parseRecordName(name)
		if !ok {
			return false, nil
		}
		info, err := h.root.Lstat(name)
		if err != nil || info.ModTime().UnixMilli() > now() {
			return false, nil //nolint:nilerr // it has gone meanwhile, or another sweep sees it
		}
		gone, err := s.sweepRecord(ctx, id)
		if gone {
			removed++
		}
		return removed >= limit, err
	})
	return removed, err
}

// sweepRecord looks again under the lock: a touch may have come between.
func (s *FileStore) sweepRecord(ctx context.Context, id ID) (gone bool, err error) {
	h, err := s.lock(ctx, id[0])
	if err != nil {
		return false, err
	}
	defer s.unlock(h)
	info, err := h.root.Lstat(recordName(id))
	if err != nil || info.ModTime().UnixMilli() > now() {
		return false, nil
	}
	rec, err := readRecord(h.root, id) // for its user; a damaged one leaves its marker to sweepMarkers
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	if err := s.removeFile(h.root, recordName(id)); err != nil {
		return false, err
	}
	if rec.UserID != "" {
		s.unmark(rec.UserID, id)
	}
	return true, nil // not synced: what comes back after a power failure has expired and is swept again
}

// sweepMarkers removes markers that a killed process has left without a record.
func (s *FileStore) sweepMarkers(ctx context.Context, n byte) error {
	above := filepath.Join(usersDir, bucketName(n))
	return names(s.root, above, func(user string) (bool, error) {
		dir := filepath.Join(above, user)
		ids, err := s.marked(dir)
		if err != nil {
			return true, err
		}
		if len(ids) == 0 {
			_ = s.removeFile(s.root, dir)
		}
		for _, id := range ids {
			if rec, err := s.peek(id); err == nil && userDir(rec.UserID) == dir {
				continue
			}
			if _, err := s.heal(ctx, dir, id); err != nil {
				return true, err
			}
		}
		return false, ctx.Err()
	})
}
