package session

import (
	"net/http"
	"strings"
)

// beforeHeader implements hooks. A request that never called Get pays one atomic load.
func (q *request[T]) beforeHeader(h http.Header) error {
	s := q.session.Load()
	if s == nil {
		return nil
	}
	pending, silent := s.seal()
	if silent {
		s.vary(h)
		return nil
	}
	var err error
	if pending {
		err = q.commit(s)
	}
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
	if s.clean() {
		return
	}
	if err := q.commit(s); err != nil {
		q.failed(s, err)
	}
}

// commit stores what is pending. A client that has gone away must not lose the update it caused.
func (q *request[T]) commit(s *Session[T]) error {
	return s.commit(q.r.Context(), nil, true)
}

func (q *request[T]) failed(s *Session[T], err error) {
	q.m.counters.add(countCommitErrors)
	q.m.event(q.r.Context(), Event{Kind: EventCommitFailed, ID: s.ID(), UserID: s.UserID(), Err: err})
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
// goes before the header. pending tells whether there is something to commit, silent that the header needs nothing
// but Vary.
func (s *Session[T]) seal() (pending, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending = len(s.pending) > 0
	s.sealed = true
	s.creating = s.creating || pending
	return pending, !pending && !s.send && !s.clear
}

// vary says that the answer depends on what the transports read.
func (s *Session[T]) vary(h http.Header) {
	for _, name := range s.m.vary {
		addVary(h, name)
	}
}

// headers adds what the session has to say to the header.
func (s *Session[T]) headers(h http.Header) {
	s.vary(h)
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
		s.transport().Send(h, token, deadline, remember)
		if _, set := h["Cache-Control"]; !set {
			h.Set("Cache-Control", "no-store")
		}
	case clears:
		s.transport().Clear(h)
	}
}
