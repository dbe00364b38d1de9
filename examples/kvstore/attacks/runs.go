package attacks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// diskReads counts, between a store and its files, how often the files of its runs are read, and at how many different places.
type diskReads struct {
	mu     sync.Mutex
	total  int
	places map[place]struct{}
}

type place struct {
	file *watched
	at   int64
}

// watched is one file.
type watched struct {
	io.ReaderAt
	reads *diskReads
}

func (r *diskReads) watch(file io.ReaderAt) io.ReaderAt { return &watched{file, r} }

// ReadAt counts a read.
func (w *watched) ReadAt(b []byte, at int64) (int, error) {
	w.reads.mu.Lock()
	w.reads.total++
	w.reads.places[place{w, at}] = struct{}{}
	w.reads.mu.Unlock()
	return w.ReaderAt.ReadAt(b, at)
}

// reset forgets what opening and filling the store has read.
func (r *diskReads) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total, r.places = 0, make(map[place]struct{})
}

// counts are the reads since the reset, and the places.
func (r *diskReads) counts() (total, places float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(r.total), float64(len(r.places))
}

// withRuns runs an attack on the storage of one node, alone: its n keys lie in several runs, nothing is in its memtable, and it has
// just been opened.
func withRuns(env claim.Env, o storage.Options, n int, attack func(s *storage.Store, r *diskReads, keys []string) (claim.Facts, error)) (facts claim.Facts, err error) {
	dir, err := os.MkdirTemp("", "sysblocks-kvstore-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	keys, err := fill(env, dir, n)
	if err != nil {
		return nil, err
	}
	r := &diskReads{}
	r.reset()
	o.Reads = r.watch
	s, err := storage.Open(dir, o)
	if err != nil {
		return nil, err
	}
	r.reset()
	facts, err = attack(s, r, keys)
	return facts, errors.Join(err, s.Close())
}

// fill makes the runs. Each is larger than all newer ones together, so that compaction leaves them alone, and has keys of the whole
// range.
func fill(env claim.Env, dir string, n int) (keys []string, err error) {
	s, err := storage.Open(dir, storage.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, at := range workload.Rand(env.Seed, 5).Perm(n) {
		key := fmt.Sprintf("key-%06d", at)
		if err := s.Put(storage.Entry{Key: key, Stamp: storage.Stamp{Time: 1}, Value: value(key)}); err != nil {
			return nil, err
		}
		keys = append(keys, key)
		if i := len(keys); i == n*9/13 || i == n*12/13 || i == n {
			if err := s.Flush(); err != nil {
				return nil, err
			}
		}
	}
	return keys, nil
}

// value is what a key must have.
func value(key string) []byte { return fmt.Appendf(nil, "%s %-88s", key, "is what this row says") }
