// Package stack keeps the sorted runs of a store, the newest on top: it pushes what a memtable held as a new run, merges the upper runs
// into one, and lets readers work on the runs of one moment meanwhile.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/run"
)

// Options of a Stack.
type Options struct {
	CacheBytes int                                // for verified blocks; less than 1: no cache
	Grace      time.Duration                      // a tombstone may be dropped this long after its stamp; 0: never
	NoFilter   bool                               // search every run for every key
	Reads      func(file io.ReaderAt) io.ReaderAt // stands before the file of every run; may be nil
}

// Stack is the runs of a store. Any number of goroutines may read while one pushes and one merges.
type Stack struct {
	folder     disk.Folder
	opts       Options
	cache      *run.Cache    // nil if there is none
	number     atomic.Uint64 // the last one that a file got; whoever makes a file takes the next
	logs       []uint64      // what Open found
	merging    sync.Mutex    // held through a merge
	installing sync.Mutex    // held through a change of the manifest; before mu

	mu       sync.RWMutex // guards all below, for moments only
	now      *Version
	manifest manifest
	written  Written
	leftover error // files that could not be closed or removed
}

// Written counts bytes.
type Written struct{ Pushed, Merged int64 }

// Version is the runs of one moment. Whoever has acquired it reads without a lock, while others come; the file of a run is closed when
// the last version that has it is released.
type Version struct {
	stack *Stack
	runs  []*handle    // newest first
	refs  atomic.Int64 // raised under the lock while the version is the present one; lowered anywhere
}

// handle is a run with its file.
type handle struct {
	*run.Run
	number   uint64
	size     int64
	file     *os.File
	refs     atomic.Int64 // versions that have the run: raised before a version is published, lowered when it is released
	obsolete atomic.Bool  // set before the last version that has the run is released, read after
}

// Open opens the runs that the manifest names and removes what a crash left behind. In a new folder it makes the manifest, and an
// empty log before it, since a manifest names a log.
func Open(f disk.Folder, o Options) (_ *Stack, err error) {
	s := &Stack{folder: f, opts: o}
	if o.CacheBytes > 0 {
		if s.cache, err = run.NewCache(o.CacheBytes); err != nil {
			return nil, err
		}
	}
	if err := s.recall(); err != nil {
		return nil, err
	}
	for _, number := range append(s.manifest.Runs, s.logs...) {
		s.number.Store(max(s.number.Load(), number))
	}
	runs := make([]*handle, 0, len(s.manifest.Runs))
	for _, number := range s.manifest.Runs {
		h, err := s.open(number)
		if err != nil {
			return nil, errors.Join(err, closeAll(runs))
		}
		runs = append(runs, h)
	}
	s.now = s.version(runs)
	return s, nil
}

// recall reads the manifest, or makes the first one.
func (s *Stack) recall() error {
	names, err := s.folder.Names()
	if err != nil {
		return err
	}
	m, fresh, err := load(s.folder, names)
	if err != nil {
		return err
	}
	s.manifest = m
	if fresh {
		first, err := disk.CreateLog(s.folder, disk.LogName(m.Log), false)
		if err == nil {
			err = errors.Join(m.save(s.folder), first.Close())
		}
		s.logs = []uint64{m.Log}
		return err
	}
	logs, debris, err := m.sort(s.folder, names)
	if err != nil {
		return err
	}
	s.logs = logs
	for _, name := range debris {
		if err := s.folder.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// Logs are the numbers of the logs that are not in a run, as Open found them: at least one, the oldest first.
func (s *Stack) Logs() []uint64 { return s.logs }

// Number is a new number for a file.
func (s *Stack) Number() uint64 { return s.number.Add(1) }

// Newest is the highest stamp that the manifest knows.
func (s *Stack) Newest() entry.Stamp {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.manifest.Newest
}

// Written counts what was written since Open.
func (s *Stack) Written() Written {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.written
}

// open opens a run that the manifest names, or is about to.
func (s *Stack) open(number uint64) (_ *handle, err error) {
	file, err := os.Open(s.folder.Path(disk.RunName(number)))
	if err != nil {
		return nil, fmt.Errorf("storage: open run: %w", err)
	}
	h := &handle{number: number, file: file}
	info, err := file.Stat()
	if err == nil {
		h.size = info.Size()
		var r io.ReaderAt = file
		if s.opts.Reads != nil {
			r = s.opts.Reads(r)
		}
		h.Run, err = run.Open(r, h.size, file.Name(), number, run.Options{Cache: s.cache, NoFilter: s.opts.NoFilter})
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return h, nil
}

func closeAll(runs []*handle) (err error) {
	for _, h := range runs {
		err = errors.Join(err, h.file.Close())
	}
	return err
}

// Acquire returns the present version, for one who releases it.
func (s *Stack) Acquire() *Version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.now.refs.Add(1)
	return s.now
}

// version holds the runs; it begins with one reference, that of the stack.
func (s *Stack) version(runs []*handle) *Version {
	v := &Version{stack: s, runs: runs}
	v.refs.Store(1)
	for _, h := range runs {
		h.refs.Add(1)
	}
	return v
}

// Release gives a version back. What nobody needs any more is closed and, if it was merged into another run, removed.
func (v *Version) Release() {
	if v.refs.Add(-1) > 0 {
		return
	}
	s := v.stack
	for _, h := range v.runs {
		if h.refs.Add(-1) > 0 {
			continue
		}
		err := h.file.Close()
		if h.obsolete.Load() {
			if s.cache != nil {
				s.cache.Drop(h.number)
			}
			err = errors.Join(err, s.folder.Remove(disk.RunName(h.number)))
		}
		if err != nil { // no matter of the reader; the next push or merge tells
			s.mu.Lock()
			s.leftover = errors.Join(s.leftover, err)
			s.mu.Unlock()
		}
	}
}

// Get returns the newest state of a key. The key is hashed once, for all filters.
func (v *Version) Get(key string) (state []byte, found bool, err error) {
	hash := bloom.String(key)
	for _, h := range v.runs {
		if state, found, err = h.Get(key, hash); found || err != nil {
			return state, found, err
		}
	}
	return nil, false, nil
}

// Scan returns cursors over all runs from a key on, the newest first.
func (v *Version) Scan(from string) []run.Cursor { return cursors(v.runs, from, false) }

func cursors(runs []*handle, from string, past bool) []run.Cursor {
	layers := make([]run.Cursor, len(runs))
	for i, h := range runs {
		layers[i] = h.Scan(from, past)
	}
	return layers
}

// Sizes are the number of runs, their bytes, and the versions in them.
func (v *Version) Sizes() (runs int, bytes int64, items int) {
	for _, h := range v.runs {
		bytes += h.size
		items += h.Len()
	}
	return len(v.runs), bytes, items
}

// Close closes the files, each one when its last reader has released it. Nobody pushes or merges any more.
func (s *Stack) Close() { s.now.Release() }

// install makes the next version, with the manifest first: whoever dies before the manifest's renaming has done nothing, whoever dies
// after it has done all, and what no longer counts is debris.
func (s *Stack) install(change func(now []*handle, m *manifest) []*handle, w Written) error {
	s.installing.Lock()
	defer s.installing.Unlock()
	old, m := s.now, s.manifest // changed by nobody else
	first := m.Log
	next := s.version(change(old.runs, &m))
	m.Runs = nil
	for _, h := range next.runs {
		m.Runs = append(m.Runs, h.number)
	}
	if err := m.save(s.folder); err != nil {
		return err
	}
	s.mu.Lock()
	s.now, s.manifest = next, m
	s.written.Pushed += w.Pushed
	s.written.Merged += w.Merged
	s.mu.Unlock()
	for _, h := range old.runs {
		if !slices.Contains(next.runs, h) {
			h.obsolete.Store(true)
		}
	}
	old.Release()
	err := s.removeLogs(first, m.Log)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return errors.Join(err, s.leftover)
}

// removeLogs removes the logs from one number up to another one.
func (s *Stack) removeLogs(from, to uint64) error {
	if from == to {
		return nil
	}
	names, err := s.folder.Names()
	for _, name := range names {
		if n, ok := disk.Numbered(name, disk.LogSuffix); ok && n >= from && n < to {
			err = errors.Join(err, s.folder.Remove(name))
		}
	}
	return err
}

// Push writes what the memtable's cursor yields into a run on top of the others. From then on the logs that count begin with the given
// one; the stamp is the highest that the store knows.
func (s *Stack) Push(ctx context.Context, table run.Cursor, log uint64, newest entry.Stamp) error {
	v := s.Acquire()
	defer v.Release()
	fresh, err := s.build(ctx, table, v.runs)
	if err != nil {
		return err
	}
	return s.install(func(now []*handle, m *manifest) []*handle {
		m.Log, m.Newest = log, newest
		return slices.Concat(fresh, now)
	}, Written{Pushed: size(fresh)})
}
