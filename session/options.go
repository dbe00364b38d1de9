package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Options configure a Manager. The zero value is the right choice for a service behind HTTPS.
type Options struct {
	// IdleTimeout ends a session that no request has used for this long. 0 = 30 min (or AbsoluteTimeout
	// if that is shorter); negative = no limit; else 1 s … AbsoluteTimeout.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session this long after its login (after its creation while anonymous),
	// however busy it is. 0 = 24 h; else 1 s … 400 days.
	AbsoluteTimeout time.Duration
	// MaxBytes limits the encoded data; a larger Update returns ErrTooLarge. 0 = 64 KiB, on the client
	// side what fits into a cookie of 4096 octets; else 1 … 16 MiB.
	MaxBytes int

	// Transport carries the token between browser and server. nil = Cookie{}.
	Transport Transport
	// Codec encodes T. nil = encoding/json.
	Codec Codec
	// Keys, if set, puts a keyed tag into every token, so that a made-up token is refused without asking the
	// store. Untagged tokens are then refused. Must be nil for NewClientSide, which has its own.
	Keys *Keyring
	// CrossOrigin decides which other origins may send unsafe requests with a session that the browser
	// attaches by itself. nil = none.
	CrossOrigin *http.CrossOriginProtection

	// Check is asked once per request that loads a logged-in session, for example whether the password was
	// changed after info.AuthTime. An error that is ErrRevoked ends the session; any other makes Get return
	// ErrUnavailable.
	Check func(ctx context.Context, info Info) error
	// OnEvent is called after the fact, on the goroutine that caused it; it must be quick.
	OnEvent func(ctx context.Context, e Event)
	// ErrorHandler answers requests that fail outside the handler: cross-origin (403), login required or
	// revoked (401), conflict (409), too large (413), store down (503 with Retry-After), else 500. The
	// default sends the text of the status, never that of the error.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)

	// MaxPerUser limits the sessions of one user; a login beyond it ends the oldest login. 0 = no limit. Needs a
	// store with UserIndexer. If the store fails after the login has been saved, the login stands and the next
	// one makes up for it. Of parallel logins, one that is itself beyond the limit returns ErrRevoked.
	MaxPerUser int
	// Rotation replaces the secrets of living sessions now and then. Zero = only at Login and Renew.
	Rotation Rotation
}

const (
	minTimeout     = time.Second
	defaultIdle    = 30 * time.Minute
	defaultLife    = 24 * time.Hour
	defaultBytes   = 64 << 10
	limitBytes     = 16 << 20
	commitTime     = 5 * time.Second // for an automatic commit, and for replays
	maxTouchPeriod = time.Minute
	// clockSlack is how far in the future a sealed session may have been issued: clocks of a fleet differ.
	clockSlack = 5 * time.Minute
)

// resolve fills in the defaults. idle is negative where there is no limit.
func (o *Options) resolve(clientSide bool) error {
	life, err := absoluteTimeout(o.AbsoluteTimeout, defaultLife)
	if err != nil {
		return err
	}
	o.AbsoluteTimeout = life
	if o.IdleTimeout, err = idleTimeout(o.IdleTimeout, min(defaultIdle, life), life); err != nil {
		return err
	}
	switch {
	case o.MaxBytes < 0 || o.MaxBytes > limitBytes:
		return fmt.Errorf("%w: MaxBytes %d, want 1 … %d (0 = default)", ErrInvalid, o.MaxBytes, limitBytes)
	case o.MaxBytes == 0 && clientSide:
		o.MaxBytes = limitBytes // the cookie is the limit, see Session.fits
	case o.MaxBytes == 0:
		o.MaxBytes = defaultBytes
	}
	if clientSide && o.Keys != nil {
		return fmt.Errorf("%w: Keys must be nil on the client side, whose keys are an argument", ErrInvalid)
	}
	if err := o.resolveLimits(clientSide); err != nil {
		return err
	}
	if o.Transport == nil {
		o.Transport = Cookie{}
	}
	for _, t := range flatten(o.Transport) {
		if err := validTransport(t); err != nil {
			return err
		}
	}
	if o.Codec == nil {
		o.Codec = jsonCodec{}
	}
	if o.CrossOrigin == nil {
		o.CrossOrigin = new(http.CrossOriginProtection)
	}
	if o.ErrorHandler == nil {
		o.ErrorHandler = defaultErrorHandler
	}
	return nil
}

func (o *Options) resolveLimits(clientSide bool) error {
	switch {
	case o.MaxPerUser < 0:
		return fmt.Errorf("%w: MaxPerUser %d is negative", ErrInvalid, o.MaxPerUser)
	case clientSide && o.MaxPerUser > 0:
		return fmt.Errorf("%w: MaxPerUser must be 0 on the client side, where nobody counts", ErrInvalid)
	case clientSide && o.Rotation != (Rotation{}):
		return fmt.Errorf("%w: Rotation must be zero on the client side, where there is no secret to replace", ErrInvalid)
	}
	return o.Rotation.resolve(o.AbsoluteTimeout)
}

func absoluteTimeout(d, ifZero time.Duration) (time.Duration, error) {
	if d == 0 {
		return ifZero, nil
	}
	if d < minTimeout || d > maxAge {
		return 0, fmt.Errorf("%w: AbsoluteTimeout %v, want %v … 400 days", ErrInvalid, d, minTimeout)
	}
	return d, nil
}

func idleTimeout(d, ifZero, absolute time.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		return ifZero, nil
	case d < 0:
		return -1, nil
	case d < minTimeout || d > absolute:
		return 0, fmt.Errorf("%w: IdleTimeout %v, want %v … AbsoluteTimeout (%v)", ErrInvalid, d, minTimeout, absolute)
	}
	return d, nil
}

func defaultErrorHandler(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrCrossOrigin):
		status = http.StatusForbidden
	case errors.Is(err, ErrLoginRequired), errors.Is(err, ErrRevoked):
		status = http.StatusUnauthorized
	case errors.Is(err, ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrFull):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}
