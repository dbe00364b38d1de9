// Package disk is the folder of a store, and the log in it: what has to be right about files so that a crash leaves what was promised.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The names in the folder of a store. Logs and runs are numbered from one counter.
const (
	ManifestName = "manifest"
	LogSuffix    = ".log"
	RunSuffix    = ".run"
	TmpSuffix    = ".tmp"
)

// LogName is the opposite of Numbered.
func LogName(number uint64) string { return fmt.Sprintf("%06d%s", number, LogSuffix) }

// RunName is the opposite of Numbered.
func RunName(number uint64) string { return fmt.Sprintf("%06d%s", number, RunSuffix) }

// Numbered reports whether the name is that of a log or run, by its suffix, and its number.
func Numbered(name, suffix string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil
}

// Folder is the directory of a store. All that changes it goes through here, so that tests can stop and fail every step.
type Folder struct {
	Dir  string
	Step func(op, name string, do func() error) error // makes each change by calling do; nil but in tests
}

// Path is where a file lies.
func (f Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// do makes one change; an error says which.
func (f Folder) do(op, name string, change func() error) (err error) {
	if f.Step == nil {
		err = change()
	} else {
		err = f.Step(op, name, change)
	}
	if err != nil {
		return fmt.Errorf("storage: %s %s: %w", op, name, err)
	}
	return nil
}

// Names lists the files.
func (f Folder) Names() ([]string, error) {
	files, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file.Name()
	}
	return names, nil
}

// Create makes an empty file.
func (f Folder) Create(name string) (file *os.File, err error) {
	err = f.do("create", name, func() error {
		file, err = os.OpenFile(f.Path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		return err
	})
	return file, err
}

// Remove removes a file.
func (f Folder) Remove(name string) error {
	return f.do("remove", name, func() error { return os.Remove(f.Path(name)) })
}

// Sync makes durable which files the folder has. The bytes of a file are one thing, its name another.
func (f Folder) Sync() error {
	return f.do("sync-folder", "", func() error {
		dir, err := os.Open(f.Dir)
		if err != nil {
			return err
		}
		return errors.Join(dir.Sync(), dir.Close())
	})
}

// Replace writes a whole file, durably, under a name that has either the old content or all of the new one at any moment.
func (f Folder) Replace(name string, write func(w io.Writer) error) error {
	tmp := name + TmpSuffix
	file, err := f.Create(tmp)
	if err != nil {
		return err
	}
	err = write(steps{f, tmp, file})
	if err == nil {
		err = f.do("sync", tmp, file.Sync)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.do("rename", name, func() error { return os.Rename(f.Path(tmp), f.Path(name)) }); err != nil {
		return err
	}
	return f.Sync()
}

// steps makes a step of each write.
type steps struct {
	folder Folder
	name   string
	out    io.Writer
}

func (w steps) Write(b []byte) (n int, err error) {
	err = w.folder.do("write", w.name, func() error {
		n, err = w.out.Write(b)
		return err
	})
	return n, err
}
