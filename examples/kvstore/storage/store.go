package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/run"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/stack"
)

// The errors of the package.
var (
	ErrCorrupt = entry.ErrCorrupt // the text names file and offset
	ErrInvalid = entry.ErrInvalid
	ErrClosed  = errors.New("storage: closed")
	ErrFailed  = errors.New("storage: no more writes after a failure")
)

// Entry is one version of a key.
type Entry = entry.Entry

// Stamp orders the writes of a key in the whole cluster.
type Stamp = entry.Stamp

// DecodeEntry reads one entry from the front of b and returns what follows it. The value shares the memory of b.
func DecodeEntry(b []byte) (e Entry, rest []byte, err error) { return entry.Decode(b) }

// Options of a Store. The zero value survives the death of the process.
type Options struct {
	Sync       bool                               // bring a write to the disk before it is acknowledged: survives a power cut, costs a disk write each
	FlushBytes int                                // the memtable becomes a run when its log has as many; default 4 MiB, negative is ErrInvalid
	CacheBytes int                                // for blocks of runs; default 8 MiB, negative: no cache
	Grace      time.Duration                      // a tombstone may be dropped this long after its stamp; default: never. Negative is ErrInvalid
	NoFilter   bool                               // search every run for every key, to see what the filters are worth
	Reads      func(file io.ReaderAt) io.ReaderAt // stands before the file of every run, to count its reads or to fail them; may be nil
}

// Store holds the entries of one node. It is safe for concurrent use.
type Store struct {
	folder disk.Folder
	opts   Options
	stack  *stack.Stack

	ctx   context.Context // ends with the store; work in the background looks at it
	stop  context.CancelFunc
	tasks sync.WaitGroup // that work; begun under mu while the store is open

	writing sync.Mutex // held by the one who writes, from the look-up to the memtable; guards log and logged
	log     *disk.Log
	logged  int64 // bytes in the logs of the memtable

	mu         sync.RWMutex // guards all below, held for moments only: never while a file is read or written
	table      *memtable
	frozen     *memtable // on its way into a run; nil if there is none
	newest     Stamp
	logEnd     int64 // of log
	torn       int64
	replayed   int
	compacting bool // a task compacts
	failed     error
	closed     bool
	changed    sync.Cond // on mu: frozen, compacting, failed or closed has changed
}

// Stats describes a Store.
type Stats struct {
	Entries  int   // versions in all layers: keys, tombstones included, and what compaction has not dropped yet
	Replayed int   // records read from the logs at Open
	Torn     int64 // bytes of an unfinished record cut off at Open
	LogBytes int64 // in the log that is being written
	Newest   Stamp // the highest stamp ever stored

	Runs         int   // files that a look-up may have to read
	RunBytes     int64 // their bytes
	FlushedBytes int64 // written into runs by flushes since Open
	MergedBytes  int64 // and by compaction: divided by FlushedBytes, how often an entry was written again
}

// Put stores the entry unless the same or a newer version is there. On nil the entry, or the newer one, is in the log.
func (s *Store) Put(e Entry) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	now, found, err := s.Get(e.Key)
	if err != nil || found && e.Stamp.Compare(now.Stamp) <= 0 {
		return err
	}
	return s.write(e.Key, e.State(), e.Stamp)
}

// Forget removes keys whose data now lives on other nodes. It leaves no tombstone: the keys are not deleted, they have moved, and
// may come back in any version.
func (s *Store) Forget(keys ...string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for _, key := range keys {
		if err := s.usable(); err != nil { // also for a key that is not there: what failed may yet come back from the log
			return err
		}
		_, found, err := s.Get(key)
		if err == nil && found {
			err = s.write(key, entry.Forgot(), Stamp{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write logs a state and sets it. The caller holds writing.
func (s *Store) write(key string, state []byte, stamp Stamp) error {
	if s.logged >= int64(s.opts.FlushBytes) {
		if err := s.turn(); err != nil {
			return err
		}
	}
	before := s.log.Len()
	if err := s.log.Append(append(entry.AppendString(nil, key), state...)); err != nil {
		if errors.Is(err, disk.ErrBroken) {
			s.fail(err)
		}
		return err
	}
	s.logged += s.log.Len() - before
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logEnd = s.log.Len()
	s.remember(key, state, stamp)
	return nil
}

// Get returns the newest version, which may be a tombstone. The value must not be changed.
func (s *Store) Get(key string) (e Entry, found bool, err error) {
	state, found, v, err := s.recent(key)
	if err != nil {
		return Entry{}, false, err
	}
	if !found {
		defer v.Release()
		if state, found, err = v.Get(key); !found || err != nil {
			return Entry{}, false, err
		}
	}
	return entry.FromState(key, state)
}

// recent looks a key up in memory. If it is not there, it returns the runs to look into, which the caller releases.
func (s *Store) recent(key string) (state []byte, found bool, v *stack.Version, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, false, nil, ErrClosed
	}
	if state, found = s.table.get(key); !found && s.frozen != nil {
		state, found = s.frozen.get(key)
	}
	if !found {
		v = s.stack.Acquire()
	}
	return state, found, v, nil
}

// Scan yields the entries with a prefix, in the order of their keys, from the first that sorts after the given one; tombstones too.
// What is written meanwhile may be seen or not. After an error nothing more comes. Values must not be changed.
func (s *Store) Scan(prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		from := prefix
		if after >= prefix && after != "" {
			from = behind(after)
		}
		layers, v, err := s.layers(from)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer v.Release()
		for all := run.NewMerge(layers...); ; {
			it, ok, err := all.Next()
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !ok || !strings.HasPrefix(it.Key, prefix) {
				return
			}
			e, found, err := entry.FromState(it.Key, it.Value)
			if (found || err != nil) && !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// layers are cursors over everything from a key on, the newest first. The caller releases the version.
func (s *Store) layers(from string) (layers []run.Cursor, v *stack.Version, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	layers = append(layers, &tableCursor{lock: &s.mu, table: s.table, from: from})
	if s.frozen != nil {
		layers = append(layers, &tableCursor{lock: &s.mu, table: s.frozen, from: from})
	}
	v = s.stack.Acquire()
	return append(layers, v.Scan(from)...), v, nil
}

// Keys lists at most limit keys with a prefix, in order, from the first that sorts after the given key; with their stamps and without
// their values. Tombstones are listed too.
func (s *Store) Keys(prefix, after string, limit int) (entries []Entry, err error) {
	for e, err := range s.Scan(prefix, after) {
		if err != nil {
			return nil, err
		}
		if len(entries) == limit {
			break
		}
		e.Value = nil
		entries = append(entries, e)
	}
	return entries, nil
}

// Select lists the keys that the condition picks, in order. It reads everything.
func (s *Store) Select(pick func(key string) bool) (keys []string, err error) {
	for e, err := range s.Scan("", "") {
		if err != nil {
			return nil, err
		}
		if pick(e.Key) {
			keys = append(keys, e.Key)
		}
	}
	return keys, nil
}

// Stats describes the store.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	w := s.stack.Written()
	st := Stats{
		Replayed: s.replayed, Torn: s.torn, LogBytes: s.logEnd, Newest: s.newest,
		FlushedBytes: w.Pushed, MergedBytes: w.Merged,
	}
	if s.closed {
		return st
	}
	v := s.stack.Acquire()
	defer v.Release()
	st.Runs, st.RunBytes, st.Entries = v.Sizes()
	st.Entries += s.table.len
	if s.frozen != nil {
		st.Entries += s.frozen.len
	}
	return st
}
