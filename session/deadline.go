package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadline is the context of a commit: it has the values of another one and ends after a time, and with the other
// one unless detached from it. Unlike one of context.WithTimeout, it starts a timer only when somebody waits for
// it: most commits take less time than that, and a store in this process only asks Err.
type deadline struct {
	context.Context
	detached bool
	at       time.Time
	once     sync.Once
	started  atomic.Bool // set when real is there; read by everything
	real     context.Context
	stop     context.CancelFunc
}

func within(ctx context.Context, d time.Duration, detached bool) *deadline {
	return &deadline{Context: ctx, detached: detached, at: time.Now().Add(d)}
}

// start makes the context that package context knows how to derive others from.
func (c *deadline) start() context.Context {
	c.once.Do(func() {
		parent := c.Context
		if c.detached {
			parent = context.WithoutCancel(parent)
		}
		c.real, c.stop = context.WithDeadline(parent, c.at)
		c.started.Store(true)
	})
	return c.real
}

// close gives the timer back.
func (c *deadline) close() {
	if c.started.Load() {
		c.stop()
	}
}

// Deadline implements context.Context.
func (c *deadline) Deadline() (time.Time, bool) {
	if at, ok := c.Context.Deadline(); ok && !c.detached && at.Before(c.at) {
		return at, true
	}
	return c.at, true
}

// Done implements context.Context.
func (c *deadline) Done() <-chan struct{} { return c.start().Done() }

// Err implements context.Context.
func (c *deadline) Err() error {
	switch {
	case c.started.Load():
		return c.real.Err()
	case c.parentErr() != nil:
		return c.parentErr()
	case !time.Now().Before(c.at):
		return context.DeadlineExceeded
	}
	return nil
}

// parentErr is Err without a look at the clock.
func (c *deadline) parentErr() error {
	if c.detached {
		return nil
	}
	return c.Context.Err()
}

// Value implements context.Context. Once started, it is through real that derived contexts find it.
func (c *deadline) Value(key any) any {
	if c.started.Load() {
		return c.real.Value(key)
	}
	return c.Context.Value(key)
}

// cause says why the context has ended, in the words of Save: the time was up because others kept saving first.
func (c *deadline) cause() error {
	if c.parentErr() != nil {
		return context.Cause(c.Context)
	}
	return ErrConflict
}
