package lru

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid is wrapped by the errors of New, Resize and NewCurve; the text names the field and its limit.
	ErrInvalid = errors.New("lru: invalid argument")
	// ErrNotFound is what a loader returns for a key that does not exist, and what Fetch then returns.
	ErrNotFound = errors.New("lru: key not found")
	// ErrNoLoader is returned by Fetch, FetchMany and Refresh without Options.Load and Options.LoadMany.
	ErrNoLoader = errors.New("lru: no loader")
	// ErrRecursion is returned to a loader that asks for the key that it is loading.
	ErrRecursion = errors.New("lru: loader asked for the key it is loading")
	// ErrClosed is returned by the loading calls after Close.
	ErrClosed = errors.New("lru: cache is closed")
	// ErrCorrupt is wrapped by the errors about bytes that are damaged, or are not what they should be.
	ErrCorrupt = errors.New("lru: corrupt data")
)

// PanicError is what the callers of a load get when the loader panicked or ended its goroutine.
type PanicError struct {
	Value any    // what the loader panicked with; nil: it called runtime.Goexit
	Stack []byte // of the loader, as debug.Stack prints it
}

// Error shows the value; the stack is left to the caller.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "lru: loader called runtime.Goexit"
	}
	return fmt.Sprintf("lru: loader panicked: %v", e.Value)
}

// Unwrap returns Value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
