package redislimit

import "errors"

var (
	// ErrInvalid is wrapped by every error of New; the text names the argument or the field and its limit.
	ErrInvalid = errors.New("redislimit: invalid argument")
	// ErrUnavailable is wrapped when Redis could not be asked in time or the breaker is open; the cause is wrapped too.
	ErrUnavailable = errors.New("redislimit: Redis is unavailable")
	// ErrReply is wrapped when a reply does not have the shape that the script returns. It never means "allowed".
	ErrReply = errors.New("redislimit: unexpected reply")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("redislimit: closed")
)
