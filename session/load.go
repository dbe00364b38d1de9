package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// request is what one request under Handler has: it is the context that next sees and owns the response writer.
type request[T any] struct {
	m       *Manager[T]
	r       *http.Request // as it came, with the context around this one
	writer  writer
	session atomic.Pointer[Session[T]] // published by load, complete; read by Get and by the writer
}

// Value finds the request by its manager, so that managers of any number nest.
func (q *request[T]) Value(key any) any {
	if m, ok := key.(*Manager[T]); ok && m == q.m {
		return q
	}
	return q.r.Context().Value(key)
}

// Deadline implements context.Context.
func (q *request[T]) Deadline() (time.Time, bool) { return q.r.Context().Deadline() }

// Done implements context.Context.
func (q *request[T]) Done() <-chan struct{} { return q.r.Context().Done() }

// Err implements context.Context.
func (q *request[T]) Err() error { return q.r.Context().Err() }

func (m *Manager[T]) request(ctx context.Context) *request[T] {
	q, _ := ctx.Value(m).(*request[T])
	return q
}

func (q *request[T]) load(ctx context.Context) (*Session[T], error) {
	h := &q.writer.holds
	h.acquire(&h.load) // parallel Gets load once
	defer h.release(&h.load)
	if s := q.session.Load(); s != nil {
		return s, s.got()
	}
	s := &Session[T]{m: q.m, q: q, ctx: q.r.Context()}
	defer func() {
		if s.rotating {
			h.release(&h.header)
		}
	}()
	if err := q.m.identify(ctx, s, q.r); err != nil {
		failed := q.m.readOnly(q.r.Context(), err) //nolint:contextcheck // the session outlives the caller of this Get
		if ctx.Err() != nil {
			return failed, err // the caller gave up, not the store: another Get may try again
		}
		failed.q = q
		q.session.Store(failed)
		return failed, err
	}
	q.session.Store(s)
	if q.writer.sent.Load() { // the writer sets sent before it looks for a session: one of the two seals it
		s.seal()
	}
	return s, s.got()
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
	stale := -1 // transport that brought an ID that the store does not have
	forged := false
	tries := 0
	for i, t := range m.transports {
		for j := 0; tries < maxCandidates; j++ {
			token, ok := t.Token(r, j)
			if !ok {
				break
			}
			tries++
			found, err := m.open(ctx, s, token, uint8(i))
			if err != nil {
				return err
			}
			switch found {
			case verdictGood:
				s.via, s.clear = uint8(i), false
				return nil
			case verdictUnknown:
				stale = i
			case verdictForged:
				forged = true
			case verdictMalformed:
			}
		}
	}
	// With a wrong secret nothing is cleared: a login in another tab may just have replaced it.
	if stale >= 0 && !forged {
		s.via, s.clear = uint8(stale), true
	}
	return nil
}

// open verifies a token, asks Check and counts the use. On any verdict but good, s is anonymous.
func (m *Manager[T]) open(ctx context.Context, s *Session[T], token string, via uint8) (verdict, error) {
	found, t, err := m.verify(ctx, s, token, via)
	if err != nil || found != verdictGood {
		return found, err
	}
	switch found, err = m.check(ctx, s); {
	case err != nil || found != verdictGood:
	case m.rotates(s, t):
		found = m.rotate(ctx, s, t)
	default:
		found = m.touch(ctx, s, t)
	}
	if err != nil || found != verdictGood {
		s.base, s.data, s.tok, s.send, s.old = state{}, "", "", false, false
	}
	return found, err
}

// verify fills in s if the token is good, and tells the time it went by. It asks the store only if the token has
// the right form and tag.
func (m *Manager[T]) verify(ctx context.Context, s *Session[T], token string, via uint8) (verdict, int64, error) {
	if m.clientSide() {
		t := now()
		return m.unseal(ctx, s, token, via, t), t, nil
	}
	token, version := cutStamp(token)
	id, secret, parsed := parseToken(token, m.keys)
	switch parsed {
	case tokenMalformed:
		return verdictMalformed, 0, nil
	case tokenForged:
		m.forged(ctx, ID{}, "")
		return verdictForged, 0, nil
	case tokenGood:
	}
	st := &s.base
	t, ok, err := m.read(ctx, id, version, st)
	hash := secret.hash()
	if ok && m.outdated(st, &hash) {
		version, *st = st.version+1, state{}
		t, ok, err = m.read(ctx, id, version, st)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		*st = state{}
		return verdictUnknown, t, nil
	case err != nil:
		return verdictUnknown, t, m.storeError("load", id, err)
	case !ok:
		*st = state{}
		return verdictMalformed, t, nil // written by another version: not ours to clear
	case st.expires <= t:
		*st = state{}
		return verdictUnknown, t, nil
	}
	found, old := m.secretVerdict(ctx, st, &hash, t)
	if found != verdictGood {
		*st = state{}
		return found, t, nil
	}
	s.data, s.tok, s.old = st.data, token, old
	return verdictGood, t, nil
}

// local is a store of this process that can show its records and take new ones without a copy in between: a
// payload that is a string cannot be changed by who sees it.
type local interface {
	lend(ctx context.Context, id ID, now int64, st *state) (payload string, err error)
	put(st *state, now int64) error
}

// read loads a session into st, which is zero before, and tells the time: that of the call or, after I/O, the time
// since. ok is false if the envelope is not one of ours. From replicas it wants at least that version.
func (m *Manager[T]) read(ctx context.Context, id ID, version uint64, st *state) (t int64, ok bool, err error) {
	m.counters.add(countLoads)
	if m.local != nil {
		t = now()
		payload, err := m.local.lend(ctx, id, t, st)
		return t, err == nil && st.decode(payload), err
	}
	rec, found, err := m.fresh(ctx, id, version)
	if found {
		*st, ok = stateOf(&rec)
	}
	return now(), ok, err
}

func (m *Manager[T]) forged(ctx context.Context, id ID, userID string) {
	m.counters.add(countForged)
	m.event(ctx, Event{Kind: EventForged, ID: id, UserID: userID})
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
func (m *Manager[T]) touch(ctx context.Context, s *Session[T], now int64) verdict {
	expires, due := m.due(&s.base, now)
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
