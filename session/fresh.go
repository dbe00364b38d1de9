package session

import (
	"context"
	"errors"
	"iter"
)

// FreshLoader is implemented by stores that read from replicas. The manager then adds the version of the last
// save to the token and asks for a record at least as new: a browser reads its own writes.
type FreshLoader interface {
	// LoadAtLeast is Load of a record of that version or a later one. If there is none, it answers with the newest
	// there is. The wrappers of this package implement it whatever they wrap.
	LoadAtLeast(ctx context.Context, id ID, version uint64) (Record, error)
}

// The wrappers of this package implement every interface and ask the inner store at the call. What follows is how they
// ask.

// lagging tells whether a store reads from replicas. Wrappers know it of what they wrap.
func lagging(store Store) bool {
	if w, ok := store.(interface{ lagging() bool }); ok {
		return w.lagging()
	}
	_, ok := store.(FreshLoader)
	return ok
}

// loadAtLeast is Load for a store that is never out of date.
func loadAtLeast(ctx context.Context, store Store, id ID, version uint64) (Record, error) {
	if f, ok := store.(FreshLoader); ok {
		rec, err := f.LoadAtLeast(ctx, id, version)
		if !errors.Is(err, errors.ErrUnsupported) {
			return rec, err
		}
	}
	return store.Load(ctx, id)
}

func listUser(ctx context.Context, store Store, userID string) iter.Seq2[Record, error] {
	if users, ok := store.(UserIndexer); ok {
		return users.ListUser(ctx, userID)
	}
	return func(yield func(Record, error) bool) { yield(Record{}, unsupported("ListUser")) }
}

func removeUser(ctx context.Context, store Store, userID string, except []ID) (int, error) {
	if users, ok := store.(UserIndexer); ok {
		return users.RemoveUser(ctx, userID, except...)
	}
	return 0, unsupported("RemoveUser")
}

func sweep(ctx context.Context, store Store, limit int) (int, error) {
	if sweeper, ok := store.(Sweeper); ok {
		return sweeper.Sweep(ctx, limit)
	}
	return 0, unsupported("Sweep")
}
