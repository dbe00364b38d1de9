package session

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// MemoryStore keeps records in this process, bounded; reads take no lock.
type MemoryStore struct {
	maxSessions int64
	maxBytes    int64
	sessions    atomic.Int64 // reserved by writers before they insert, so that the bound holds at every moment
	bytes       atomic.Int64
	hand        atomic.Uint32 // shard that eviction has looked at last
	broom       atomic.Uint32 // shard that Sweep has looked at last
	shards      [256]shard    // by the first byte of the ID
	users       userIndex
}

// MemoryOptions bound a MemoryStore as a whole.
type MemoryOptions struct {
	MaxSessions int   // 0 = 100 000
	MaxBytes    int64 // 0 = 256 MiB, payloads and bookkeeping
}

const (
	// recordCost is the bookkeeping of one record on a 64-bit machine: entry 80, table slot 8 at a load of
	// 3/8 … 3/4, user index 17 at 7/16 … 7/8, expiry heap 8 with the slack of a growing slice.
	recordCost = 144
	// expirePerWrite is how many due records a write looks at: more than one, so that expired records go
	// faster than new ones come.
	expirePerWrite = 4
	// expireChunk bounds how long Sweep holds the lock of a shard: two cache misses or three a record, some 50 µs.
	expireChunk = 32
)

// NewMemoryStore returns an empty store. At the limit it drops expired, then anonymous records, least recently used
// first; never a logged-in one: then Save returns ErrFull.
func NewMemoryStore(opts MemoryOptions) (*MemoryStore, error) {
	if opts.MaxSessions < 0 {
		return nil, fmt.Errorf("%w: MaxSessions %d is negative", ErrInvalid, opts.MaxSessions)
	}
	if opts.MaxBytes < 0 {
		return nil, fmt.Errorf("%w: MaxBytes %d is negative", ErrInvalid, opts.MaxBytes)
	}
	s := &MemoryStore{maxSessions: int64(opts.MaxSessions), maxBytes: opts.MaxBytes}
	if s.maxSessions == 0 {
		s.maxSessions = 100_000
	}
	if s.maxBytes == 0 {
		s.maxBytes = 256 << 20
	}
	for i := range s.shards {
		s.shards[i].due.Store(math.MaxInt64)
	}
	s.users.init()
	return s, nil
}

// Len is the number of records held, those included that have expired and are not yet removed.
func (s *MemoryStore) Len() int { return int(s.sessions.Load()) }

// String tells the size only.
func (s *MemoryStore) String() string { return fmt.Sprintf("session.MemoryStore(%d records)", s.Len()) }

// GoString tells the size only.
func (s *MemoryStore) GoString() string { return s.String() }

// Load implements Store.
func (s *MemoryStore) Load(ctx context.Context, id ID) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	e := s.shards[id[0]].get(id)
	if e == nil {
		return Record{}, ErrNotFound
	}
	expires := e.expires.Load()
	if expires <= now() {
		return Record{}, ErrNotFound
	}
	if e.used.Load() == 0 { // not written each time: the line stays shared between cores
		e.used.Store(1)
	}
	return e.record(expires), nil
}

// lend implements local.
func (s *MemoryStore) lend(ctx context.Context, id ID, now int64, st *state) (payload string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	e := s.shards[id[0]].get(id)
	if e == nil {
		return "", ErrNotFound
	}
	st.expires = e.expires.Load()
	if st.expires <= now {
		return "", ErrNotFound
	}
	if e.used.Load() == 0 {
		e.used.Store(1)
	}
	st.id, st.version, st.userID, st.created, st.deadline = e.id, e.version, e.userID(), e.created, e.deadline
	return e.blob[e.userLen:], nil
}

// Save implements Store.
func (s *MemoryStore) Save(ctx context.Context, rec Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(rec.UserID) > maxLabel {
		return fmt.Errorf("%w: user ID of %d bytes, at most %d", ErrInvalid, len(rec.UserID), maxLabel)
	}
	return s.save(newEntry(rec), now())
}

// put implements local: Save of the record of st.
func (s *MemoryStore) put(st *state, now int64) error { return s.save(st.entry(), now) }

func (s *MemoryStore) save(fresh *entry, now int64) error {
	if fresh.cost() > s.maxBytes {
		return ErrFull
	}
	for {
		stored, err := s.trySave(fresh, fresh.version-1, now)
		if stored || err != nil {
			return err
		}
		// No lock is held here: eviction takes that of any shard.
		if !s.makeRoom(now, fresh.id) {
			return ErrFull
		}
	}
}

// trySave returns false without an error if there is no room.
func (s *MemoryStore) trySave(fresh *entry, version uint64, now int64) (bool, error) {
	sh := &s.shards[fresh.id[0]]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i, old := sh.find(fresh.id)
	if old != nil && old.expires.Load() <= now {
		s.drop(sh, i, old)
		old = nil
	}
	switch {
	case old == nil && version > 0:
		return false, ErrNotFound
	case old != nil && old.version != version:
		return false, ErrConflict
	}
	count, size := int64(1), fresh.cost()
	if old != nil {
		count, size = 0, size-old.cost()
	}
	if !reserve(&s.sessions, count, s.maxSessions) {
		return false, nil
	}
	if !reserve(&s.bytes, size, s.maxBytes) {
		s.sessions.Add(-count)
		return false, nil
	}
	// Indexed before it is published, unindexed after: a query never misses a live record.
	if fresh.userID() != "" {
		s.users.add(fresh.userID(), fresh.id)
	}
	if old != nil {
		sh.replace(i, old, fresh)
		if user := old.userID(); user != "" && user != fresh.userID() {
			s.users.remove(user, old.id)
		}
	} else {
		sh.insert(fresh)
	}
	s.expire(sh, now, expirePerWrite)
	return true, nil
}

// reserve adds n unless that passes limit.
func reserve(total *atomic.Int64, n, limit int64) bool {
	for {
		old := total.Load()
		if n > 0 && old+n > limit {
			return false
		}
		if total.CompareAndSwap(old, old+n) {
			return true
		}
	}
}

// Touch implements Store: a compare-and-swap maximum. A Save at the same time may replace the entry; the touch then
// counts as the earlier of the two.
func (s *MemoryStore) Touch(ctx context.Context, id ID, expiresAt time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := s.shards[id[0]].get(id)
	if e == nil {
		return ErrNotFound
	}
	target, now := min(expiresAt.UnixMilli(), e.deadline), now()
	for {
		old := e.expires.Load()
		if old <= now { // also 0, which drop leaves
			return ErrNotFound
		}
		if target <= old || e.expires.CompareAndSwap(old, target) {
			return nil
		}
	}
}

// Remove implements Store.
func (s *MemoryStore) Remove(ctx context.Context, id ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sh := &s.shards[id[0]]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i, e := sh.find(id); e != nil {
		s.drop(sh, i, e)
	}
	s.expire(sh, now(), expirePerWrite)
	return nil
}

// drop removes an entry; the lock of its shard is held.
func (s *MemoryStore) drop(sh *shard, i int, e *entry) {
	e.expires.Store(0) // a Touch that has found the entry must not succeed any more
	sh.remove(i, e)
	s.sessions.Add(-1)
	s.bytes.Add(-e.cost())
	if e.userID() != "" {
		s.users.remove(e.userID(), e.id)
	}
}

// ListUser implements UserIndexer.
func (s *MemoryStore) ListUser(ctx context.Context, userID string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Record{}, err)
			return
		}
		for _, p := range s.users.list(userID) {
			for e := range s.shards[p.shard()].withPrefix(p) {
				expires := e.expires.Load()
				if e.userID() != userID || expires <= now() {
					continue
				}
				if err := ctx.Err(); err != nil {
					yield(Record{}, err)
					return
				}
				if !yield(e.record(expires), nil) {
					return
				}
			}
		}
	}
}

// RemoveUser implements UserIndexer.
func (s *MemoryStore) RemoveUser(ctx context.Context, userID string, except ...ID) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	removed := 0
	for _, p := range s.users.list(userID) {
		removed += s.removePrefix(p, userID, except)
	}
	return removed, nil
}

// removePrefix takes the lock of the shard, so that each login is wholly before or after it.
func (s *MemoryStore) removePrefix(p prefix, userID string, except []ID) (removed int) {
	sh := &s.shards[p.shard()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for e := range sh.withPrefix(p) {
		if e.userID() != userID || slices.Contains(except, e.id) {
			continue
		}
		if e.expires.Load() > now() {
			removed++
		}
		i, _ := sh.find(e.id)
		s.drop(sh, i, e)
	}
	return removed
}

// Sweep implements Sweeper. It holds one lock at a time, for a bounded number of records, and then turns to the next
// shard: who takes a lock again at once keeps it from those who wait, for a millisecond.
func (s *MemoryStore) Sweep(ctx context.Context, limit int) (int, error) {
	removed := 0
	for left := len(s.shards); left > 0 && removed < limit; left-- {
		sh := &s.shards[s.broom.Add(1)%uint32(len(s.shards))]
		if sh.due.Load() > now()/1000 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		sh.mu.Lock()
		n, more := s.expire(sh, now(), min(expireChunk, limit-removed))
		sh.mu.Unlock()
		removed += n
		if more {
			left = len(s.shards) + 1 // another round
		}
	}
	return removed, nil
}
