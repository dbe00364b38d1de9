package storage

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/stack"
)

const (
	defaultFlush = 4 << 20
	defaultCache = 8 << 20
)

// Open opens the store in an existing folder, and brings its memtable back from the logs that are not in a run. One Store at a time
// may have the folder open.
func Open(dir string, o Options) (*Store, error) { return open(disk.Folder{Dir: dir}, o) }

func open(f disk.Folder, o Options) (_ *Store, err error) {
	if o.FlushBytes < 0 || o.Grace < 0 {
		return nil, fmt.Errorf("%w: FlushBytes %d, Grace %s, want at least 0", ErrInvalid, o.FlushBytes, o.Grace)
	}
	if o.FlushBytes == 0 {
		o.FlushBytes = defaultFlush
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	runs, err := stack.Open(f, stack.Options{CacheBytes: o.CacheBytes, Grace: o.Grace, NoFilter: o.NoFilter, Reads: o.Reads})
	if err != nil {
		return nil, err
	}
	s := &Store{folder: f, opts: o, stack: runs, table: newMemtable(), newest: runs.Newest()}
	s.changed.L = &s.mu
	if err := s.replayAll(runs.Logs()); err != nil {
		runs.Close()
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.compactIfDue()
	return s, nil
}

// replayAll replays the logs in order, and leaves the last one open.
func (s *Store) replayAll(logs []uint64) error {
	for i, number := range logs {
		last := i == len(logs)-1
		l, err := disk.OpenLog(s.folder, disk.LogName(number), s.opts.Sync, last, s.replay)
		if err != nil {
			return err
		}
		s.logged += l.Len()
		if last {
			s.log, s.logEnd, s.torn = l, l.Len(), l.Torn()
		} else if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// replay takes one record. The log has only what was newer than what was there, so the later record is right.
func (s *Store) replay(payload []byte) error {
	key, state, ok := entry.Cut(payload)
	if !ok {
		return ErrCorrupt
	}
	e, _, err := entry.FromState(string(key), state)
	if err != nil {
		return err
	}
	s.replayed++
	s.remember(string(key), state, e.Stamp)
	return nil
}

// remember sets the state of a key. The caller holds mu, or is alone.
func (s *Store) remember(key string, state []byte, stamp entry.Stamp) {
	s.table.put(key, state)
	if stamp.Compare(s.newest) > 0 {
		s.newest = stamp
	}
}

// Close ends the store; every later call fails with ErrClosed. Nothing is flushed, and work in the background is broken off, so it is
// also what a kill looks like.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.stop()
	s.changed.Broadcast()
	s.mu.Unlock()
	s.tasks.Wait()
	s.writing.Lock() // until the one who writes has finished
	defer s.writing.Unlock()
	s.stack.Close()
	return s.log.Close()
}
