package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Options of a Consumer. Zero fields take their defaults.
type Options struct {
	TTL           time.Duration    // of a lease: so long do messages wait after a consumer has died; 3 s
	Batch         int              // messages taken at a time; 20
	MaxAttempts   int              // of handling a message that is poison; 3
	MaxDeliveries int              // after which a message is held to be what killed its consumers; 5
	Poison        func(error) bool // errors that no patience cures; nil: none. Others are tried for ever
	AckFirst      bool             // acknowledge, then work: a control, not a choice
}

// Consumer handles messages: at most one at a time of each partition, so that those with one key are handled in order.
type Consumer struct {
	broker Broker
	name   string
	handle func(ctx context.Context, d Delivery) error
	Options
}

// NewConsumer makes a consumer. Its name is its own: two with one name would share leases. handle is called with one message of a
// partition at a time, and maybe again with a message that it has handled, if the acknowledgement was lost.
func NewConsumer(broker Broker, name string, handle func(ctx context.Context, d Delivery) error, o Options) *Consumer {
	c := &Consumer{broker: broker, name: name, handle: handle, Options: o}
	set(&c.TTL, 3*time.Second)
	set(&c.Batch, 20)
	set(&c.MaxAttempts, 3)
	set(&c.MaxDeliveries, 5)
	return c
}

func set[T comparable](field *T, otherwise T) {
	if *field == *new(T) {
		*field = otherwise
	}
}

// Run works until ctx ends. A broker that is away is asked again and again.
func (c *Consumer) Run(ctx context.Context) {
	var all sync.WaitGroup
	for p := range c.broker.Partitions() {
		all.Go(func() {
			for ctx.Err() == nil {
				if owned, err := c.broker.Own(ctx, p, c.name, c.TTL); owned && err == nil {
					c.work(ctx, p)
				} else {
					pause(ctx, c.TTL/3)
				}
			}
		})
	}
	all.Wait()
}

// work holds the lease of a partition and handles what comes, until ctx ends or the lease is lost.
func (c *Consumer) work(ctx context.Context, p int) {
	leased, lost := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		for pause(leased, c.TTL/3) {
			if owned, err := c.broker.Own(leased, p, c.name, c.TTL); err != nil || !owned {
				lost()
			}
		}
	})
	for leased.Err() == nil {
		batch, err := c.broker.Receive(leased, p, c.name, c.Batch)
		if err != nil {
			break // the lease or the broker is gone: begin again with the lease
		}
		if c.AckFirst {
			for _, d := range batch {
				_ = c.broker.Ack(leased, p, d.ID) // a control
			}
		}
		for _, d := range batch {
			if leased.Err() == nil {
				c.settle(leased, p, d)
			}
		}
	}
	lost()
	keeper.Wait()
	if !errors.Is(context.Cause(ctx), ErrKilled) {
		bye, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		_ = c.broker.Disown(bye, p, c.name) // else the lease runs out
		pause(ctx, c.TTL/10)
	}
}

// settle handles one message until it is acknowledged, buried, or somebody else's. To leave it and go on would change the order.
func (c *Consumer) settle(ctx context.Context, p int, d Delivery) {
	if d.Deliveries > c.MaxDeliveries {
		c.end(ctx, p, d, "its consumers died")
		return
	}
	wait := 10 * time.Millisecond
	for attempts := 1; ctx.Err() == nil; wait = min(2*wait, time.Second) {
		err := c.handle(ctx, d)
		if err == nil {
			c.end(ctx, p, d, "")
			return
		}
		if c.Poison != nil && c.Poison(err) {
			if attempts++; attempts > c.MaxAttempts {
				c.end(ctx, p, d, err.Error())
				return
			}
		}
		pause(ctx, wait)
	}
}

// end says that a message is done, or why it is given up. When that cannot be said the message comes again, to whom it may.
func (c *Consumer) end(ctx context.Context, p int, d Delivery, why string) {
	for wait := 10 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, time.Second) {
		var err error
		switch {
		case why != "":
			err = c.broker.Bury(ctx, p, d, why)
		case !c.AckFirst:
			err = c.broker.Ack(ctx, p, d.ID)
		}
		if err == nil {
			return
		}
		pause(ctx, wait)
	}
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
