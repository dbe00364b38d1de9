package attack

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
)

// Killer runs one consumer after the other, and kills each but the last when it has done its share and not acknowledged all of it.
type Killer struct {
	System  *local.System
	Options queue.Options
	Every   int // messages that a consumer lives for

	mu          sync.Mutex
	redelivered int
}

// Run returns how many consumers were killed, how many messages were delivered again, how often the store was asked whether one had been
// handled, and how many are dead.
func (k *Killer) Run(ctx context.Context, env claim.Env) (claim.Facts, error) {
	const lives = 3
	looked := int64(0)
	for life := range lives {
		fanout, err := feed.NewFanout(k.System.Copies)
		if err != nil {
			return nil, err
		}
		living, kill := context.WithCancelCause(ctx)
		consumer := k.System.Consumer(fmt.Sprintf("consumer-%d", life), k.handler(local.Handler(fanout), func() { kill(queue.ErrKilled) }, life < lives-1), k.Options)
		ended := make(chan struct{})
		go func() { defer close(ended); consumer.Run(living) }()
		if life == lives-1 {
			err = Settle(ctx, env, k.System)
			kill(nil)
		}
		<-ended
		if err != nil || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		looked += fanout.Looked()
	}
	depth, err := k.System.Broker.Depth(ctx)
	return claim.Facts{
		"killed": lives - 1, "redelivered": float64(k.redelivered), "looked": float64(looked), "dead-letters": float64(depth.Dead),
	}, err
}

// handler does the work and then, instead of letting the consumer acknowledge it, kills it.
func (k *Killer) handler(work func(context.Context, queue.Delivery) error, kill func(), mortal bool) func(context.Context, queue.Delivery) error {
	done := 0
	return func(ctx context.Context, d queue.Delivery) error {
		err := work(ctx, d)
		k.mu.Lock()
		defer k.mu.Unlock()
		if d.Deliveries > 1 {
			k.redelivered++
		}
		if done++; mortal && err == nil && done >= k.Every {
			kill()
		}
		return err
	}
}
