package session

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// hooks is the request that owns a writer.
type hooks interface {
	// beforeHeader commits and adds our fields to h. It is called once, on the goroutine that writes.
	beforeHeader(h http.Header) error
	// answer sends the page for err through the wrapped writer.
	answer(w http.ResponseWriter, err error)
	// afterHandler commits what came after the header.
	afterHandler()
}

// writer commits before the header leaves and refuses the handler's page if that fails. Only the goroutine that
// writes changes the header map: a handler under http.TimeoutHandler may be running on another.
type writer struct {
	inner http.ResponseWriter
	hooks hooks
	err   error // of the commit; published by done
	holds holds
	sent  atomic.Bool // set before the commit, by the goroutine that writes; read by Get
	done  atomic.Bool // set after it; read by every later write
}

// commit runs the hooks at the first call and returns the error of the commit at every call.
func (w *writer) commit() error {
	if !w.done.Load() {
		w.commitOnce()
	}
	return w.err
}

func (w *writer) commitOnce() {
	w.holds.acquire(&w.holds.header)
	defer w.holds.release(&w.holds.header)
	if w.sent.Load() {
		return // by another goroutine; if it panicked, w.err says so
	}
	w.sent.Store(true)
	w.err = ErrUnavailable // should an update function panic while it is replayed
	h := w.inner.Header()
	err := w.hooks.beforeHeader(h)
	if err != nil {
		w.err = err
		w.hooks.answer(w.inner, err)
	}
	w.err = err
	w.done.Store(true)
}

func (w *writer) finish() {
	if w.sent.Load() {
		if w.done.Load() { // else the commit has panicked, and the handler has recovered
			w.hooks.afterHandler()
		}
		return
	}
	_ = w.commit() // an error has been answered
}

// Header is that of the wrapped writer.
func (w *writer) Header() http.Header { return w.inner.Header() }

// WriteHeader passes 1xx through, which are not the response yet, except 101, which is.
func (w *writer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.inner.WriteHeader(status)
		return
	}
	if w.commit() == nil {
		w.inner.WriteHeader(status)
	}
}

// Write returns the error of the commit, if there was one, and then sends nothing.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.commit(); err != nil {
		return 0, err
	}
	return w.inner.Write(p)
}

// WriteString saves the copy where the wrapped writer can.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.commit(); err != nil {
		return 0, err
	}
	return io.WriteString(w.inner, s)
}

// Unwrap lets http.ResponseController reach what we do not implement. What must not happen without a commit is
// never reached that way.
func (w *writer) Unwrap() http.ResponseWriter {
	_, hijacks := w.inner.(http.Hijacker)
	_, flushes := w.inner.(http.Flusher)
	if hijacks && flushes {
		return w.inner
	}
	return guard{w}
}

func (w *writer) flush() error {
	if err := w.commit(); err != nil {
		return err
	}
	return http.NewResponseController(w.inner).Flush()
}

func (w *writer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := w.commit(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(w.inner).Hijack()
}

// guard stands between a writer and a wrapped one that flushes or hijacks only deeper inside (some middleware
// offers Unwrap alone), or by FlushError alone.
type guard struct{ w *writer }

func (g guard) Header() http.Header         { return g.w.Header() }
func (g guard) WriteHeader(status int)      { g.w.WriteHeader(status) }
func (g guard) Write(p []byte) (int, error) { return g.w.Write(p) }
func (g guard) Unwrap() http.ResponseWriter { return g.w.inner }

func (g guard) FlushError() error {
	if !reaches(g.w.inner, func(w http.ResponseWriter) bool {
		_, ok := w.(interface{ FlushError() error })
		_, flushes := w.(http.Flusher)
		return ok || flushes
	}) {
		return http.ErrNotSupported // and nothing is committed
	}
	return g.w.flush()
}

func (g guard) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !reaches(g.w.inner, func(w http.ResponseWriter) bool { _, ok := w.(http.Hijacker); return ok }) {
		return nil, nil, http.ErrNotSupported
	}
	return g.w.hijack()
}

// reaches tells whether w or a writer inside it has what http.ResponseController looks for.
func reaches(w http.ResponseWriter, has func(http.ResponseWriter) bool) bool {
	for {
		if has(w) {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}
