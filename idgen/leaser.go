package idgen

import (
	"context"
	"fmt"
	"time"
)

// Grant permits the IDs of one worker whose time lies in [From, Until).
type Grant struct {
	Worker      uint32
	Token       int64 // increases with every change of holder
	From, Until time.Time
}

// Leaser assigns worker numbers. It promises one thing: the windows it grants for a worker to different holders never
// overlap. Implementations pass idgentest.TestLeaser.
type Leaser interface {
	// Acquire asks for [from, until) of any worker below workers; from is the caller's clock. A window starts no
	// earlier than the worker's last one ended, and is as long as asked. The number unused for longest is preferred.
	// ErrNoWorker, ErrClock; a window that is empty or longer than 24h is ErrInvalid.
	Acquire(ctx context.Context, workers uint32, from, until time.Time) (Grant, error)
	// Extend moves the end of a held window; it never shortens it. ErrLeaseLost.
	Extend(ctx context.Context, g Grant, until time.Time) (Grant, error)
	// Release ends the window at used (nothing at or after it was issued) and with it the grant. ErrLeaseLost.
	Release(ctx context.Context, g Grant, used time.Time) error
}

// maxWindow bounds what one bad clock can block.
const maxWindow = 24 * time.Hour

// checkWindow is what every Leaser refuses.
func checkWindow(workers uint32, from, until time.Time) error {
	switch length := until.Sub(from); {
	case workers == 0:
		return fmt.Errorf("%w: workers is 0, at least 1", ErrInvalid)
	case length <= 0 || length > maxWindow:
		return fmt.Errorf("%w: window of %v, above 0 and at most %v", ErrInvalid, length, maxWindow)
	}
	return nil
}

// checkExtension refuses to move the end of a window further than a day from this machine's clock.
func checkExtension(held, until time.Time) error {
	if ahead := time.Until(until); until.After(held) && ahead > maxWindow {
		return fmt.Errorf("%w: window until %v from now, at most %v", ErrInvalid, ahead, maxWindow)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
