package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// Save commits now instead of at the first byte of the response. Without changes it does nothing. After an error
// of the store the outcome is unknown: the changes are dropped and the session is read-only, until Reload.
func (s *Session[T]) Save(ctx context.Context) error {
	return s.commit(ctx, nil, false)
}

// change is what Login and Renew do to the identity.
type change struct {
	kind   EventKind
	userID string
	opts   LoginOptions
}

// work is one commit: the next state, and what led to it, for a replay.
type work[T any] struct {
	next    state
	fns     []func(*T) error
	taken   int // of pending; more than fns if a login drops the data
	change  *change
	created bool
	secret  secret // new if created or change
	drop    bool   // a login of another user: the data and its updates go
	moved   bool   // next.data is no longer what the session showed
}

// outcome says what a failed write leaves behind.
type outcome uint8

const (
	outcomeKeep   outcome = iota // nothing written, the updates stay pending
	outcomeDrop                  // nothing written, the updates are dropped
	outcomeBroken                // ended, or unknown whether written: read-only
)

// commit stores what is pending, and the change if there is one.
// It has its own time; detached, it goes on when ctx has ended.
func (s *Session[T]) commit(parent context.Context, ch *change, detached bool) error {
	if ch == nil && s.clean() {
		return nil
	}
	ctx := within(parent, commitTime, detached)
	defer ctx.close()
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	w, err := s.begin(ch)
	if w == nil {
		return err
	}
	var left outcome
	if s.m.clientSide() {
		s.m.prepare(w)
		left, err = outcomeKeep, s.m.fits(w.next, s.via)
		w.next.version = 1
	} else {
		left, err = s.write(ctx, w) //nolint:contextcheck // ctx is made of parent
	}
	if err != nil {
		s.fail(left, err)
		return err
	}
	err = s.adopt(w)
	if w.created {
		s.m.counters.add(countCreated)
		s.m.event(parent, Event{Kind: EventCreated, ID: w.next.id, UserID: w.next.userID})
	}
	if ch != nil {
		s.m.event(parent, Event{Kind: ch.kind, ID: w.next.id, UserID: w.next.userID})
	}
	if ch == nil || ch.kind != EventLogin || s.m.opts.MaxPerUser == 0 {
		return err
	}
	if s.m.limit(ctx, w.next.userID, w.next.id) { //nolint:contextcheck // ctx is made of parent
		s.fail(outcomeBroken, ErrRevoked)
		s.mu.Lock()
		s.send = false // the token is dead
		s.mu.Unlock()
		return ErrRevoked
	}
	return err
}

// clean tells that nothing is pending.
func (s *Session[T]) clean() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) == 0
}

// acquire waits until no other commit of this Session is under way. It is no mutex: a Save inside an update
// function that is being replayed ends with ctx instead of never.
func (s *Session[T]) acquire(ctx *deadline) error {
	for {
		s.mu.Lock()
		if !s.busy {
			s.busy = true
			s.mu.Unlock()
			return nil
		}
		if s.wait == nil {
			s.wait = make(chan struct{})
		}
		wait := s.wait
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.cause()
		}
	}
}

func (s *Session[T]) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.creating = false, false
	if s.wait != nil {
		close(s.wait)
		s.wait = nil
	}
}

// begin takes a snapshot; nil if there is nothing to do.
func (s *Session[T]) begin(ch *change) (*work[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.pending)
	switch {
	case s.err != nil:
		return nil, s.err
	case ch == nil && n == 0:
		return nil, nil
	case s.sealed && s.q != nil && (ch != nil || s.base.version == 0 && !s.creating):
		return nil, ErrCommitted
	}
	w := &work[T]{next: s.base, fns: s.pending[:n:n], taken: n, change: ch, created: s.base.version == 0}
	w.next.data = s.data
	if ch != nil && ch.kind == EventLogin && s.base.userID != "" && s.base.userID != ch.userID {
		w.next.data, w.fns, w.drop, w.moved = "", nil, true, true
	}
	if w.created {
		s.creating = true
		if s.base.id == (ID{}) {
			s.base.id = newID()
		}
		w.next.id = s.base.id
	}
	if w.created || ch != nil {
		w.secret = newSecret()
	}
	return w, nil
}

// prepare applies the change to next and stamps it with the time, which it returns.
func (m *Manager[T]) prepare(w *work[T]) int64 {
	t, st := now(), &w.next
	if st.version == 0 {
		m.start(st, t)
	}
	if w.created || w.change != nil {
		st.env.hash = w.secret.hash()
		st.env.rotated = t
	}
	if ch := w.change; ch != nil {
		st.env.generation++ // what was in flight must not save any more
		st.env.previous = nil
		if ch.kind == EventLogin {
			m.login(ch, st, t)
		}
	}
	st.env.saved = t
	st.expires = m.expiry(st, t)
	return t
}

// save stores one version.
func (m *Manager[T]) save(ctx context.Context, st *state, now int64) error {
	m.counters.add(countSaves)
	if m.local != nil {
		return m.local.put(st, now)
	}
	return m.store.Save(ctx, st.record())
}

// write saves and, where another request was first, replays on its data.
func (s *Session[T]) write(ctx *deadline, w *work[T]) (outcome, error) {
	m, id, generation := s.m, w.next.id, w.next.env.generation
	turn := m.turns[id[0]%byte(len(m.turns))]
	for attempt := 0; ; attempt++ {
		if attempt > 0 && ctx.Err() != nil || ctx.parentErr() != nil { // before the call: nothing is written
			return outcomeKeep, ctx.cause()
		}
		t := m.prepare(w)
		err := m.save(ctx, &w.next, t)
		switch {
		case err == nil:
			w.next.version++
			return outcomeKeep, nil
		case errors.Is(err, ErrNotFound) && w.next.version > 0:
			return outcomeBroken, ErrRevoked
		case errors.Is(err, ErrFull):
			return outcomeDrop, err
		case !errors.Is(err, ErrConflict):
			return outcomeBroken, m.storeError("save", id, err)
		}
		m.counters.add(countConflicts)
		if w.next.version == 0 {
			return outcomeDrop, ErrConflict
		}
		if attempt == 0 {
			select {
			case turn <- struct{}{}:
				defer func() { <-turn }()
			case <-ctx.Done():
				return outcomeKeep, ctx.cause()
			}
		} else if attempt > 2 {
			pause(ctx, rand.N(100*time.Microsecond<<min(attempt, 7))) // another process: 13 ms at most
		}
		left, err := s.replay(ctx, w, generation)
		if left == outcomeKeep && ctx.Err() != nil {
			return left, ctx.cause() // the load was cut off: the store is not to blame
		}
		if err != nil {
			return left, err
		}
	}
}

// replay loads what another request has saved and runs the updates on it.
func (s *Session[T]) replay(ctx context.Context, w *work[T], generation uint64) (outcome, error) {
	st, err := s.m.reload(ctx, w.next.id, w.next.version+1)
	if errors.Is(err, ErrRevoked) {
		return outcomeBroken, err
	}
	if err != nil {
		return outcomeKeep, err
	}
	if st.env.generation != generation {
		return outcomeBroken, ErrRevoked // a login or a renewal lies between
	}
	s.m.counters.add(countReplays)
	w.next, w.moved = st, true
	if w.drop {
		w.next.data = ""
	} else if len(w.fns) > 0 {
		if w.next.data, _, err = s.apply(st.data, w.fns...); err != nil {
			return outcomeDrop, err
		}
	}
	return outcomeKeep, nil
}

// reload loads a session whose secret has been verified before; ErrRevoked if it is gone.
func (m *Manager[T]) reload(ctx context.Context, id ID, version uint64) (state, error) {
	var st state
	_, ok, err := m.read(ctx, id, version, &st)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !ok:
		return state{}, ErrRevoked
	case err != nil:
		return state{}, m.storeError("load", id, err)
	}
	return st, nil
}

// adopt makes the written state the base. Updates that came while it was written stay pending; if the data
// under them has changed, they run again.
func (s *Session[T]) adopt(w *work[T]) error {
	s.mu.Lock()
	s.base = w.next
	s.pending = s.pending[w.taken:]
	if len(s.pending) == 0 {
		s.pending = nil
	}
	if w.created || w.change != nil {
		s.clear, s.send = false, s.q != nil
		if !s.m.clientSide() {
			s.tok = formatToken(s.base.id, &w.secret, s.m.keys)
		}
	} else if s.m.clientSide() || s.m.lagging {
		s.send = s.q != nil
	}
	if len(s.pending) == 0 {
		if w.moved {
			s.setData(s.base.data)
		}
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if !w.moved {
		return nil
	}
	return s.rebase()
}

// rebase runs the pending updates on the base.
func (s *Session[T]) rebase() error {
	for {
		s.mu.Lock()
		base, fns, seq := s.base.data, slices.Clip(s.pending), s.seq
		s.mu.Unlock()
		data, err := base, error(nil)
		if len(fns) > 0 {
			data, _, err = s.apply(base, fns...)
		}
		s.mu.Lock()
		if err != nil {
			s.pending = nil
			s.setData(s.base.data)
			s.mu.Unlock()
			return err
		}
		if s.seq == seq {
			s.setData(data)
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
	}
}

// fail leaves the session as a failed write requires.
func (s *Session[T]) fail(left outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left == outcomeKeep {
		return
	}
	s.pending = nil
	s.setData(s.base.data)
	if left == outcomeBroken {
		s.err = err
	}
}

// Reload reads the store again and replays updates not yet saved: for streams that outlive many requests.
// ErrRevoked if the session has ended. It counts as a use, and does nothing to a session that is not stored.
func (s *Session[T]) Reload(ctx context.Context) error {
	if s.fixed {
		return s.err
	}
	wait := within(ctx, commitTime, false)
	defer wait.close()
	if err := s.acquire(wait); err != nil {
		return err
	}
	defer s.release()
	s.mu.Lock()
	id, version, generation := s.base.id, s.base.version, s.base.env.generation
	s.mu.Unlock()
	if version == 0 || s.m.clientSide() {
		return nil
	}
	st, err := s.m.reload(ctx, id, version)
	if err == nil && st.env.generation != generation {
		err = ErrRevoked
	}
	if errors.Is(err, ErrRevoked) {
		s.fail(outcomeBroken, err)
	}
	if err != nil {
		return err
	}
	if expires, due := s.m.due(&st, now()); due {
		s.m.counters.add(countTouches)
		switch err := s.m.store.Touch(ctx, id, timeOf(expires)); {
		case errors.Is(err, ErrNotFound):
			s.fail(outcomeBroken, ErrRevoked)
			return ErrRevoked
		case err != nil:
			s.m.counters.add(countStoreErrors)
		default:
			st.expires = expires
		}
	}
	s.mu.Lock()
	s.base, s.err = st, nil
	s.mu.Unlock()
	return s.rebase()
}
