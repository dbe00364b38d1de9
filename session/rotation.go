package session

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
)

// Rotation configures the periodic replacement of secrets, which bounds how long a stolen one is of use. The zero
// value rotates at Login and Renew only.
//
// Requests of one page that are under way together carry one secret, so the one before stays good for a grace. A
// browser that does not get the response with the new cookie is logged out when the grace ends: nobody else
// knows the new secret. That is why RevokeOnReuse is off by default.
type Rotation struct {
	Every         time.Duration // 0 = off; else 1 min … AbsoluteTimeout
	Grace         time.Duration // how long the previous secret is still good; 0 = 30 s, at most Every
	RevokeOnReuse bool          // a previous secret after its grace ends the session: it was copied, or a response was lost
}

const (
	minRotation  = time.Minute
	defaultGrace = 30 * time.Second
	// rotateTries bounds how often a rotation starts over because an update came first; the next request tries again.
	rotateTries = 3
)

func (r *Rotation) resolve(life time.Duration) error {
	switch {
	case r.Every == 0 && (r.Grace != 0 || r.RevokeOnReuse):
		return fmt.Errorf("%w: Rotation.Every is 0 (off), so Grace and RevokeOnReuse must be zero", ErrInvalid)
	case r.Every == 0:
		return nil
	case r.Every < minRotation || r.Every > life:
		return fmt.Errorf("%w: Rotation.Every %v, want %v … AbsoluteTimeout (%v)", ErrInvalid, r.Every, minRotation, life)
	case r.Grace < 0 || r.Grace > r.Every:
		return fmt.Errorf("%w: Rotation.Grace %v, want at most Every (%v)", ErrInvalid, r.Grace, r.Every)
	case r.Grace == 0:
		r.Grace = defaultGrace
	}
	return nil
}

// secretVerdict compares the hash of a secret with those of a stored session. old tells that it is the previous one,
// in its grace.
func (m *Manager[T]) secretVerdict(ctx context.Context, st *state, hash *[sha256.Size]byte, now int64) (found verdict, old bool) {
	if subtle.ConstantTimeCompare(hash[:], st.env.hash[:]) == 1 {
		return verdictGood, false
	}
	if p := st.env.previous; p != nil && subtle.ConstantTimeCompare(hash[:], p.hash[:]) == 1 {
		if now < p.grace {
			return verdictGood, true
		}
		m.reused(ctx, st)
		return verdictForged, false
	}
	m.forged(ctx, st.id, st.userID)
	return verdictForged, false
}

// reused reports a previous secret after its grace, and ends the session if that is wanted.
func (m *Manager[T]) reused(ctx context.Context, st *state) {
	m.counters.add(countForged)
	if m.opts.Rotation.RevokeOnReuse {
		m.counters.add(countRemoves)
		if err := m.store.Remove(ctx, st.id); err != nil {
			m.counters.add(countStoreErrors) // refused here all the same; the next reuse tries again
		}
	}
	m.event(ctx, Event{Kind: EventReused, ID: st.id, UserID: st.userID})
}

// rotates tells whether this request has to replace the secret, which it can only if the header is still to come. The
// header then waits until the session is published: the new secret must reach the browser.
func (m *Manager[T]) rotates(s *Session[T], now int64) bool {
	every := m.opts.Rotation.Every.Milliseconds()
	if every == 0 || s.q == nil || s.old || now-s.base.env.rotated < every {
		return false
	}
	if !s.rotating {
		s.rotating = true
		s.q.writer.holds.acquire(&s.q.writer.holds.header)
	}
	return !s.q.writer.sent.Load()
}

// rotate replaces the secret by a conditional save, and the generation stays: whoever is under way with the secret
// before can still save. Of several requests that try, one succeeds; the others find that their secret is in its
// grace. If the store fails, nothing is lost: the secret stays, or is the previous one.
func (m *Manager[T]) rotate(ctx context.Context, s *Session[T], now int64) verdict {
	presented, id := s.base.env.hash, s.base.id
	for range rotateTries {
		fresh := newSecret()
		next := s.base
		next.env.previous = &previous{hash: presented, grace: now + m.opts.Rotation.Grace.Milliseconds()}
		next.env.hash, next.env.rotated, next.env.saved = fresh.hash(), now, now
		next.expires = m.expiry(&next, now)
		err := m.save(ctx, &next, now)
		if err == nil {
			next.version++
			s.rotated(m, &next, &fresh)
			return verdictGood
		}
		if errors.Is(err, ErrNotFound) {
			return verdictUnknown
		}
		failed := !errors.Is(err, ErrConflict)
		if failed {
			m.counters.add(countStoreErrors) // it may have happened: the record tells
		} else {
			m.counters.add(countConflicts)
		}
		var st state
		t, ok, err := m.read(ctx, id, next.version+1, &st)
		switch {
		case errors.Is(err, ErrNotFound):
			return verdictUnknown
		case err != nil || !ok:
			m.counters.add(countStoreErrors)
			return verdictGood
		case st.env.hash == next.env.hash:
			s.rotated(m, &st, &fresh)
			return verdictGood
		}
		s.base, s.data, now = st, st.data, t
		if st.env.hash != presented {
			if p := st.env.previous; p == nil || p.hash != presented || now >= p.grace {
				return verdictForged // a login or a renewal came between
			}
			s.old = true
			return verdictGood
		}
		if failed {
			break
		}
	}
	return m.touch(ctx, s, now)
}

// rotated adopts a state whose secret is fresh.
func (s *Session[T]) rotated(m *Manager[T], st *state, fresh *secret) {
	s.base, s.data, s.send = *st, st.data, true
	s.tok = formatToken(st.id, fresh, m.keys)
}
