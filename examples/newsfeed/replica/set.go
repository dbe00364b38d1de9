// Package replica keeps copies of a feed: a primary, which takes every change, and followers, which pull its log and lag behind.
//
//	Write ─▶ primary ─▶ log: 1 2 3 4 5 6 7 8
//	                          │       └────────── follower, half a lag behind      applied=5
//	                          └────────────────── follower, a whole lag behind     applied=3
//	Read(4) ─▶ the first follower in turn that has applied 4 or more; the primary if none has
//
// Read set.go for writing, reading and fail-over, follower.go for how a copy keeps up. Followers live in the memory of the process
// and read the log from its beginning; the primary is whatever store is given, such as PostgreSQL.
package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
)

// ErrDown is returned while there is no primary.
var ErrDown = errors.New("replica: the primary is down")

// Options of New.
type Options struct {
	Followers int
	Lag       time.Duration // how long a change travels to the last follower; to the first, half as long
	Sync      bool          // a write returns when a follower has it too
}

// Stats count calls of Read.
type Stats struct {
	Primary, Followers int64
}

// Set is a primary with its followers.
type Set struct {
	opts      Options
	followers []*follower
	stop      context.CancelFunc
	running   sync.WaitGroup

	mu      sync.Mutex
	primary feed.Store    // nil while there is none
	moved   chan struct{} // closed, and replaced, when a follower has applied something or the primary has changed

	written       atomic.Uint64 // raised by Write after the primary has answered; read by Written
	turn          atomic.Uint64 // counted up by every Read
	fromPrimary   atomic.Int64
	fromFollowers atomic.Int64
}

// New starts followers of a primary. Close ends them.
func New(ctx context.Context, primary feed.Store, o Options) *Set {
	ctx, stop := context.WithCancel(ctx)
	s := &Set{opts: o, primary: primary, stop: stop, moved: make(chan struct{})}
	for i := range o.Followers {
		lag := o.Lag
		if o.Followers > 1 {
			lag = o.Lag/2 + o.Lag/2*time.Duration(i)/time.Duration(o.Followers-1)
		}
		s.followers = append(s.followers, &follower{Memory: feed.NewMemory(), lag: lag})
	}
	for _, f := range s.followers {
		s.running.Go(func() { f.run(ctx, s) })
	}
	return s
}

// Close ends the followers.
func (s *Set) Close() {
	s.stop()
	s.running.Wait()
}

// current is the primary and a channel that is closed when something moves.
func (s *Set) current() (feed.Store, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.primary, s.moved
}

// while runs apply unless the primary has changed: a follower that took from a dead primary what the promoted one has not would have
// another history.
func (s *Set) while(primary feed.Store, apply func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.primary == primary {
		apply()
	}
}

// announce wakes those who wait for a follower or a primary. set, if given, runs under the lock.
func (s *Set) announce(set func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set != nil {
		set()
	}
	close(s.moved)
	s.moved = make(chan struct{})
}

// Write implements feed.Copies. With Sync it waits for a follower, but not with what is delivered: rows that can be made again from a
// post that is safe need not be waited for.
func (s *Set) Write(ctx context.Context, c feed.Change) (uint64, error) {
	primary, _ := s.current()
	if primary == nil {
		return 0, ErrDown
	}
	seq, err := primary.Write(ctx, c)
	if err != nil {
		return 0, err
	}
	for {
		before := s.written.Load()
		if before >= seq || s.written.CompareAndSwap(before, seq) {
			break
		}
	}
	if !s.opts.Sync || c.Kind == feed.Delivered {
		return seq, nil
	}
	return seq, s.replicated(ctx, primary, seq)
}

// replicated waits until a follower has the change. When the primary dies before, nobody may have it: the change is in doubt, and its
// author is told so. A new primary gives the number again, to another change; so the number counts only while the primary is the same.
// A primary that was promoted, and has no follower left, stands alone: availability is worth more here.
func (s *Set) replicated(ctx context.Context, primary feed.Store, seq uint64) error {
	others := slices.DeleteFunc(slices.Clone(s.followers), func(f *follower) bool { return primary == feed.Store(f.Memory) })
	for {
		_, moved := s.current()
		reached := len(others) == 0 || slices.ContainsFunc(others, func(f *follower) bool { return f.Applied() >= seq })
		if now, _ := s.current(); now != primary {
			return ErrDown
		}
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("replica: change %d has reached no follower: %w", seq, ctx.Err())
		}
	}
}

// Written implements feed.Copies.
func (s *Set) Written() uint64 { return s.written.Load() }

// Primary implements feed.Copies.
func (s *Set) Primary() feed.Store {
	if primary, _ := s.current(); primary != nil {
		return primary
	}
	return down{}
}

// Read implements feed.Copies: the followers take turns, and one that is not far enough is passed over.
func (s *Set) Read(atLeast uint64) feed.Store {
	turn := s.turn.Add(1)
	for i := range uint64(len(s.followers)) {
		if f := s.followers[(turn+i)%uint64(len(s.followers))]; f.Applied() >= atLeast {
			s.fromFollowers.Add(1)
			return f.Memory
		}
	}
	s.fromPrimary.Add(1)
	return s.Primary()
}

// Stats returns how often each kind of copy was asked.
func (s *Set) Stats() Stats {
	return Stats{Primary: s.fromPrimary.Load(), Followers: s.fromFollowers.Load()}
}

// CatchUp waits until every follower has applied a change.
func (s *Set) CatchUp(ctx context.Context, seq uint64) error {
	for {
		_, moved := s.current()
		behind := false
		for _, f := range s.followers {
			behind = behind || f.Applied() < seq
		}
		if !behind {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("replica: followers have not caught up: %w", ctx.Err())
		}
	}
}

// Kill ends the primary: what no follower has pulled is gone.
func (s *Set) Kill() { s.announce(func() { s.primary = nil }) }

// Promote makes the follower that has applied most the primary, and returns the number of its last change. All that any follower has,
// it has; so the others go on from where they are, and a change that one follower has acknowledged is in the new log.
func (s *Set) Promote() (uint64, error) {
	if len(s.followers) == 0 {
		return 0, fmt.Errorf("%w, and there is no follower", ErrDown)
	}
	best := s.followers[0]
	s.announce(func() {
		for _, f := range s.followers {
			if f.Applied() > best.Applied() {
				best = f
			}
		}
		s.primary = best.Memory
		s.written.Store(best.Applied())
	})
	return best.Applied(), nil
}
