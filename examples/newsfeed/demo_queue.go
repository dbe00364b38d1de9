package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/idgen"
)

// leaseTTL is short, so that a demo need not wait long for what a dead consumer held.
const leaseTTL = 120 * time.Millisecond

// mortal is claim c: consumers are killed between the work and its acknowledgement, with more of the batch in hand.
func (c *config) mortal(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.attacked(ctx, env, false, queue.Options{})
}

// careless is its control, in two parts: a store that does not recognise what comes again, and a consumer that acknowledges first.
func (c *config) careless(ctx context.Context, env claim.Env) (claim.Facts, error) {
	doubled, err := c.attacked(ctx, env, true, queue.Options{})
	if err != nil {
		return nil, err
	}
	facts, err := c.attacked(ctx, env, false, queue.Options{AckFirst: true})
	if err == nil {
		facts["doubled"] = doubled["doubled"]
	}
	return facts, err
}

func (c *config) attacked(ctx context.Context, env claim.Env, keyless bool, consuming queue.Options) (claim.Facts, error) {
	bare := func(o *local.Options) { o.Bare, o.Keyless, o.Strategy = true, keyless, feed.OnWrite }
	return c.with(ctx, env, bare, func(s *local.System) (claim.Facts, error) {
		authors, readers := people("author", 40), people("reader", 20)
		if err := follow(ctx, s, authors, readers); err != nil {
			return nil, err
		}
		posts, err := publish(ctx, env, s, authors, max(env.Size(600), 200))
		if err != nil {
			return nil, err
		}
		if err := s.Broker.Send(ctx, authors[0], []byte("not a message")); err != nil {
			return nil, err
		}
		k := &killer{s: s, options: consuming, every: len(posts) / 4}
		k.options.TTL, k.options.Batch = leaseTTL, 5
		facts := claim.Facts{"posts": float64(len(posts))}
		if err := k.run(ctx, env, facts); err != nil {
			return nil, err
		}
		rows, err := count(ctx, s, `SELECT count(*) FROM timeline`)
		if err != nil {
			return nil, err
		}
		distinct, err := count(ctx, s, `SELECT count(*) FROM (SELECT DISTINCT reader, id FROM timeline) AS rows`)
		facts["lost"], facts["doubled"] = float64(len(posts)*len(readers))-distinct, rows-distinct
		return facts, err
	})
}

// killer runs one consumer after the other, and kills each but the last when it has done its share and not acknowledged all of it.
type killer struct {
	s       *local.System
	options queue.Options
	every   int // messages that a consumer lives for

	mu          sync.Mutex
	handled     int
	redelivered int
}

func (k *killer) run(ctx context.Context, env claim.Env, facts claim.Facts) error {
	const lives = 3
	looked := int64(0)
	for life := range lives {
		fanout, err := feed.NewFanout(k.s.Copies)
		if err != nil {
			return err
		}
		living, kill := context.WithCancelCause(ctx)
		consumer := k.s.Consumer(fmt.Sprintf("consumer-%d", life), k.handler(local.Handler(fanout), func() { kill(queue.ErrKilled) }, life < lives-1), k.options)
		ended := make(chan struct{})
		go func() { defer close(ended); consumer.Run(living) }()
		if life == lives-1 {
			err = settle(ctx, env, k.s)
			kill(nil)
		}
		<-ended
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		looked += fanout.Looked()
	}
	depth, err := k.s.Broker.Depth(ctx)
	facts["killed"], facts["redelivered"], facts["looked"], facts["dead-letters"] = lives-1, float64(k.redelivered), float64(looked), float64(depth.Dead)
	return err
}

// handler does the work and then, instead of letting the consumer acknowledge it, kills it.
func (k *killer) handler(work func(context.Context, queue.Delivery) error, kill func(), mortal bool) func(context.Context, queue.Delivery) error {
	done := 0
	return func(ctx context.Context, d queue.Delivery) error {
		err := work(ctx, d)
		k.mu.Lock()
		defer k.mu.Unlock()
		if d.Deliveries > 1 {
			k.redelivered++
		}
		if done++; mortal && err == nil && done >= k.every {
			kill()
		}
		return err
	}
}

// scattered sends each message to any partition, as a queue does whose workers all take what comes next.
type scattered struct {
	feed.Sender
	mu sync.Mutex
	n  int
}

func (s *scattered) Send(ctx context.Context, _ string, body []byte) error {
	s.mu.Lock()
	s.n++
	key := fmt.Sprint(s.n)
	s.mu.Unlock()
	return s.Sender.Send(ctx, key, body)
}

// ordered is claim g: eight workers deliver what has piled up, and for each post it is noted whether a later one of its author was delivered before.
func (c *config) ordered(byAuthor bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		bare := func(o *local.Options) { o.Bare, o.Strategy = true, feed.OnWrite }
		return c.with(ctx, env, bare, func(s *local.System) (claim.Facts, error) {
			if !byAuthor {
				s.Service.Queue = &scattered{Sender: s.Broker}
			}
			authors := people("author", 48)
			if err := follow(ctx, s, authors, people("reader", 3)); err != nil {
				return nil, err
			}
			fanout, err := feed.NewFanout(s.Copies)
			if err != nil {
				return nil, err
			}
			facts := claim.Facts{"authors": float64(len(authors)), "workers": local.Partitions, "delivered": 0, "out-of-order": 0}
			if _, err := publish(ctx, env, s, authors, max(env.Size(800), 240)); err != nil {
				return nil, err
			}
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			var running sync.WaitGroup
			consumer := s.Consumer("consumer", inOrder(local.Handler(fanout), facts), queue.Options{})
			running.Go(func() { consumer.Run(ctx) })
			err = settle(ctx, env, s)
			stop()
			running.Wait()
			return facts, err
		})
	}
}

// inOrder notes the order in which posts were delivered.
func inOrder(work func(context.Context, queue.Delivery) error, facts claim.Facts) func(context.Context, queue.Delivery) error {
	var mu sync.Mutex
	last := make(map[string]idgen.ID)
	return func(ctx context.Context, d queue.Delivery) error {
		if err := work(ctx, d); err != nil {
			return err
		}
		id, author, err := feed.Subject(d.Body)
		mu.Lock()
		defer mu.Unlock()
		facts["delivered"]++
		if id < last[author] {
			facts["out-of-order"]++
		}
		last[author] = max(last[author], id)
		return err
	}
}
