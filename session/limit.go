package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// limitRounds bounds how often limit lists again because a session that it wanted to end has changed meanwhile.
const limitRounds = 8

// limit ends the oldest logins of a user beyond MaxPerUser and tells whether own is one of them. Every login saves
// before it lists, so the last of several parallel ones sees them all; the order is the same for each, so they
// agree on which remain. A store that fails leaves more until the next login: that is counted, and the login stands.
func (m *Manager[T]) limit(ctx context.Context, userID string, own ID) (ended bool) {
	for round := range limitRounds {
		records, err := m.logins(ctx, userID)
		if err != nil {
			m.counters.add(countStoreErrors)
			return ended
		}
		again := false
		for i := range max(0, len(records)-m.opts.MaxPerUser) {
			switch err := m.end(ctx, records[i].Record, round == limitRounds-1); {
			case err == nil:
				ended = ended || records[i].ID == own
				m.event(ctx, Event{Kind: EventRevoked, ID: records[i].ID, UserID: userID})
			case errors.Is(err, ErrConflict):
				again = true // used, or logged in anew and no longer the oldest
			case !errors.Is(err, ErrNotFound):
				m.counters.add(countStoreErrors)
			}
		}
		if !again {
			return ended
		}
	}
	return ended
}

type login struct {
	Record
	auth int64
}

// logins lists the sessions of a user, the oldest login first.
func (m *Manager[T]) logins(ctx context.Context, userID string) ([]login, error) {
	users, ok := m.store.(UserIndexer)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	var all []login
	for rec, err := range users.ListUser(ctx, userID) {
		if err != nil {
			return nil, err
		}
		if st, ok := stateOf(&rec); ok && st.expires > now() {
			all = append(all, login{rec, st.env.auth})
		}
	}
	slices.SortFunc(all, func(a, b login) int {
		return cmp.Or(cmp.Compare(a.auth, b.auth), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return all, nil
}

// end removes a record that has not changed since it was read: saved as expired, on condition of its version, it is
// missing; then it can be removed without any. force leaves out the condition.
func (m *Manager[T]) end(ctx context.Context, rec Record, force bool) error {
	if !force {
		m.counters.add(countSaves)
		rec.ExpiresAt = time.UnixMilli(now() - 1)
		if err := m.store.Save(ctx, rec); err != nil {
			return err
		}
	}
	m.counters.add(countRemoves)
	return m.store.Remove(ctx, rec.ID)
}

// indexes tells whether a store can find the sessions of a user. Of a wrapper only a call can tell; the context has
// ended, so that it costs nothing.
//
//nolint:contextcheck // nobody's context is needed to ask a question that may not wait
func indexes(store Store) bool {
	users, ok := store.(UserIndexer)
	if !ok {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range users.ListUser(ctx, "") {
		return !errors.Is(err, errors.ErrUnsupported)
	}
	return true
}
