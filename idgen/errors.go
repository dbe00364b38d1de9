package idgen

import "errors"

// The errors of the package. Callers branch with errors.Is; every returned error wraps one of these, an error of
// the context, or an error of the store.
var (
	// ErrInvalid reports invalid options; the text names the field and its limit.
	ErrInvalid = errors.New("idgen: invalid argument")
	// ErrSyntax reports malformed text.
	ErrSyntax = errors.New("idgen: malformed text")
	// ErrRange reports something well-formed that is not a value of this type or layout.
	ErrRange = errors.New("idgen: value out of range")
	// ErrOverflow reports that the time field, counter, stride or sequence is used up.
	ErrOverflow = errors.New("idgen: numbers used up")
	// ErrExhausted reports that no slot is free within the allowed wait.
	ErrExhausted = errors.New("idgen: no free slot within the allowed wait")
	// ErrClock reports a clock that went back too far, stands before the epoch, or differs from the store's.
	ErrClock = errors.New("idgen: clock not usable")
	// ErrNoWorker reports that every worker number is in use.
	ErrNoWorker = errors.New("idgen: every worker number is in use")
	// ErrLeaseLost reports a lease that ended and could not be renewed.
	ErrLeaseLost = errors.New("idgen: lease lost")
	// ErrRegressed reports a counter that returned numbers it had returned before.
	ErrRegressed = errors.New("idgen: counter went back")
	// ErrClosed reports that Close was called, or that the value was not made by a constructor.
	ErrClosed = errors.New("idgen: generator closed")
)
