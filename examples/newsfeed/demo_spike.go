package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/newsfeed/attack"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/ratelimit"
)

const (
	capacity = 6 * attack.Calm       // posts a second that the fan-out can bear
	patience = 50 * time.Millisecond // of a request that waits for its work to begin
)

// arrangement is what stands between the requests and the fan-out, and how it ends.
type arrangement func(ctx context.Context, s *local.System, limit ratelimit.Limiter, deliver func(context.Context, queue.Delivery) error) (http.Handler, func())

// spike is claim e: the fan-out is slower than the spike, and the queue stands between.
func (c *config) spike(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.flooded(ctx, env, func(ctx context.Context, s *local.System, limit ratelimit.Limiter, deliver func(context.Context, queue.Delivery) error) (http.Handler, func()) {
		slow := func(ctx context.Context, d queue.Delivery) error {
			if err := limit.Wait(ctx); err != nil {
				return err
			}
			return deliver(ctx, d)
		}
		ctx, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		consumer := s.Consumer("consumer", slow, queue.Options{})
		running.Go(func() { consumer.Run(ctx) })
		return s.Front, func() { stop(); running.Wait() }
	})
}

// inline is a queue that is none: sending is handling.
type inline struct {
	deliver func(context.Context, queue.Delivery) error
}

func (i inline) Send(ctx context.Context, key string, body []byte) error {
	return i.deliver(ctx, queue.Delivery{Key: key, Body: body, Deliveries: 1})
}

// spikeInline is its control: each request does its own fan-out, with the same capacity for all, and is turned away when it cannot begin
// soon.
func (c *config) spikeInline(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.flooded(ctx, env, func(_ context.Context, s *local.System, limit ratelimit.Limiter, deliver func(context.Context, queue.Delivery) error) (http.Handler, func()) {
		s.Service.Queue = inline{deliver}
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			waiting, done := context.WithTimeout(r.Context(), patience)
			defer done()
			if err := limit.Wait(waiting); err != nil {
				http.Error(out, "busy", http.StatusServiceUnavailable)
				return
			}
			s.Front.ServeHTTP(out, r)
		}), func() {}
	})
}

func (c *config) flooded(ctx context.Context, env claim.Env, arrange arrangement) (claim.Facts, error) {
	bare := func(o *local.Options) { o.Bare, o.Strategy = true, feed.OnWrite }
	return c.with(ctx, env, bare, func(s *local.System) (facts claim.Facts, err error) {
		authors := attack.People("author", 200)
		if err := attack.Follow(ctx, s, authors, attack.People("reader", 20)); err != nil {
			return nil, err
		}
		f := &attack.Flood{System: s}
		limit, err := ratelimit.New(ratelimit.PerSecond(capacity).WithBurst(2))
		if err != nil {
			return nil, err
		}
		fanout, err := feed.NewFanout(s.Copies)
		if err != nil {
			return nil, err
		}
		handler, stop := arrange(ctx, s, limit, f.Noted(local.Handler(fanout)))
		defer stop()
		depth := make(chan []int, 1)
		watching, enough := context.WithCancel(ctx)
		go func() { depth <- f.Watch(watching) }()
		err = exchange.Online(ctx, handler, func(url string) error { return f.Pour(ctx, env, url, authors) })
		if err == nil {
			err = attack.Settle(ctx, env, s)
		}
		enough()
		return f.Facts(<-depth), err
	})
}
