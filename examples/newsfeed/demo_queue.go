package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/newsfeed/attack"
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
	bare := func(o *local.Options) { o.Bare, o.Store.Keyless, o.Strategy = true, keyless, feed.OnWrite }
	return c.with(ctx, env, bare, func(s *local.System) (claim.Facts, error) {
		authors, readers := attack.People("author", 40), attack.People("reader", 20)
		if err := attack.Follow(ctx, s, authors, readers); err != nil {
			return nil, err
		}
		posts, err := attack.Publish(ctx, env, s, authors, max(env.Size(600), 200))
		if err != nil {
			return nil, err
		}
		if err := s.Broker.Send(ctx, authors[0], []byte("not a message")); err != nil {
			return nil, err
		}
		consuming.TTL, consuming.Batch = leaseTTL, 5
		killer := &attack.Killer{System: s, Options: consuming, Every: len(posts) / 4}
		facts, err := killer.Run(ctx, env)
		if err != nil {
			return nil, err
		}
		rows, err := count(ctx, s, `SELECT count(*) FROM timeline`)
		if err != nil {
			return nil, err
		}
		distinct, err := count(ctx, s, `SELECT count(*) FROM (SELECT DISTINCT reader, id FROM timeline) AS rows`)
		facts["posts"], facts["lost"], facts["doubled"] = float64(len(posts)), float64(len(posts)*len(readers))-distinct, rows-distinct
		return facts, err
	})
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
	key := strconv.Itoa(s.n)
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
			authors := attack.People("author", 48)
			if err := attack.Follow(ctx, s, authors, attack.People("reader", 3)); err != nil {
				return nil, err
			}
			fanout, err := feed.NewFanout(s.Copies)
			if err != nil {
				return nil, err
			}
			facts := claim.Facts{"authors": float64(len(authors)), "workers": local.Partitions, "delivered": 0, "out-of-order": 0}
			if _, err := attack.Publish(ctx, env, s, authors, max(env.Size(800), 240)); err != nil {
				return nil, err
			}
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			var running sync.WaitGroup
			consumer := s.Consumer("consumer", inOrder(local.Handler(fanout), facts), queue.Options{})
			running.Go(func() { consumer.Run(ctx) })
			err = attack.Settle(ctx, env, s)
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
