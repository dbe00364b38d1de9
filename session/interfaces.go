package session

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// One type for each combination of the optional interfaces, so that a type assertion on our writer tells what one
// on the wrapped writer would. Each type is one pointer wide and converts to an interface without an allocation.
// f = Flusher, h = Hijacker, p = Pusher, r = ReaderFrom.
type (
	wF    struct{ *writer }
	wH    struct{ *writer }
	wP    struct{ *writer }
	wR    struct{ *writer }
	wFH   struct{ wF }
	wFP   struct{ wF }
	wFR   struct{ wF }
	wHP   struct{ wH }
	wHR   struct{ wH }
	wPR   struct{ wP }
	wFHP  struct{ wFH }
	wFHR  struct{ wFH }
	wFPR  struct{ wFP }
	wHPR  struct{ wHP }
	wFHPR struct{ wFHP }
)

func (w wF) Flush()            { _ = w.flush() }
func (w wF) FlushError() error { return w.flush() }

func (w wH) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w wFH) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w wP) Push(target string, o *http.PushOptions) error   { return w.push(target, o) }
func (w wFP) Push(target string, o *http.PushOptions) error  { return w.push(target, o) }
func (w wHP) Push(target string, o *http.PushOptions) error  { return w.push(target, o) }
func (w wFHP) Push(target string, o *http.PushOptions) error { return w.push(target, o) }

func (w wR) ReadFrom(src io.Reader) (int64, error)    { return w.readFrom(src) }
func (w wFR) ReadFrom(src io.Reader) (int64, error)   { return w.readFrom(src) }
func (w wHR) ReadFrom(src io.Reader) (int64, error)   { return w.readFrom(src) }
func (w wPR) ReadFrom(src io.Reader) (int64, error)   { return w.readFrom(src) }
func (w wFHR) ReadFrom(src io.Reader) (int64, error)  { return w.readFrom(src) }
func (w wFPR) ReadFrom(src io.Reader) (int64, error)  { return w.readFrom(src) }
func (w wHPR) ReadFrom(src io.Reader) (int64, error)  { return w.readFrom(src) }
func (w wFHPR) ReadFrom(src io.Reader) (int64, error) { return w.readFrom(src) }

func (w *writer) push(target string, o *http.PushOptions) error {
	p, ok := w.inner.(http.Pusher)
	if !ok {
		return http.ErrNotSupported
	}
	return p.Push(target, o)
}

func (w *writer) readFrom(src io.Reader) (int64, error) {
	if err := w.commit(); err != nil {
		return 0, err
	}
	r, ok := w.inner.(io.ReaderFrom)
	if !ok {
		return 0, http.ErrNotSupported
	}
	return r.ReadFrom(src)
}

const (
	hasFlush = 1 << iota
	hasHijack
	hasPush
	hasReadFrom
)

// wrap returns the writer with the optional interfaces of the wrapped one.
func (w *writer) wrap() http.ResponseWriter {
	has := 0
	if _, ok := w.inner.(http.Flusher); ok {
		has |= hasFlush
	}
	if _, ok := w.inner.(http.Hijacker); ok {
		has |= hasHijack
	}
	if _, ok := w.inner.(http.Pusher); ok {
		has |= hasPush
	}
	if _, ok := w.inner.(io.ReaderFrom); ok {
		has |= hasReadFrom
	}
	return w.with(has)
}

func (w *writer) with(has int) http.ResponseWriter {
	f, h, p := wF{w}, wH{w}, wP{w}
	switch has {
	case hasFlush:
		return f
	case hasHijack:
		return h
	case hasPush:
		return p
	case hasReadFrom:
		return wR{w}
	case hasFlush | hasHijack:
		return wFH{f}
	case hasFlush | hasPush:
		return wFP{f}
	case hasFlush | hasReadFrom:
		return wFR{f}
	case hasHijack | hasPush:
		return wHP{h}
	case hasHijack | hasReadFrom:
		return wHR{h}
	case hasPush | hasReadFrom:
		return wPR{p}
	case hasFlush | hasHijack | hasPush:
		return wFHP{wFH{f}}
	case hasFlush | hasHijack | hasReadFrom:
		return wFHR{wFH{f}}
	case hasFlush | hasPush | hasReadFrom:
		return wFPR{wFP{f}}
	case hasHijack | hasPush | hasReadFrom:
		return wHPR{wHP{h}}
	case hasFlush | hasHijack | hasPush | hasReadFrom:
		return wFHPR{wFHP{wFH{f}}}
	}
	return w
}
