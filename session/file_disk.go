package session

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// The system calls that change something, each behind the step of the tests.

func (s *FileStore) before(call, name string) error {
	if s.step == nil {
		return nil
	}
	return s.step(call, name)
}

// replace puts a file with that content and time in the place of name: old or new, at every moment and after a
// power failure. Only the holder of the folder's lock writes its temporary file, so there is never more than one,
// and what a killed process has left is in nobody's use.
func (s *FileStore) replace(h *handle, name string, data []byte, mtime time.Time) error {
	err := s.writeTemp(h.root, data, mtime)
	if err == nil {
		if err = s.before("rename", name); err == nil {
			err = h.root.Rename(tempName, name)
		}
	}
	if err != nil {
		_ = h.root.Remove(tempName) // the next writer would
		return err
	}
	return s.syncHandle(h)
}

func (s *FileStore) writeTemp(root *os.Root, data []byte, mtime time.Time) error {
	f, err := s.createTemp(root)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // again, for an early return
	if err := s.before("write", tempName); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := s.setTime(root, tempName, mtime); err != nil { // after the write, which moves it
		return err
	}
	if !s.noSync { // before the rename: the name must not be on disk earlier than the content
		if err := s.before("sync", tempName); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

// createTemp makes a new file, not an old one empty.
func (s *FileStore) createTemp(root *os.Root) (*os.File, error) {
	for try := 0; ; try++ {
		if err := s.before("create", tempName); err != nil {
			return nil, err
		}
		f, err := root.OpenFile(tempName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if try > 0 || !errors.Is(err, fs.ErrExist) {
			return f, err
		}
		if err := s.removeFile(root, tempName); err != nil {
			return nil, err
		}
	}
}

func (s *FileStore) makeDir(name string) error {
	if err := s.before("mkdir", name); err != nil {
		return err
	}
	return mkdir(s.root, name)
}

func (s *FileStore) setTime(root *os.Root, name string, mtime time.Time) error {
	if err := s.before("utimes", name); err != nil {
		return err
	}
	err := root.Chtimes(name, mtime, mtime)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return err
}

func (s *FileStore) removeFile(root *os.Root, name string) error {
	if err := s.before("unlink", name); err != nil {
		return err
	}
	return root.Remove(name)
}

// syncHandle makes the names in a folder of records durable.
func (s *FileStore) syncHandle(h *handle) error {
	if s.noSync {
		return nil
	}
	if err := s.before("syncdir", h.name); err != nil {
		return err
	}
	return h.dir.Sync()
}

// syncDir does so for any other folder.
func (s *FileStore) syncDir(root *os.Root, name string) error {
	if s.noSync {
		return nil
	}
	if err := s.before("syncdir", name); err != nil {
		return err
	}
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}
