package storage

import (
	"fmt"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
)

// turn freezes the memtable, hands it to the background to become a run, and goes on with an empty one and a new log. When the
// memtable before it is still on its way, the writer waits: the disk sets the pace. The caller holds writing.
func (s *Store) turn() error {
	s.mu.Lock()
	s.wait()
	s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	// Only the newest log may be torn: so the end of this one is on the disk before the next one exists.
	if err := s.log.Flush(); err != nil {
		return err
	}
	next := s.stack.Number()
	log, err := disk.CreateLog(s.folder, disk.LogName(next), s.opts.Sync)
	if err != nil {
		s.fail(err) // a half-made log may be there, so the old one must not go on
		return s.usable()
	}
	old := s.log
	s.log, s.logged = log, 0
	s.mu.Lock()
	full := s.table
	s.frozen, s.table, s.logEnd = full, newMemtable(), 0
	if !s.closed {
		s.tasks.Go(func() { s.flush(full, next) })
	}
	s.mu.Unlock()
	return old.Close()
}

// wait returns when no memtable is on its way, or never will arrive. The caller holds mu.
func (s *Store) wait() {
	for s.frozen != nil && s.failed == nil && !s.closed {
		s.changed.Wait()
	}
}

// flush makes a run of a frozen memtable. From then on the logs that count begin with the given one.
func (s *Store) flush(table *memtable, log uint64) {
	s.mu.RLock()
	newest := s.newest
	s.mu.RUnlock()
	if err := s.stack.Push(s.ctx, &tableCursor{lock: &s.mu, table: table}, log, newest); err != nil {
		s.fail(err)
		return
	}
	s.mu.Lock() // the run is in place: for a moment the same states are in two layers
	s.frozen = nil
	s.changed.Broadcast()
	s.mu.Unlock()
	s.compactIfDue()
}

// compactIfDue begins to compact in the background, unless that is under way.
func (s *Store) compactIfDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.compacting || s.failed != nil || !s.stack.Due() {
		return
	}
	s.compacting = true
	s.tasks.Go(s.compact)
}

func (s *Store) compact() {
	err := s.stack.Compact(s.ctx)
	if err != nil {
		s.fail(err)
	}
	s.mu.Lock()
	s.compacting = false
	s.changed.Broadcast()
	s.mu.Unlock()
	s.compactIfDue() // what was pushed between the last look and now
}

// Flush makes a run of the memtable now, and waits for it.
func (s *Store) Flush() error {
	if err := s.begin(); err != nil {
		return err
	}
	s.mu.Lock()
	s.wait()
	s.mu.Unlock()
	return s.usable()
}

// begin begins a flush, if there is something to flush.
func (s *Store) begin() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil || s.logged == 0 {
		return err
	}
	return s.turn()
}

// Compact makes one run of everything now, and waits for it.
func (s *Store) Compact() error {
	if err := s.Flush(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	done := make(chan error, 1)
	s.tasks.Go(func() { done <- s.stack.MergeAll(s.ctx) })
	s.mu.Unlock()
	if err := <-done; err != nil {
		s.fail(err)
	}
	return s.usable()
}

// usable reports why nothing can be written.
func (s *Store) usable() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return s.failed
}

// fail notes that work in the background has failed. What breaks off because the store closes has not.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil && !s.closed {
		s.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	s.changed.Broadcast()
}
