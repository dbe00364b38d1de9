package session

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// CachedStore keeps records of inner in this process for a short time and merges parallel loads of one ID. It
// implements Store, UserIndexer, Sweeper and FreshLoader, the index and the sweep as far as inner does.
//
//	requests ──▶ CachedStore ──▶ inner
//	              │ load at 0 s: v7, kept until 2 s, counted from before the load
//	              │ own Save, Touch, Remove: at once
//	              └ Save, Remove elsewhere: seen after 2 s at the latest
//
// That is the bound on revocation: a session that another process has ended, or the secret before a login or renewal,
// may be served here for TTL. The secret after it is good at once: the manager takes a second look at what is newer.
// Updates are not at risk: a save of what is out of date is a conflict, drops the entry, and runs again on the newest
// data. With several processes behind a proxy, a browser may read data from before its own last write for as long;
// around NewReplicatedStore(inner, nil) it does not, because tokens then carry the version.
type CachedStore struct {
	inner  Store
	ttl    time.Duration
	limit  int // entries of a shard
	shards []cacheShard
}

// CacheOptions configure a CachedStore.
type CacheOptions struct {
	TTL        time.Duration // 0 = 2 s, at most 1 min: how long a session revoked by another process may still be served
	MaxEntries int           // 0 = 10 000; the oldest go first
}

const (
	defaultCacheTTL = 2 * time.Second
	maxCacheTTL     = time.Minute
	defaultEntries  = 10_000
	// cacheShards is used from 16 entries a shard on; below that, chance would fill one long before the others.
	cacheShards = 64
)

// cacheShard holds the entries of some IDs.
type cacheShard struct {
	mu      sync.Mutex
	entries map[ID]*list.Element // of *cacheEntry
	age     list.List            // oldest first: all live equally long
	flights map[ID]*cacheFlight
	// writes counts the changes that have ended. What a load or a save has seen is kept only if no change has ended
	// since it began: it may be older.
	writes uint64
}

type cacheEntry struct {
	rec   Record
	until time.Time
}

// cacheFlight is a load under way.
type cacheFlight struct {
	version   uint64 // asked for
	done      chan struct{}
	rec       Record // these three are written before done is closed
	err       error
	abandoned bool // its caller gave up: the error is his
}

// NewCachedStore returns a cache around inner. An error is ErrInvalid and names the argument.
func NewCachedStore(inner Store, opts CacheOptions) (*CachedStore, error) {
	switch {
	case inner == nil:
		return nil, fmt.Errorf("%w: inner is nil", ErrInvalid)
	case opts.TTL < 0 || opts.TTL > maxCacheTTL:
		return nil, fmt.Errorf("%w: TTL %v, want 0 … %v", ErrInvalid, opts.TTL, maxCacheTTL)
	case opts.MaxEntries < 0:
		return nil, fmt.Errorf("%w: MaxEntries %d is negative", ErrInvalid, opts.MaxEntries)
	}
	if opts.TTL == 0 {
		opts.TTL = defaultCacheTTL
	}
	if opts.MaxEntries == 0 {
		opts.MaxEntries = defaultEntries
	}
	n := 1
	if opts.MaxEntries >= 16*cacheShards {
		n = cacheShards
	}
	s := &CachedStore{inner: inner, ttl: opts.TTL, limit: opts.MaxEntries / n, shards: make([]cacheShard, n)}
	for i := range s.shards {
		s.shards[i].entries = map[ID]*list.Element{}
		s.shards[i].flights = map[ID]*cacheFlight{}
	}
	return s, nil
}

// String tells nothing: a cache holds users' data.
func (s *CachedStore) String() string { return "session.CachedStore" }

// GoString is String.
func (s *CachedStore) GoString() string { return s.String() }

func (s *CachedStore) shard(id ID) *cacheShard { return &s.shards[int(id[0])%len(s.shards)] }

func (s *CachedStore) lagging() bool { return lagging(s.inner) }

// Load implements Store.
func (s *CachedStore) Load(ctx context.Context, id ID) (Record, error) { return s.load(ctx, id, 0) }

// LoadAtLeast implements FreshLoader: an entry that is new enough will do.
func (s *CachedStore) LoadAtLeast(ctx context.Context, id ID, version uint64) (Record, error) {
	return s.load(ctx, id, version)
}

func (s *CachedStore) load(ctx context.Context, id ID, version uint64) (Record, error) {
	sh := s.shard(id)
	for {
		if err := ctx.Err(); err != nil {
			return Record{}, err
		}
		sh.mu.Lock()
		if rec, ok := sh.get(id, version); ok {
			sh.mu.Unlock()
			return rec, nil
		}
		f := sh.flights[id]
		if f == nil || f.version < version {
			return s.lead(ctx, sh, id, version) // unlocks
		}
		sh.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return Record{}, ctx.Err()
		}
		if !f.abandoned {
			return f.rec.clone(), f.err
		}
	}
}

// lead loads for itself and whoever comes meanwhile. The shard is locked.
func (s *CachedStore) lead(ctx context.Context, sh *cacheShard, id ID, version uint64) (Record, error) {
	f := &cacheFlight{version: version, done: make(chan struct{}), abandoned: true}
	sh.flights[id] = f
	writes := sh.writes
	sh.mu.Unlock()
	began := time.Now()
	defer func() { // also if inner panics
		sh.mu.Lock()
		defer sh.mu.Unlock()
		if sh.flights[id] == f {
			delete(sh.flights, id)
		}
		if !f.abandoned && sh.writes == writes {
			if f.err == nil {
				sh.put(f.rec.clone(), began.Add(s.ttl), s.limit)
			} else if errors.Is(f.err, ErrNotFound) {
				sh.drop(id)
			}
		}
		close(f.done)
	}()
	if version == 0 {
		f.rec, f.err = s.inner.Load(ctx, id)
	} else {
		f.rec, f.err = loadAtLeast(ctx, s.inner, id, version)
	}
	f.abandoned = f.err != nil && ctx.Err() != nil
	return f.rec.clone(), f.err
}

// clone copies a record with its bytes.
func (r Record) clone() Record {
	r.Payload = bytes.Clone(r.Payload)
	return r
}

// get returns a copy of a record that is fresh, new enough and not expired. The lock is held, here and below.
func (sh *cacheShard) get(id ID, version uint64) (Record, bool) {
	el := sh.entries[id]
	if el == nil {
		return Record{}, false
	}
	e := el.Value.(*cacheEntry)
	t := time.Now()
	if !t.Before(e.until) || e.rec.Version < version || e.rec.ExpiresAt.UnixMilli() <= t.UnixMilli() {
		return Record{}, false // if it has expired, another process may have moved its expiry
	}
	return e.rec.clone(), true
}

func (sh *cacheShard) drop(id ID) {
	if el := sh.entries[id]; el != nil {
		sh.age.Remove(el)
		delete(sh.entries, id)
	}
}

func (sh *cacheShard) put(rec Record, until time.Time, limit int) {
	if el := sh.entries[rec.ID]; el != nil && el.Value.(*cacheEntry).rec.Version > rec.Version {
		return // of two loads the older came back later
	}
	sh.drop(rec.ID)
	sh.entries[rec.ID] = sh.age.PushBack(&cacheEntry{rec, until})
	for len(sh.entries) > limit {
		sh.drop(sh.age.Front().Value.(*cacheEntry).rec.ID)
	}
}

// change runs a write and forgets what the cache knew of the record. If no other write of the shard has ended meanwhile,
// keep may then say what is known now.
func (s *CachedStore) change(id ID, write func() error, keep func(sh *cacheShard, old *Record)) error {
	sh := s.shard(id)
	sh.mu.Lock()
	writes := sh.writes
	sh.mu.Unlock()
	err := errors.New("session: panic of a store")
	defer func() {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		var old *Record
		if el := sh.entries[id]; el != nil {
			old = &el.Value.(*cacheEntry).rec
		}
		quiet := sh.writes == writes
		sh.writes++
		delete(sh.flights, id) // a load that begins now must not join one that began before
		if err == nil && quiet && keep != nil {
			keep(sh, old)
		} else {
			sh.drop(id)
		}
	}()
	err = write()
	return err
}

// Save implements Store.
func (s *CachedStore) Save(ctx context.Context, rec Record) error {
	until := time.Now().Add(s.ttl)
	return s.change(rec.ID, func() error { return s.inner.Save(ctx, rec) }, func(sh *cacheShard, _ *Record) {
		sh.drop(rec.ID)
		stored := rec.clone()
		stored.Version++
		if stored.ExpiresAt.After(stored.Deadline) {
			stored.ExpiresAt = stored.Deadline
		}
		for _, t := range []*time.Time{&stored.CreatedAt, &stored.ExpiresAt, &stored.Deadline} {
			*t = time.UnixMilli(t.UnixMilli()) // as it would be loaded
		}
		sh.put(stored, until, s.limit)
	})
}

// Touch implements Store.
func (s *CachedStore) Touch(ctx context.Context, id ID, expiresAt time.Time) error {
	return s.change(id, func() error { return s.inner.Touch(ctx, id, expiresAt) }, func(_ *cacheShard, old *Record) {
		if old == nil {
			return
		}
		if to := min(expiresAt.UnixMilli(), old.Deadline.UnixMilli()); to > old.ExpiresAt.UnixMilli() {
			old.ExpiresAt = time.UnixMilli(to)
		}
	})
}

// Remove implements Store.
func (s *CachedStore) Remove(ctx context.Context, id ID) error {
	return s.change(id, func() error { return s.inner.Remove(ctx, id) }, nil)
}

// ListUser implements UserIndexer. It asks inner, always.
func (s *CachedStore) ListUser(ctx context.Context, userID string) iter.Seq2[Record, error] {
	return listUser(ctx, s.inner, userID)
}

// RemoveUser implements UserIndexer.
func (s *CachedStore) RemoveUser(ctx context.Context, userID string, except ...ID) (int, error) {
	defer s.forget(userID)
	return removeUser(ctx, s.inner, userID, except)
}

// forget drops the records of a user, and every load under way: it may be of one of them.
func (s *CachedStore) forget(userID string) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.writes++
		clear(sh.flights)
		for id, el := range sh.entries {
			if el.Value.(*cacheEntry).rec.UserID == userID {
				sh.drop(id)
			}
		}
		sh.mu.Unlock()
	}
}

// Sweep implements Sweeper.
func (s *CachedStore) Sweep(ctx context.Context, limit int) (int, error) {
	return sweep(ctx, s.inner, limit)
}
