package cluster

import (
	"sync"
	"time"
)

// clock is a hybrid clock: it follows the time of day, never goes back, and is ahead of every stamp that the node has seen. So a
// node whose clock is slow still writes after what it has read.
type clock struct {
	base time.Time // carries a monotonic reading: a step of the time of day does not matter
	mu   sync.Mutex
	last uint64
}

func (c *clock) next() uint64 {
	now := uint64(c.base.UnixNano() + int64(time.Since(c.base)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(now, c.last+1)
	return c.last
}

func (c *clock) observe(t uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, t)
}
