package httplimit

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// Headers chooses the fields that announce the limit.
type Headers uint8

// The choices of Headers.
const (
	AllHeaders Headers = iota // X-RateLimit-* and the two IETF fields
	XRateLimit                // X-RateLimit-Limit, -Remaining and -Reset
	IETF                      // RateLimit-Policy and RateLimit
	NoHeaders                 // login forms: do not tell how many tries remain; Retry-After stays
)

// Reset chooses what X-RateLimit-Reset and error.context.renewal count.
type Reset uint8

// The choices of Reset.
const (
	UnixMillis   Reset = iota // milliseconds since 1970
	UnixSeconds               // seconds since 1970, as GitHub counts
	DeltaSeconds              // seconds from now
)

// Options of New. The zero value limits each client address, announces the limit in all headers and serves when the
// backend fails.
type Options struct {
	// Key returns whose limit the request counts against; ok false means that it is not limited. nil: ByIP(). Key by
	// the verified identity where there is one: a key from an unauthenticated header is chosen by the client.
	Key func(*http.Request) (key string, ok bool)
	// Cost returns how many tokens the request costs; what is not positive counts as 0. nil: 1.
	Cost func(*http.Request) int
	// Headers chooses the announcing fields. Zero: AllHeaders.
	Headers Headers
	// Reset chooses what X-RateLimit-Reset and error.context.renewal count. Zero: UnixMillis.
	Reset Reset
	// Code is error.code of the envelope. "": "429".
	Code string
	// Deny answers a denied request; the headers are set already. nil: 429 with the envelope. See also Problem.
	Deny func(http.ResponseWriter, *http.Request, ratelimit.Decision)
	// FailClosed decides what happens when the backend fails: false, the request is served; true, it gets a 503.
	FailClosed bool
	// OnError decides in the place of FailClosed when the backend fails. It sets headers, if it likes, and returns true:
	// the request is served. Or it answers the request and returns false. nil: FailClosed decides. With Shadow it is not
	// asked, nor about a request whose own context is done.
	OnError func(http.ResponseWriter, *http.Request, error) (serve bool)
	// Shadow decides and reports, but never denies and announces nothing: a dry run.
	Shadow bool
	// Observe is told every decision, and the backend's error if there is one. nil: nobody is told.
	Observe func(*http.Request, ratelimit.Decision, error)
}

// limiter is the middleware without its next handler.
type limiter struct {
	backend ratelimit.Backend
	o       Options
	texts   texts

	envelope envelope
}

// New returns middleware that asks b about every request: it takes the key and the cost, sets the headers, and calls
// the next handler or Deny. The error is an ErrInvalid for a nil backend and for an unknown Headers or Reset value.
func New(b ratelimit.Backend, o Options) (func(http.Handler) http.Handler, error) {
	switch {
	case b == nil:
		return nil, fmt.Errorf("%w: the backend is nil", ErrInvalid)
	case o.Headers > NoHeaders:
		return nil, fmt.Errorf("%w: Options.Headers %d, must be at most %d", ErrInvalid, o.Headers, NoHeaders)
	case o.Reset > DeltaSeconds:
		return nil, fmt.Errorf("%w: Options.Reset %d, must be at most %d", ErrInvalid, o.Reset, DeltaSeconds)
	}
	if o.Key == nil {
		o.Key = ByIP()
	}
	if o.Code == "" {
		o.Code = "429"
	}
	m := &limiter{backend: b, o: o, envelope: newEnvelope(o.Code)}
	m.texts.update(b.Limits())
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}, nil
}

func (m *limiter) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	key, ok := m.o.Key(r)
	if !ok {
		next.ServeHTTP(w, r)
		return
	}
	cost := 1
	if m.o.Cost != nil {
		cost = max(0, m.o.Cost(r))
	}
	d, err := m.backend.Take(r.Context(), key, cost)
	if m.o.Observe != nil {
		m.o.Observe(r, d, err)
	}
	switch {
	case err != nil:
		m.failed(w, r, next, err)
	case m.o.Shadow:
		next.ServeHTTP(w, r)
	default:
		now := time.Now()
		m.announce(w.Header(), d, now)
		switch {
		case d.OK:
			next.ServeHTTP(w, r)
		case m.o.Deny != nil:
			m.o.Deny(w, r, d)
		default:
			m.deny(w, r, d, now)
		}
	}
}

// failed serves or refuses a request that could not be decided. A request whose own context is done has nobody waiting
// for an answer.
func (m *limiter) failed(w http.ResponseWriter, r *http.Request, next http.Handler, err error) {
	switch {
	case r.Context().Err() != nil:
	case m.o.OnError != nil && !m.o.Shadow:
		if m.o.OnError(w, r, err) {
			next.ServeHTTP(w, r)
		}
	case m.o.Shadow || !m.o.FailClosed:
		next.ServeHTTP(w, r)
	default:
		m.envelope.write(w, r, http.StatusServiceUnavailable, []byte(`"503"`),
			"Rate limiting is not available. Try again later.", 0, -1)
	}
}
