package session

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"
)

// ReplicatedStore writes to primary and reads from replicas that are new enough for the reader. It implements Store and
// FreshLoader, and UserIndexer and Sweeper as far as primary does.
//
//	browser            manager                      ReplicatedStore
//	   │ Cookie: T.7     │ LoadAtLeast(ID, 7) ───────▶│ replica has version 6: too old
//	   │                 │                            │ primary has version 7
//	   │                 │ Save ─────────────────────▶│ primary: version 8
//	   │◀ Set-Cookie: T.8│                            │ … the replica follows later
//
// The stamp behind the token is the version of the browser's last save: whoever wrote reads what he wrote, and nobody
// else waits for the replica. What a replica does not know yet, it cannot refuse: a session that was ended or renewed is
// served until the replica has heard of it, so the lag of the replicas is the bound on revocation.
//
// How the replicas follow is the business of the database: replicas are stores on connections to read replicas.
// Without replicas all goes to primary, and what remains is the stamp: it makes a CachedStore around it read what the
// browser wrote through another process.
type ReplicatedStore struct {
	primary  Store
	replicas []Store
	next     atomic.Uint32 // chosen in turn by all readers
}

// NewReplicatedStore returns a store that reads from replicas; there may be none. An error is ErrInvalid and names the
// argument.
func NewReplicatedStore(primary Store, replicas []Store) (*ReplicatedStore, error) {
	if primary == nil {
		return nil, fmt.Errorf("%w: primary is nil", ErrInvalid)
	}
	for i, r := range replicas {
		if r == nil {
			return nil, fmt.Errorf("%w: replica %d is nil", ErrInvalid, i)
		}
	}
	return &ReplicatedStore{primary: primary, replicas: slices.Clone(replicas)}, nil
}

func (s *ReplicatedStore) lagging() bool { return true }

// Load implements Store: a record of any age, from the primary if the replica has none.
func (s *ReplicatedStore) Load(ctx context.Context, id ID) (Record, error) {
	return s.LoadAtLeast(ctx, id, 0)
}

// LoadAtLeast implements FreshLoader. It asks one replica, then the primary if that is older, missing or failing.
func (s *ReplicatedStore) LoadAtLeast(ctx context.Context, id ID, version uint64) (Record, error) {
	if n := uint32(len(s.replicas)); n > 0 {
		rec, err := s.replicas[s.next.Add(1)%n].Load(ctx, id)
		if err == nil && rec.Version >= version {
			return rec, nil
		}
		if err := ctx.Err(); err != nil {
			return Record{}, err
		}
	}
	return loadAtLeast(ctx, s.primary, id, version)
}

// Save implements Store.
func (s *ReplicatedStore) Save(ctx context.Context, rec Record) error {
	return s.primary.Save(ctx, rec)
}

// Touch implements Store.
func (s *ReplicatedStore) Touch(ctx context.Context, id ID, expiresAt time.Time) error {
	return s.primary.Touch(ctx, id, expiresAt)
}

// Remove implements Store.
func (s *ReplicatedStore) Remove(ctx context.Context, id ID) error { return s.primary.Remove(ctx, id) }

// ListUser implements UserIndexer. It asks the primary.
func (s *ReplicatedStore) ListUser(ctx context.Context, userID string) iter.Seq2[Record, error] {
	return listUser(ctx, s.primary, userID)
}

// RemoveUser implements UserIndexer.
func (s *ReplicatedStore) RemoveUser(ctx context.Context, userID string, except ...ID) (int, error) {
	return removeUser(ctx, s.primary, userID, except)
}

// Sweep implements Sweeper.
func (s *ReplicatedStore) Sweep(ctx context.Context, limit int) (int, error) {
	return sweep(ctx, s.primary, limit)
}
