// Package hlc is a hybrid logical clock.
package hlc

import (
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// Clock follows the time of day, never goes back, and is ahead of every stamp that the node has seen. So a
// node whose clock is slow still writes after what it has read.
type Clock struct {
	node string
	base time.Time // carries a monotonic reading: a step of the time of day does not matter
	mu   sync.Mutex
	last uint64
}

// New makes the clock of a node.
func New(node string) *Clock { return &Clock{node: node, base: time.Now()} }

// Next is a stamp that nobody else gives.
func (c *Clock) Next() storage.Stamp {
	now := uint64(c.base.UnixNano() + int64(time.Since(c.base)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(now, c.last+1)
	return storage.Stamp{Time: c.last, Node: c.node}
}

// Observe makes all that follow later than s.
func (c *Clock) Observe(s storage.Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, s.Time)
}
