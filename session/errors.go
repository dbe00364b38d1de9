package session

import "errors"

// Errors of the package, to be tested with errors.Is.
var (
	ErrInvalid       = errors.New("session: invalid option")                      // a bad option or argument; the text names it and its limit
	ErrNotFound      = errors.New("session: no such session")                     // unknown, expired, or not of that user
	ErrConflict      = errors.New("session: another request kept saving first")   // of a store: the version differs; of a session: still so after 5 s
	ErrRevoked       = errors.New("session: ended or renewed by another request") // what was in flight is dropped
	ErrCommitted     = errors.New("session: response header already sent")        // the change needs a cookie that can no longer be sent
	ErrTooLarge      = errors.New("session: data too large")                      // the text has size and limit
	ErrFull          = errors.New("session: store full")                          // and everything in it belongs to somebody logged in
	ErrForged        = errors.New("session: not made with these keys")            // or changed since
	ErrUnavailable   = errors.New("session: store unavailable")                   // wraps the cause
	ErrNoMiddleware  = errors.New("session: request did not pass Handler")        // Get with a context of another origin
	ErrCrossOrigin   = errors.New("session: cross-origin request")                // refused before the handler
	ErrLoginRequired = errors.New("session: login required")                      // RequireLogin
)
