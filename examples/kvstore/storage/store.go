package storage

import (
	"path/filepath"
	"sync"
)

// Options of a Store. The zero value survives the death of the process.
type Options struct {
	Sync bool // flush to the disk before a write is acknowledged: survives a power cut, costs a disk write each
}

// The kinds of record.
const (
	recordPut    = 'P' // an entry
	recordForget = 'F' // a key that now lives elsewhere
)

// Store holds the entries of one node. It is safe for concurrent use.
type Store struct {
	mu       sync.RWMutex // guards all below; a writer holds it while it appends, so the log has the order of the memtable
	log      *commitLog
	table    memtable
	replayed int
	newest   Stamp
	closed   bool
}

// Stats describes a Store.
type Stats struct {
	Entries  int   // keys, tombstones included
	Replayed int   // records read from the log at Open
	Torn     int64 // bytes of an unfinished record cut off at Open
	LogBytes int64
	Newest   Stamp // the highest stamp ever stored
}

// Open opens the store in an existing folder and brings its memtable back from the log.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{table: make(memtable)}
	var err error
	s.log, err = openLog(filepath.Join(dir, "commit.log"), o.Sync, s.replay)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) replay(payload []byte, at int64) error {
	s.replayed++
	if len(payload) == 0 {
		return ErrCorrupt
	}
	switch payload[0] {
	case recordForget:
		delete(s.table, string(payload[1:]))
		return nil
	case recordPut:
		e, rest, err := DecodeEntry(payload[1:])
		if err != nil || len(rest) > 0 {
			return ErrCorrupt
		}
		s.remember(e, at, len(payload))
		return nil
	}
	return ErrCorrupt
}

func (s *Store) remember(e Entry, at int64, n int) {
	s.table.put(e, at, n)
	if e.Stamp.Compare(s.newest) > 0 {
		s.newest = e.Stamp
	}
}

// Put stores the entry unless the same or a newer version is there. On nil the entry, or the newer one, is in the log.
func (s *Store) Put(e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if old, ok := s.table[e.Key]; ok && e.Stamp.Compare(old.stamp) <= 0 {
		return nil
	}
	payload := e.AppendTo([]byte{recordPut})
	at, err := s.log.append(payload)
	if err != nil {
		return err
	}
	s.remember(e, at, len(payload))
	return nil
}

// Get returns the newest version, which may be a tombstone. The value must not be changed.
func (s *Store) Get(key string) (e Entry, found bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return Entry{}, false, ErrClosed
	}
	it, ok := s.table[key]
	if !ok {
		return Entry{}, false, nil
	}
	e = Entry{Key: key, Stamp: it.stamp, Deleted: it.deleted, Value: it.value}
	if it.size > inline {
		e.Value, err = s.log.read(it.at, it.size)
	}
	return e, err == nil, err
}

// Forget removes keys whose data now lives on other nodes. It leaves no tombstone: the keys are not deleted, they have moved.
func (s *Store) Forget(keys ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	for _, key := range keys {
		if _, err := s.log.append(append([]byte{recordForget}, key...)); err != nil {
			return err
		}
		delete(s.table, key)
	}
	return nil
}

// Keys lists at most limit keys with a prefix, in order, from the first that sorts after the given key; with their stamps and without
// their values. Tombstones are listed too.
func (s *Store) Keys(prefix, after string, limit int) []Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys := s.table.keys(prefix, after, limit)
	entries := make([]Entry, len(keys))
	for i, key := range keys {
		entries[i] = Entry{Key: key, Stamp: s.table[key].stamp, Deleted: s.table[key].deleted}
	}
	return entries
}

// Select lists the keys that the condition picks, in no order.
func (s *Store) Select(pick func(key string) bool) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys []string
	for key := range s.table {
		if pick(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Stats describes the store.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{Entries: len(s.table), Replayed: s.replayed, Torn: s.log.torn, LogBytes: s.log.end, Newest: s.newest}
}

// Close ends the store; every later call fails with ErrClosed. Nothing is flushed, so it is also what a kill looks like.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.table = nil
	return s.log.close()
}
