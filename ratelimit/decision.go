package ratelimit

import (
	"fmt"
	"math"
	"time"
)

// Never is the RetryAfter of a call that cannot succeed however long one waits, and the ResetAfter of a quota.
const Never = time.Duration(math.MaxInt64)

// Decision is the answer to one call. It is returned by value and never allocates; all its fields come from one reading
// of the clock and of the bucket.
type Decision struct {
	OK         bool          // the call may proceed, and its tokens are charged
	Limit      int64         // Burst of the binding limit, in tokens
	Remaining  int64         // whole tokens left in it after this call, never negative
	RetryAfter time.Duration // 0 when OK; Never when the same call can never succeed
	ResetAfter time.Duration // until the binding limit is whole again; Never for a quota that is not full
	Policy     string        // name of the binding limit
}

// Err returns nil for an admitted call and a *LimitedError otherwise.
func (d Decision) Err() error {
	if d.OK {
		return nil
	}
	return &LimitedError{Decision: d}
}

// LimitedError is a denial as an error. errors.Is finds ErrLimited in it.
type LimitedError struct{ Decision Decision }

// Error names the limit that denied and how long to wait.
func (e *LimitedError) Error() string {
	if e.Decision.RetryAfter == Never {
		return fmt.Sprintf("ratelimit: limit %s exceeded", e.Decision.Policy)
	}
	return fmt.Sprintf("ratelimit: limit %s exceeded, retry after %v", e.Decision.Policy, e.Decision.RetryAfter)
}

// Is reports whether target is ErrLimited.
func (e *LimitedError) Is(target error) bool { return target == ErrLimited }
