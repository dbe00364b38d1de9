package session

import (
	"context"
	"net/http"
	"strings"
)

// beforeHeader implements hooks. A request that never called Get pays one atomic load.
func (q *request[T]) beforeHeader(h http.Header) error {
	s := q.session.Load()
	if s == nil {
		return nil
	}
	s.seal()
	err := q.commit(s)
	if err != nil {
		q.failed(s, err)
		s.fail(outcomeDrop, err) // it has been answered: the end of the handler must not try again
		takeBack(h)
	}
	// Also after a failure: the token of a login that has committed is the only one that is still good.
	s.headers(h)
	return err
}

func (q *request[T]) answer(w http.ResponseWriter, err error) {
	q.m.opts.ErrorHandler(w, q.r, err)
}

func (q *request[T]) afterHandler() {
	s := q.session.Load()
	if s == nil {
		return
	}
	if err := q.commit(s); err != nil {
		q.failed(s, err)
	}
}

// commit stores what is pending. A client that has gone away must not lose the update it caused.
func (q *request[T]) commit(s *Session[T]) error {
	if s.clean() {
		return nil
	}
	return s.commit(context.WithoutCancel(q.Context), nil)
}

func (q *request[T]) failed(s *Session[T], err error) {
	q.m.counters.add(countCommitErrors)
	q.m.event(q.Context, Event{Kind: EventCommitFailed, ID: s.ID(), UserID: s.UserID(), Err: err})
}

// takeBack removes what describes the handler's body, which will not be sent.
func takeBack(h http.Header) {
	for name := range h {
		switch {
		case strings.HasPrefix(name, "Content-"), name == "Etag", name == "Last-Modified", name == "Cache-Control", name == "Location":
			delete(h, name)
		}
	}
}

// seal says that the header is on its way: from now on nothing may need a new cookie, except the commit that
// goes before the header.
func (s *Session[T]) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	s.creating = s.creating || len(s.pending) > 0
}

// headers adds what the session has to say to the header.
func (s *Session[T]) headers(h http.Header) {
	for _, t := range s.m.transports {
		addVary(h, t)
	}
	s.mu.Lock()
	send, clears, token := s.send, s.clear, ""
	deadline, remember := timeOf(s.base.deadline), s.base.env.remember
	if send {
		token = s.token()
	}
	s.send, s.clear = false, false
	s.mu.Unlock()
	switch {
	case send:
		s.transport.Send(h, token, deadline, remember)
		if _, set := h["Cache-Control"]; !set {
			h.Set("Cache-Control", "no-store")
		}
	case clears:
		s.transport.Clear(h)
	}
}
