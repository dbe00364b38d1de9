package session

import (
	"context"
	"fmt"
)

// Login binds the session to a user (1 … 255 bytes), replaces the secret, ends the old one at once, restarts
// the absolute timeout, and has committed when it returns. The data of an anonymous session is kept, that of
// another user dropped.
func (s *Session[T]) Login(ctx context.Context, userID string, opts LoginOptions) error {
	if userID == "" || len(userID) > maxLabel {
		return fmt.Errorf("%w: user ID of %d bytes, want 1 … %d", ErrInvalid, len(userID), maxLabel)
	}
	if len(opts.Device) > maxLabel {
		return fmt.Errorf("%w: LoginOptions.Device of %d bytes, at most %d", ErrInvalid, len(opts.Device), maxLabel)
	}
	absolute, err := absoluteTimeout(opts.AbsoluteTimeout, s.m.opts.AbsoluteTimeout)
	if err != nil {
		return fmt.Errorf("LoginOptions: %w", err)
	}
	if _, err := idleTimeout(opts.IdleTimeout, 0, absolute); err != nil {
		return fmt.Errorf("LoginOptions: %w", err)
	}
	if s.q != nil && s.transport().Ambient() {
		// A request without our token has passed Handler unchecked; this one is about to get a token.
		if err := s.m.crossOrigin(s.q.r); err != nil {
			return err
		}
	}
	return s.commit(ctx, &change{kind: EventLogin, userID: userID, opts: opts}, false)
}

// login applies a login to a state.
func (m *Manager[T]) login(ch *change, st *state, t int64) {
	env := &st.env
	st.userID = ch.userID
	env.auth = t
	env.remember = ch.opts.Remember
	env.device = ch.opts.Device
	env.absolute = ch.opts.AbsoluteTimeout.Milliseconds()
	env.idle = ch.opts.IdleTimeout.Milliseconds()
	if ch.opts.IdleTimeout < 0 {
		env.idle = -1
	}
	life := env.absolute
	if life == 0 {
		life = m.opts.AbsoluteTimeout.Milliseconds()
	}
	st.deadline = t + life
}

// Renew replaces the secret and ends the old one at once: for any change of privilege but a login. A session that
// is not stored has no secret to replace.
func (s *Session[T]) Renew(ctx context.Context) error {
	s.mu.Lock()
	err, stored := s.err, s.base.version > 0
	s.mu.Unlock()
	if err != nil || !stored {
		return err
	}
	return s.commit(ctx, &change{kind: EventRenewed}, false)
}

// Logout removes the session from the store and the cookie from the browser. s is then a new anonymous one. If
// the store fails, its error is returned and nothing has changed for the browser.
func (s *Session[T]) Logout(ctx context.Context) error {
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
	old := s.base
	s.mu.Unlock()
	if old.version > 0 && !s.m.clientSide() {
		s.m.counters.add(countRemoves)
		if err := s.m.store.Remove(ctx, old.id); err != nil {
			return s.m.storeError("remove", old.id, err)
		}
	}
	s.mu.Lock()
	s.base, s.tok, s.err = state{}, "", nil
	s.pending, s.reset = nil, false
	s.send, s.clear = false, s.clear || old.version > 0
	s.setData("")
	s.mu.Unlock()
	if old.version > 0 {
		s.m.event(ctx, Event{Kind: EventLogout, ID: old.id, UserID: old.userID})
	}
	return nil
}
