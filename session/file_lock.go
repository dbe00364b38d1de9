package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// bucket is a folder of records: those whose IDs begin with one byte.
type bucket struct {
	turn   chan struct{}          // of size one: a writer of this process; flock then excludes the others
	mu     sync.Mutex             // held while opening; guards synced
	synced bool                   // a writer of this process has synced the folder into the one above
	handle atomic.Pointer[handle] // published by open, complete; read by everything
}

// handle is an open folder.
type handle struct {
	name string
	root *os.Root
	dir  *os.File // the same folder: for flock and fsync
	b    *bucket
}

// handle returns a folder of records, opened when it is first asked for; ErrNotFound if there is none yet.
func (s *FileStore) handle(n byte) (*handle, error) {
	if h := s.buckets[n].handle.Load(); h != nil && !s.closed.Load() {
		return h, nil
	}
	return s.open(n, false)
}

// open opens a folder of records and makes it if a writer needs it. What a writer of this process makes or finds is
// synced into the folder above once: who made it may have been killed before he could.
func (s *FileStore) open(n byte, write bool) (*handle, error) {
	b := &s.buckets[n]
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.closed.Load() {
		return nil, fmt.Errorf("session: file store: %w", os.ErrClosed)
	}
	name := bucketName(n)
	if write && !b.synced {
		if err := s.makeDir(name); err != nil {
			return nil, err
		}
		if err := s.syncDir(s.root, "."); err != nil {
			return nil, err
		}
		b.synced = true
	}
	if h := b.handle.Load(); h != nil {
		return h, nil
	}
	root, err := s.root.OpenRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	dir, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	h := &handle{name: name, root: root, dir: dir, b: b}
	b.handle.Store(h)
	return h, nil
}

func (s *FileStore) writable(n byte) (*handle, error) {
	b := &s.buckets[n]
	b.mu.Lock()
	h, ready := b.handle.Load(), b.synced
	b.mu.Unlock()
	if h != nil && ready && !s.closed.Load() {
		return h, nil
	}
	return s.open(n, true)
}

// lock excludes the writers of a folder, of this process and of others. Between processes it asks again and again,
// because a blocked flock would not obey ctx; a writer holds the lock for one sync at most twice.
func (s *FileStore) lock(ctx context.Context, n byte) (*handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h, err := s.writable(n)
	if err != nil {
		return nil, err
	}
	select {
	case h.b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 5*time.Millisecond) {
		locked, err := tryLock(h.dir)
		if locked && err == nil {
			return h, nil
		}
		if err == nil {
			pause(ctx, wait/2+rand.N(wait))
			err = ctx.Err()
		}
		if err != nil {
			<-h.b.turn
			return nil, err
		}
	}
}

func (s *FileStore) unlock(h *handle) {
	release(h.dir)
	<-h.b.turn
}

// close waits for the writer of this process.
func (b *bucket) close(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.synced = false
	h := b.handle.Swap(nil)
	if h == nil {
		return nil
	}
	err := h.dir.Close()
	if e := h.root.Close(); err == nil {
		err = e
	}
	return err
}
