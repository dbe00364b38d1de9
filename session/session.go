package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A Session is one request's view of a session. Safe for concurrent use.
type Session[T any] struct {
	m   *Manager[T]
	q   *request[T]     // nil outside HTTP
	ctx context.Context // for the values that OnEvent may want

	mu       sync.Mutex
	err      error            // set: read-only from now on
	base     state            // as stored; version 0 = not stored
	tok      string           // as the client has it or will get it; "" on the client side, where it is made when needed
	data     string           // encoded: base.data and pending
	pending  []func(*T) error // updates not yet stored, oldest first
	value    T                // decoded data, if decoded
	seq      uint32           // counts changes of data and pending
	via      uint8            // index of the transport that brought the token, or will bring the first
	rotating bool             // the header is held until this session is published
	old      bool             // the token is a previous one, in its grace
	fixed    bool             // err is what Get answered and never changes
	decoded  bool
	reset    bool // "data could not be decoded" was reported
	sealed   bool // the header is out, or is just being written
	creating bool // a commit is storing a new session
	send     bool // the header has to carry the token
	clear    bool // the header has to clear the token

	busy bool          // a commit is under way
	wait chan struct{} // closed when it ends; nil if nobody waits
}

// got is what Get returns with the session.
func (s *Session[T]) got() error {
	if s.fixed {
		return s.err
	}
	return nil
}

func (s *Session[T]) transport() Transport { return s.m.transports[s.via] }

// updateRounds bounds how often Update starts over. Parallel updates of one Session need two or three; an
// update inside an update never ends.
const updateRounds = 8

// Data returns the data as of the load or the last Update. It is for reading: changes inside its maps and
// slices are not saved.
func (s *Session[T]) Data() T {
	s.mu.Lock()
	if s.decoded {
		defer s.mu.Unlock()
		return s.value
	}
	data, seq := s.data, s.seq
	s.mu.Unlock()
	v := s.decode(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seq == seq {
		s.value, s.decoded = v, true
	}
	return v
}

// decode never fails: data of another shape is the zero T, reported once. The stored bytes stay.
func (s *Session[T]) decode(data string) T {
	v := new(T)
	if len(data) == 0 {
		return *v
	}
	err := s.m.opts.Codec.Unmarshal([]byte(data), v) // a copy: what a codec does with it is its own affair
	if err == nil {
		return *v
	}
	s.mu.Lock()
	first := !s.reset
	s.reset = true
	e := Event{Kind: EventDataReset, ID: s.base.id, UserID: s.base.userID, Err: err}
	s.mu.Unlock()
	if first {
		s.m.counters.add(countDataResets)
		s.m.event(s.ctx, e)
	}
	return *new(T)
}

// Update calls fn with a private copy of the data and keeps the result if fn returns nil. If another request
// has saved first, the commit calls fn again with the newer data, so fn must depend on nothing but its
// argument. Encoding and size errors are returned here. The first Update that changes something creates
// the session.
func (s *Session[T]) Update(fn func(data *T) error) error {
	for round := range updateRounds {
		if round > 1 {
			// Parallel updates get out of each other's way; 5 ms at most in the last round.
			pause(s.ctx, rand.N(20*time.Microsecond<<round))
		}
		s.mu.Lock()
		data, seq, err := s.data, s.seq, s.err
		s.mu.Unlock()
		if err != nil {
			return err
		}
		fresh, changed, err := s.apply(data, fn)
		if err != nil || !changed {
			return err
		}
		if kept, err := s.keep(seq, fresh, fn); kept || err != nil {
			return err
		}
	}
	return ErrConflict
}

// apply runs functions on a copy of data and encodes the result.
func (s *Session[T]) apply(data string, fns ...func(*T) error) (fresh string, changed bool, err error) {
	v := s.decode(data)
	for _, fn := range fns {
		if err := fn(&v); err != nil {
			return "", false, err
		}
	}
	encoded, err := s.m.opts.Codec.Marshal(&v)
	if err != nil {
		return "", false, fmt.Errorf("session: encode data: %w", err)
	}
	if len(encoded) > s.m.opts.MaxBytes {
		return "", false, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(encoded), s.m.opts.MaxBytes)
	}
	if equalData(data, encoded, s.m.zero) {
		return data, false, nil
	}
	return string(encoded), true, nil
}

// keep puts an update in if nothing has changed since seq.
func (s *Session[T]) keep(seq uint32, fresh string, fn func(*T) error) (kept bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return false, s.err
	case s.seq != seq:
		return false, nil
	case s.sealed && (s.m.clientSide() || s.base.version == 0 && !s.creating):
		return false, ErrCommitted
	}
	if s.m.clientSide() {
		next := s.base
		next.data = fresh
		if next.version == 0 {
			s.m.start(&next, now())
			next.expires, next.env.saved = next.deadline, next.created
		}
		if err := s.m.fits(next, s.via); err != nil {
			return false, err
		}
	}
	s.pending = append(s.pending, fn)
	s.setData(fresh)
	return true, nil
}

// setData is called with mu held.
func (s *Session[T]) setData(data string) {
	var zero T
	s.data, s.value, s.decoded = data, zero, false
	s.seq++
}

// ID is stable for the life of the session, public, and safe to log.
func (s *Session[T]) ID() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base.id == (ID{}) {
		s.base.id = newID()
	}
	return s.base.id
}

// UserID is "" for an anonymous session. It never decodes the data.
func (s *Session[T]) UserID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base.userID
}

// Token is the secret that a client must present, for clients without cookies; "" before the first commit. Never log it.
func (s *Session[T]) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token()
}

// token is called with mu held.
func (s *Session[T]) token() string {
	if s.base.version == 0 {
		return ""
	}
	if s.m.clientSide() {
		return s.m.sealToken(s.base, s.via)
	}
	return s.m.stamped(s.tok, s.base.version)
}

// Info describes the session.
func (s *Session[T]) Info() Info {
	id := s.ID()
	s.mu.Lock()
	defer s.mu.Unlock()
	info := Info{ID: id}
	if s.base.version > 0 {
		info = s.m.info(&s.base)
	}
	info.Current = s.q != nil
	return info
}

// String shows the ID only.
func (s *Session[T]) String() string { return "session.Session(" + s.ID().String() + ")" }

// GoString shows the ID only.
func (s *Session[T]) GoString() string { return s.String() }

// Take returns a field of the data and sets it to zero, in one update: a message shown once. If another request
// saves first, the value taken from the newer data is lost to both, which for a message means shown once.
func Take[T, V any](s *Session[T], field func(*T) *V) (V, error) {
	var taken V
	err := s.Update(func(data *T) error {
		var zero V
		p := field(data)
		if p == nil {
			return errors.New("session: Take: field returned nil")
		}
		taken, *p = *p, zero
		return nil
	})
	if err != nil {
		var zero V
		return zero, err
	}
	return taken, nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
