package ratelimit

import (
	"context"
	"errors"
)

var (
	// ErrInvalid is wrapped by every error about a Limit, an option or an argument that is out of range; the text names
	// the field and its limit.
	ErrInvalid = errors.New("ratelimit: invalid argument")
	// ErrLimited is what errors.Is finds in Decision.Err of a denial.
	ErrLimited = errors.New("ratelimit: limit exceeded")
	// ErrExceedsBurst is returned by WaitN for more tokens than a bucket holds: waiting cannot help.
	ErrExceedsBurst = errors.New("ratelimit: more tokens than the burst")
	// ErrDeadline is returned by Wait, at once and uncharged, when the context ends before the turn would come, or when
	// the turn would never come. It also is context.DeadlineExceeded.
	ErrDeadline error = deadlineError{}
)

// deadlineError makes ErrDeadline match context.DeadlineExceeded, as callers that already handle contexts expect.
type deadlineError struct{}

func (deadlineError) Error() string   { return "ratelimit: the context ends before the turn would come" }
func (deadlineError) Is(t error) bool { return t == context.DeadlineExceeded }
func (deadlineError) Timeout() bool   { return true }
func (deadlineError) Temporary() bool { return true }
