package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// ShardedStore spreads sessions over several stores by ID. A record never moves from one store to another: a move would
// start its version anew, and a save prepared before the move would then overwrite one made after it. It implements
// Store and FreshLoader, and UserIndexer and Sweeper as far as its shards do.
//
// Adding a store logs nobody out: new sessions go where Locate says, older ones are found where Previous says.
//
//	two, three := Rendezvous("a", "b"), Rendezvous("a", "b", "c")
//
//	before   ShardOptions{}                               stores a, b
//	1        ShardOptions{Locate: two, Previous: three}   stores a, b, c: servers learn where to look
//	2        ShardOptions{Previous: two}                  stores a, b, c: new sessions go to c, too
//	later    ShardOptions{}                               stores a, b, c
//
// Each step begins when all servers have been restarted with the one before; "later" is one AbsoluteTimeout after that,
// because until then a session in three lives where it was. A store is taken away in the same way.
type ShardedStore struct {
	shards   map[string]Store
	names    []string // sorted
	locate   func(id ID) string
	previous func(id ID) string
}

// ShardOptions configure a ShardedStore. The functions must be pure: the same ID, the same name, on every server.
type ShardOptions struct {
	Locate   func(id ID) string // name of the shard of a new session; nil = Rendezvous over all names
	Previous func(id ID) string // where older sessions may still be; nil = nowhere else
}

// NewShardedStore spreads over the stores of that map, which is copied. An error is ErrInvalid and names the argument.
func NewShardedStore(shards map[string]Store, opts ShardOptions) (*ShardedStore, error) {
	if len(shards) == 0 {
		return nil, fmt.Errorf("%w: shards is empty", ErrInvalid)
	}
	for name, store := range shards {
		if store == nil {
			return nil, fmt.Errorf("%w: shard %q is nil", ErrInvalid, name)
		}
	}
	s := &ShardedStore{shards: maps.Clone(shards), names: slices.Sorted(maps.Keys(shards)), locate: opts.Locate, previous: opts.Previous}
	if s.locate == nil {
		s.locate = Rendezvous(s.names...)
	}
	return s, nil
}

// places returns where a record may be; second is nil if there is only one place.
func (s *ShardedStore) places(id ID) (first, second Store, err error) {
	name := s.locate(id)
	first, ok := s.shards[name]
	if !ok {
		return nil, nil, fmt.Errorf("%w: Locate names %q, which is no shard", ErrInvalid, name)
	}
	if s.previous == nil {
		return first, nil, nil
	}
	older := s.previous(id)
	if older == name {
		return first, nil, nil
	}
	if second, ok = s.shards[older]; !ok {
		return nil, nil, fmt.Errorf("%w: Previous names %q, which is no shard", ErrInvalid, older)
	}
	return first, second, nil
}

// where calls f with the store that has the record: with the first place, and if it is not there, with the second.
func (s *ShardedStore) where(id ID, f func(store Store) error) error {
	first, second, err := s.places(id)
	if err != nil {
		return err
	}
	err = f(first)
	if second != nil && errors.Is(err, ErrNotFound) {
		err = f(second)
	}
	return err
}

func (s *ShardedStore) lagging() bool {
	for _, store := range s.shards {
		if lagging(store) {
			return true
		}
	}
	return false
}

// Load implements Store.
func (s *ShardedStore) Load(ctx context.Context, id ID) (rec Record, err error) {
	err = s.where(id, func(store Store) error {
		rec, err = store.Load(ctx, id)
		return err
	})
	return rec, err
}

// LoadAtLeast implements FreshLoader.
func (s *ShardedStore) LoadAtLeast(ctx context.Context, id ID, version uint64) (rec Record, err error) {
	err = s.where(id, func(store Store) error {
		rec, err = loadAtLeast(ctx, store, id, version)
		return err
	})
	return rec, err
}

// Save implements Store.
func (s *ShardedStore) Save(ctx context.Context, rec Record) error {
	if rec.Version > 0 {
		return s.where(rec.ID, func(store Store) error { return store.Save(ctx, rec) })
	}
	first, _, err := s.places(rec.ID)
	if err != nil {
		return err
	}
	return first.Save(ctx, rec)
}

// Touch implements Store.
func (s *ShardedStore) Touch(ctx context.Context, id ID, expiresAt time.Time) error {
	return s.where(id, func(store Store) error { return store.Touch(ctx, id, expiresAt) })
}

// Remove implements Store, in both places.
func (s *ShardedStore) Remove(ctx context.Context, id ID) error {
	first, second, err := s.places(id)
	if err != nil {
		return err
	}
	err = first.Remove(ctx, id)
	if second != nil {
		err = errors.Join(err, second.Remove(ctx, id))
	}
	return err
}

// each calls f with every store, and returns the errors of some after the others.
func (s *ShardedStore) each(f func(store Store) error) error {
	var failed []error
	for _, name := range s.names {
		if err := f(s.shards[name]); err != nil {
			failed = append(failed, fmt.Errorf("session: shard %q: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// ListUser implements UserIndexer. It asks all shards; an error of one comes after the records of the others.
func (s *ShardedStore) ListUser(ctx context.Context, userID string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		stopped := false
		err := s.each(func(store Store) error {
			if stopped {
				return nil
			}
			for rec, err := range listUser(ctx, store, userID) {
				if err != nil {
					return err
				}
				if stopped = !yield(rec, nil); stopped {
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(Record{}, err)
		}
	}
}

// RemoveUser implements UserIndexer. It asks all shards, also after an error of one.
func (s *ShardedStore) RemoveUser(ctx context.Context, userID string, except ...ID) (int, error) {
	total := 0
	err := s.each(func(store Store) error {
		n, err := removeUser(ctx, store, userID, except)
		total += n
		return err
	})
	return total, err
}

// Sweep implements Sweeper. Shards that expire by themselves are left out.
func (s *ShardedStore) Sweep(ctx context.Context, limit int) (int, error) {
	total, sweepers := 0, 0
	err := s.each(func(store Store) error {
		if total >= limit {
			sweepers++
			return nil
		}
		n, err := sweep(ctx, store, limit-total)
		total += n
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		sweepers++
		return err
	})
	if err == nil && sweepers == 0 {
		err = unsupported("Sweep")
	}
	return total, err
}
