package idgen

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Counter atomically reserves [first, first+n). A failed call may have reserved too. Passes idgentest.TestCounter.
//
// n outside 1 to 2^40 is ErrRange; ErrOverflow leaves the counter as it was.
type Counter interface {
	Reserve(ctx context.Context, n int64) (first int64, err error)
}

// maxReserve bounds one reservation: a slip of the pen cannot use up a counter.
const maxReserve = 1 << 40

// MemoryCounter counts from 1 in memory. The zero value is ready.
type MemoryCounter struct {
	_    noCopy
	last atomic.Int64 // the last number handed out; every Reserve moves it
}

// Reserve implements Counter.
func (c *MemoryCounter) Reserve(ctx context.Context, n int64) (first int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if n <= 0 || n > maxReserve {
		return 0, fmt.Errorf("%w: n is %d, 1 to %d", ErrRange, n, int64(maxReserve))
	}
	for {
		last := c.last.Load()
		if last > maxID-n {
			return 0, fmt.Errorf("%w: the counter stands at %d", ErrOverflow, last)
		}
		if c.last.CompareAndSwap(last, last+n) {
			return last + 1, nil
		}
	}
}
