package session

import (
	"context"
	"errors"
	"iter"
	"math"
)

// List yields the live sessions of a user, in no order. It needs a store with UserIndexer; otherwise it yields one
// error, errors.ErrUnsupported.
func (m *Manager[T]) List(ctx context.Context, userID string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		users, ok := m.store.(UserIndexer)
		if !ok {
			yield(Info{}, unsupported("List"))
			return
		}
		if userID == "" {
			return
		}
		var current ID
		if q := m.request(ctx); q != nil {
			if s := q.session.Load(); s != nil {
				current = s.ID()
			}
		}
		for rec, err := range users.ListUser(ctx, userID) {
			if err != nil {
				if !errors.Is(err, errors.ErrUnsupported) {
					err = m.storeError("list a user's sessions", ID{}, err)
				}
				yield(Info{}, err)
				return
			}
			st, ok := stateOf(&rec)
			if !ok || st.expires <= now() {
				continue
			}
			info := m.info(&st)
			info.Current = info.ID == current
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Revoke ends one session of that user; ErrNotFound if it is not his.
func (m *Manager[T]) Revoke(ctx context.Context, userID string, id ID) error {
	if _, ok := m.store.(UserIndexer); !ok {
		return unsupported("Revoke")
	}
	m.counters.add(countLoads)
	rec, found, err := m.fresh(ctx, id, math.MaxUint64) // the newest: it decides whose it is
	if errors.Is(err, ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return m.storeError("load", id, err)
	}
	if !found || userID == "" || rec.UserID != userID {
		return ErrNotFound
	}
	m.counters.add(countRemoves)
	if err := m.store.Remove(ctx, id); err != nil {
		return m.storeError("remove", id, err)
	}
	m.event(ctx, Event{Kind: EventRevoked, ID: id, UserID: userID})
	return nil
}

// RevokeUser ends all sessions of a user but the given ones and returns how many it ended.
func (m *Manager[T]) RevokeUser(ctx context.Context, userID string, except ...ID) (int, error) {
	users, ok := m.store.(UserIndexer)
	if !ok {
		return 0, unsupported("RevokeUser")
	}
	if userID == "" {
		return 0, nil // anonymous sessions belong to nobody
	}
	m.counters.add(countRemoves)
	n, err := users.RemoveUser(ctx, userID, except...)
	if n > 0 {
		m.event(ctx, Event{Kind: EventRevoked, UserID: userID})
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		err = m.storeError("remove a user's sessions", ID{}, err)
	}
	return n, err
}
