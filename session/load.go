package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// request is what one request under Handler has: it is the context that next sees and owns the response writer.
type request[T any] struct {
	context.Context
	m       *Manager[T]
	r       *http.Request // as it came
	writer  writer
	mu      sync.Mutex                 // held while loading, so that parallel Gets load once
	session atomic.Pointer[Session[T]] // published by load, complete; read by Get and by the writer
}

// Value finds the request by its manager, so that managers of any number nest.
func (q *request[T]) Value(key any) any {
	if m, ok := key.(*Manager[T]); ok && m == q.m {
		return q
	}
	return q.Context.Value(key)
}

func (m *Manager[T]) request(ctx context.Context) *request[T] {
	q, _ := ctx.Value(m).(*request[T])
	return q
}

func (q *request[T]) load(ctx context.Context) (*Session[T], error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.session.Load(); s != nil {
		return s, s.getErr
	}
	s := &Session[T]{m: q.m, q: q, ctx: q.Context, transport: q.m.transports[0]}
	if err := q.m.identify(ctx, s, q.r); err != nil {
		s = q.m.readOnly(q.Context, err) //nolint:contextcheck // the session outlives the caller of this Get
		if ctx.Err() != nil {
			return s, err // the caller gave up, not the store: another Get may try again
		}
		s.q = q
	}
	q.session.Store(s)
	if q.writer.sent.Load() { // the writer sets sent before it looks for a session: one of the two seals it
		s.seal()
	}
	return s, s.getErr
}

// verdict on one token.
type verdict uint8

const (
	verdictMalformed verdict = iota
	verdictUnknown           // no such ID, or expired
	verdictForged            // wrong secret or tag
	verdictGood
)

// identify tries the tokens of a request; the first that verifies wins.
func (m *Manager[T]) identify(ctx context.Context, s *Session[T], r *http.Request) error {
	var stale Transport // brought an ID that the store does not have
	forged := false
	tries := 0
	for i, t := range m.transports {
		for j := 0; tries < maxCandidates; j++ {
			token, ok := t.Token(r, j)
			if !ok {
				break
			}
			tries++
			found, err := m.open(ctx, s, token, i)
			if err == nil && found == verdictGood {
				found, err = m.admit(ctx, s)
			}
			if err != nil {
				return err
			}
			switch found {
			case verdictGood:
				s.transport, s.clear = t, false
				return nil
			case verdictUnknown:
				stale = t
			case verdictForged:
				forged = true
			case verdictMalformed:
			}
		}
	}
	// With a wrong secret nothing is cleared: a login in another tab may just have replaced it.
	if stale != nil && !forged {
		s.transport, s.clear = stale, true
	}
	return nil
}

// open verifies a token and fills in s. It asks the store only if the token has the right form and tag.
func (m *Manager[T]) open(ctx context.Context, s *Session[T], token string, transport int) (verdict, error) {
	if m.clientSide() {
		return m.unseal(ctx, s, token, transport), nil
	}
	id, secret, parsed := parseToken(token, m.keys)
	switch parsed {
	case tokenMalformed:
		return verdictMalformed, nil
	case tokenForged:
		m.forged(ctx, ID{}, "")
		return verdictForged, nil
	case tokenGood:
	}
	m.counters.add(countLoads)
	rec, err := m.store.Load(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return verdictUnknown, nil
	}
	if err != nil {
		return verdictUnknown, m.storeError("load", id, err)
	}
	st, ok := stateOf(&rec)
	if !ok {
		return verdictMalformed, nil // written by another version: not ours to clear
	}
	hash := secret.hash()
	if subtle.ConstantTimeCompare(hash[:], st.env.hash[:]) != 1 {
		m.forged(ctx, id, st.userID)
		return verdictForged, nil
	}
	if st.expires <= now() {
		return verdictUnknown, nil
	}
	s.base, s.data, s.secret = st, st.data, secret
	return verdictGood, nil
}

func (m *Manager[T]) forged(ctx context.Context, id ID, userID string) {
	m.counters.add(countForged)
	m.event(ctx, Event{Kind: EventForged, ID: id, UserID: userID})
}

// admit asks Check and moves the expiry of a verified session. On any other verdict s is anonymous again.
func (m *Manager[T]) admit(ctx context.Context, s *Session[T]) (verdict, error) {
	found, err := m.check(ctx, s)
	if err == nil && found == verdictGood {
		found = m.touch(ctx, s)
	}
	if err != nil || found != verdictGood {
		s.base, s.data, s.secret, s.send = state{}, nil, secret{}, false
	}
	return found, err
}

func (m *Manager[T]) check(ctx context.Context, s *Session[T]) (verdict, error) {
	if m.opts.Check == nil || s.base.userID == "" {
		return verdictGood, nil
	}
	err := m.opts.Check(ctx, m.info(&s.base))
	if err == nil {
		return verdictGood, nil
	}
	if !errors.Is(err, ErrRevoked) {
		return verdictUnknown, fmt.Errorf("%w: check: %w", ErrUnavailable, err)
	}
	if !m.clientSide() {
		m.counters.add(countRemoves)
		if err := m.store.Remove(ctx, s.base.id); err != nil {
			m.counters.add(countStoreErrors) // still refused here; the next request asks again
		}
	}
	m.event(ctx, Event{Kind: EventRevoked, ID: s.base.id, UserID: s.base.userID})
	if m.clientSide() {
		return verdictUnknown, nil
	}
	return verdictForged, nil // the store has it until now: the cookie stays for this response
}

// touch moves the expiry if it lags behind. Only "no such session" ends the request's session; another failure
// costs nothing but a session that may end early.
func (m *Manager[T]) touch(ctx context.Context, s *Session[T]) verdict {
	expires, due := m.due(&s.base, now())
	if !due {
		m.counters.add(countTouchesSkipped)
		return verdictGood
	}
	if m.clientSide() {
		s.base.expires, s.send = expires, true
		return verdictGood
	}
	m.counters.add(countTouches)
	switch err := m.store.Touch(ctx, s.base.id, timeOf(expires)); {
	case errors.Is(err, ErrNotFound):
		return verdictUnknown
	case err != nil:
		m.counters.add(countStoreErrors)
	default:
		s.base.expires = expires
	}
	return verdictGood
}
