package idgen

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// FileLeaser keeps one worker number on one machine: a high-water mark that is on disk before it is used, and a file
// lock. It protects a machine with a fixed number against two processes with that number, and against a clock that was
// set back between two runs.
//
// The lock dies with its process, so a crashed process is succeeded at once; the successor's window starts where the
// crashed one's ended, up to TTL later. A TTL of one or two seconds costs a local write now and then and keeps that
// wait short.
type FileLeaser struct {
	path   string
	worker uint32

	mu   sync.Mutex
	lock *os.File // nil while no grant is held
	mark fileMark // as on disk, while lock is held
}

// fileMark is the content of the file: the holder's token and the end of its window in microseconds since 1970.
type fileMark struct {
	Token int64
	Until int64
}

// NewFileLeaser returns a leaser of worker whose mark is kept in path, with the lock in path+".lock" beside it. Nothing
// is created before the first Acquire. On a platform without locks that die with their process it returns an error that
// wraps errors.ErrUnsupported.
func NewFileLeaser(path string, worker uint32) (*FileLeaser, error) {
	if path == "" {
		return nil, fmt.Errorf("%w: path is empty", ErrInvalid)
	}
	if worker >= 1<<31 {
		return nil, fmt.Errorf("%w: worker %d, at most %d", ErrInvalid, worker, 1<<31-1)
	}
	if !fileLocks {
		return nil, fmt.Errorf("idgen: file locks on this platform: %w", errors.ErrUnsupported)
	}
	return &FileLeaser{path: path, worker: worker}, nil
}

// Acquire implements Leaser. ErrNoWorker while another process, or another FileLeaser, holds the lock; a damaged or
// foreign file is an error, never a fresh start.
func (f *FileLeaser) Acquire(ctx context.Context, workers uint32, from, until time.Time) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	if err := checkWindow(workers, from, until); err != nil {
		return Grant{}, err
	}
	if f.worker >= workers {
		return Grant{}, fmt.Errorf("%w: worker %d, below %d in this layout", ErrInvalid, f.worker, workers)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock != nil {
		return Grant{}, fmt.Errorf("%w: %d is held by this process", ErrNoWorker, f.worker)
	}
	lock, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Grant{}, fmt.Errorf("idgen: open the lock of worker %d: %w", f.worker, err)
	}
	mark, err := f.take(lock, from.UnixMicro(), until.UnixMicro())
	if err != nil {
		return Grant{}, errors.Join(err, lock.Close())
	}
	f.lock, f.mark = lock, mark
	end := time.UnixMicro(mark.Until)
	length := until.UnixMicro() - from.UnixMicro()
	return Grant{Worker: f.worker, Token: mark.Token, From: time.UnixMicro(mark.Until - length), Until: end}, nil
}

// take locks, reads the last mark and writes the next one.
func (f *FileLeaser) take(lock *os.File, from, until int64) (fileMark, error) {
	free, err := lockFile(lock)
	if err != nil {
		return fileMark{}, fmt.Errorf("idgen: lock worker %d: %w", f.worker, err)
	}
	if !free {
		return fileMark{}, fmt.Errorf("%w: %d is held by another holder of the lock file", ErrNoWorker, f.worker)
	}
	mark, err := f.read()
	if err != nil {
		return mark, err
	}
	start := max(from, mark.Until)
	mark = fileMark{Token: mark.Token + 1, Until: start + until - from}
	return mark, f.write(mark)
}

// Extend implements Leaser.
func (f *FileLeaser) Extend(ctx context.Context, g Grant, until time.Time) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.held(g); err != nil {
		return Grant{}, err
	}
	if err := checkExtension(time.UnixMicro(f.mark.Until), until); err != nil {
		return Grant{}, err
	}
	if us := until.UnixMicro(); us > f.mark.Until {
		next := fileMark{Token: f.mark.Token, Until: us}
		if err := f.write(next); err != nil {
			return Grant{}, err
		}
		f.mark = next
	}
	g.Until = time.UnixMicro(f.mark.Until)
	return g, nil
}

// Release implements Leaser. It unlocks the number also when the mark could not be written: the mark on disk is then
// the later one, which is safe.
func (f *FileLeaser) Release(ctx context.Context, g Grant, used time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.held(g); err != nil {
		return err
	}
	mark := f.mark
	if us := used.Add(time.Microsecond - 1).UnixMicro(); us < mark.Until {
		mark.Until = us
	}
	err := f.write(mark)
	err = errors.Join(err, f.lock.Close()) // closing the file drops the lock
	f.lock = nil
	return err
}

func (f *FileLeaser) held(g Grant) error {
	if f.lock == nil || g.Worker != f.worker || g.Token != f.mark.Token {
		return fmt.Errorf("%w: worker %d with token %d is not held here", ErrLeaseLost, g.Worker, g.Token)
	}
	return nil
}

const fileFormat = "sysblocks idgen lease 1\nworker %d\ntoken %d\nuntil %d\n"

func (f *FileLeaser) text(m fileMark) string {
	body := fmt.Sprintf(fileFormat, f.worker, m.Token, m.Until)
	return fmt.Sprintf("%ssum %08x\n", body, crc32.ChecksumIEEE([]byte(body)))
}

// read accepts exactly what text writes. A file that does not exist is a number never used.
func (f *FileLeaser) read() (fileMark, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fileMark{}, nil
	}
	if err != nil {
		return fileMark{}, fmt.Errorf("idgen: read the mark of worker %d: %w", f.worker, err)
	}
	var m fileMark
	var worker, sum uint32
	_, err = fmt.Sscanf(string(data), fileFormat+"sum %x\n", &worker, &m.Token, &m.Until, &sum)
	if err != nil || worker != f.worker || string(data) != f.text(m) {
		return m, fmt.Errorf("%w: %s is not the mark of worker %d, or is damaged", ErrSyntax, f.path, f.worker)
	}
	return m, nil
}

// write replaces the file so that a crash at any step leaves the old mark or the new one: temporary file, fsync, rename,
// fsync of the folder. The holder of the lock is the only writer.
func (f *FileLeaser) write(m fileMark) error {
	err := f.replace(f.text(m))
	if err != nil {
		return fmt.Errorf("idgen: write the mark of worker %d: %w", f.worker, err)
	}
	return nil
}

func (f *FileLeaser) replace(text string) error {
	temp, err := os.OpenFile(f.path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = temp.WriteString(text)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.path+".tmp", f.path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
