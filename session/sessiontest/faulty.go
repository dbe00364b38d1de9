package sessiontest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Call is what Faulty asks its plan about.
type Call struct {
	Op string     // "Load", "Save", "Touch", "Remove", "ListUser", "RemoveUser", "Sweep"
	N  int        // calls of this Op so far, from 1
	ID session.ID // zero where there is none
}

// Fault is what goes wrong; zero = nothing.
type Fault struct {
	Delay  time.Duration // first; obeys ctx
	Before error         // returned without calling the inner store
	After  error         // returned after the inner call succeeded: the reply was lost
}

// FaultyStore wraps a store. It implements Store, UserIndexer and Sweeper, the latter two as far as the inner one does.
type FaultyStore struct {
	inner session.Store
	plan  func(Call) Fault

	mu    sync.Mutex
	calls map[string]int
}

// Faulty wraps a store and asks plan before each call what goes wrong. A nil plan only counts. plan runs on the
// caller's goroutine and may block: that is how a test holds a call at a gate.
func Faulty(inner session.Store, plan func(Call) Fault) *FaultyStore {
	return &FaultyStore{inner: inner, plan: plan, calls: map[string]int{}}
}

// Calls returns how often op was called.
func (s *FaultyStore) Calls(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// before counts the call and returns its fault; its error is that the call must end with.
func (s *FaultyStore) before(ctx context.Context, op string, id session.ID) (Fault, error) {
	s.mu.Lock()
	s.calls[op]++
	n := s.calls[op]
	s.mu.Unlock()
	if s.plan == nil {
		return Fault{}, nil
	}
	f := s.plan(Call{Op: op, N: n, ID: id})
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
	return f, f.Before
}

// Load implements session.Store.
func (s *FaultyStore) Load(ctx context.Context, id session.ID) (session.Record, error) {
	f, err := s.before(ctx, "Load", id)
	if err != nil {
		return session.Record{}, err
	}
	rec, err := s.inner.Load(ctx, id)
	if err == nil && f.After != nil {
		return session.Record{}, f.After
	}
	return rec, err
}

// Save implements session.Store.
func (s *FaultyStore) Save(ctx context.Context, rec session.Record) error {
	return s.around(ctx, "Save", rec.ID, func() error { return s.inner.Save(ctx, rec) })
}

// Touch implements session.Store.
func (s *FaultyStore) Touch(ctx context.Context, id session.ID, expiresAt time.Time) error {
	return s.around(ctx, "Touch", id, func() error { return s.inner.Touch(ctx, id, expiresAt) })
}

// Remove implements session.Store.
func (s *FaultyStore) Remove(ctx context.Context, id session.ID) error {
	return s.around(ctx, "Remove", id, func() error { return s.inner.Remove(ctx, id) })
}

func (s *FaultyStore) around(ctx context.Context, op string, id session.ID, call func() error) error {
	f, err := s.before(ctx, op, id)
	if err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	return f.After
}

// ListUser implements session.UserIndexer.
func (s *FaultyStore) ListUser(ctx context.Context, userID string) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		f, err := s.before(ctx, "ListUser", session.ID{})
		users, ok := s.inner.(session.UserIndexer)
		if err == nil && !ok {
			err = errors.ErrUnsupported
		}
		if err != nil {
			yield(session.Record{}, err)
			return
		}
		for rec, err := range users.ListUser(ctx, userID) {
			if !yield(rec, err) {
				return
			}
		}
		if f.After != nil {
			yield(session.Record{}, f.After)
		}
	}
}

// RemoveUser implements session.UserIndexer.
func (s *FaultyStore) RemoveUser(ctx context.Context, userID string, except ...session.ID) (n int, err error) {
	err = s.around(ctx, "RemoveUser", session.ID{}, func() (err error) {
		users, ok := s.inner.(session.UserIndexer)
		if !ok {
			return errors.ErrUnsupported
		}
		n, err = users.RemoveUser(ctx, userID, except...)
		return err
	})
	return n, err
}

// Sweep implements session.Sweeper.
func (s *FaultyStore) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = s.around(ctx, "Sweep", session.ID{}, func() (err error) {
		sweeper, ok := s.inner.(session.Sweeper)
		if !ok {
			return errors.ErrUnsupported
		}
		n, err = sweeper.Sweep(ctx, limit)
		return err
	})
	return n, err
}
