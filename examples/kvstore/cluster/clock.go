package cluster

import (
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// clock is a hybrid clock: it follows the time of day, never goes back, and is ahead of every stamp that the node has seen. So a
// node whose clock is slow still writes after what it has read.
type clock struct {
	node string
	base time.Time // carries a monotonic reading: a step of the time of day does not matter
	mu   sync.Mutex
	last uint64
}

// Next is a stamp that nobody else gives.
func (c *clock) Next() storage.Stamp {
	now := uint64(c.base.UnixNano() + int64(time.Since(c.base)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(now, c.last+1)
	return storage.Stamp{Time: c.last, Node: c.node}
}

// Observe makes all that follow later than s.
func (c *clock) Observe(s storage.Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, s.Time)
}
