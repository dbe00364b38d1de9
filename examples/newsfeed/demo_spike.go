package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/ratelimit"
)

// The load of claim e: posts a second, and how many the fan-out can bear.
const (
	calm     = 30
	tenfold  = 10 * calm
	capacity = 6 * calm
	patience = 50 * time.Millisecond // of a request that waits for the work to be done
)

// flood is one run of the attack with its books.
type flood struct {
	s        *local.System
	capacity ratelimit.Limiter

	mu        sync.Mutex
	accepted  []idgen.ID
	delivered map[idgen.ID]bool
	rejected  int
	took      []time.Duration
}

// spike is claim e: the fan-out is slower than the spike, and the queue stands between.
func (c *config) spike(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.flooded(ctx, env, func(ctx context.Context, f *flood, deliver func(context.Context, queue.Delivery) error) (http.Handler, func()) {
		slow := func(ctx context.Context, d queue.Delivery) error {
			if err := f.capacity.Wait(ctx); err != nil {
				return err
			}
			return deliver(ctx, d)
		}
		ctx, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		consumer := f.s.Consumer("consumer", slow, queue.Options{})
		running.Go(func() { consumer.Run(ctx) })
		return f.s.Front, func() { stop(); running.Wait() }
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
	return c.flooded(ctx, env, func(_ context.Context, f *flood, deliver func(context.Context, queue.Delivery) error) (http.Handler, func()) {
		f.s.Service.Queue = inline{deliver}
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			waiting, done := context.WithTimeout(r.Context(), patience)
			defer done()
			if err := f.capacity.Wait(waiting); err != nil {
				http.Error(out, "busy", http.StatusServiceUnavailable)
				return
			}
			f.s.Front.ServeHTTP(out, r)
		}), func() {}
	})
}

func (c *config) flooded(
	ctx context.Context, env claim.Env, arrange func(context.Context, *flood, func(context.Context, queue.Delivery) error) (http.Handler, func()),
) (claim.Facts, error) {
	bare := func(o *local.Options) { o.Bare, o.Strategy = true, feed.OnWrite }
	return c.with(ctx, env, bare, func(s *local.System) (facts claim.Facts, err error) {
		authors := people("author", 200)
		if err := follow(ctx, s, authors, people("reader", 20)); err != nil {
			return nil, err
		}
		f := &flood{s: s, delivered: make(map[idgen.ID]bool)}
		if f.capacity, err = ratelimit.New(ratelimit.PerSecond(capacity).WithBurst(capacity / 60)); err != nil {
			return nil, err
		}
		fanout, err := feed.NewFanout(s.Copies)
		if err != nil {
			return nil, err
		}
		handler, stop := arrange(ctx, f, f.noted(local.Handler(fanout)))
		defer stop()
		depth := make(chan []int, 1)
		watching, enough := context.WithCancel(ctx)
		go func() { depth <- f.watch(watching) }()
		err = exchange.Online(ctx, handler, func(url string) error { return f.pour(ctx, env, url, authors) })
		if err == nil {
			err = settle(ctx, env, s)
		}
		enough()
		return f.facts(<-depth), err
	})
}

// noted writes into the book what was delivered.
func (f *flood) noted(work func(context.Context, queue.Delivery) error) func(context.Context, queue.Delivery) error {
	return func(ctx context.Context, d queue.Delivery) error {
		if err := work(ctx, d); err != nil {
			return err
		}
		id, _, err := feed.Subject(d.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.delivered[id] = true
		return err
	}
}

// pour sends posts when they are due, whether earlier ones have been answered or not.
func (f *flood) pour(ctx context.Context, env claim.Env, url string, authors []string) error {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	lasts := 2 * time.Second
	if env.Quick {
		lasts = 600 * time.Millisecond
	}
	var all sync.WaitGroup
	defer all.Wait()
	rng, began, n := workload.Rand(env.Seed, 50), time.Now(), 0
	for _, phase := range []struct {
		rate   float64
		during time.Duration
	}{{calm, lasts / 8}, {tenfold, lasts}} {
		from := time.Since(began)
		for at := range workload.Poisson(rng, phase.rate) {
			if at > phase.during {
				break
			}
			if !wait(ctx, from+at-time.Since(began)) {
				return ctx.Err()
			}
			env.Note("e: %d posts sent", n)
			author := authors[n%len(authors)]
			all.Go(func() { f.send(ctx, transport, url, author, fmt.Sprint(n)) })
			n++
		}
	}
	return nil
}

func (f *flood) send(ctx context.Context, transport http.RoundTripper, url, author, text string) {
	began := time.Now()
	client, err := web.NewClient(transport, url, author)
	status := 0
	var p feed.Post
	if err == nil {
		status, p, err = client.Publish(ctx, text)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, time.Since(began))
	if err == nil && status == http.StatusCreated {
		f.accepted = append(f.accepted, p.ID)
	} else {
		f.rejected++
	}
}

// watch notes the depth of the queue every 20 ms.
func (f *flood) watch(ctx context.Context) (depths []int) {
	for wait(ctx, 20*time.Millisecond) {
		if d, err := f.s.Broker.Depth(ctx); err == nil {
			depths = append(depths, d.Waiting)
		}
	}
	return depths
}

func (f *flood) facts(depths []int) claim.Facts {
	f.mu.Lock()
	defer f.mu.Unlock()
	facts := claim.Facts{"sent": float64(len(f.took)), "accepted": float64(len(f.accepted)), "rejected": float64(f.rejected), "delivered": 0, "depth-max": 0}
	for _, id := range f.accepted {
		if f.delivered[id] {
			facts["delivered"]++
		}
	}
	const bars = 16
	for i := range bars {
		deepest := 0
		for _, d := range depths[i*len(depths)/bars : (i+1)*len(depths)/bars] {
			deepest = max(deepest, d)
		}
		facts[fmt.Sprintf("depth-%02d", i)] = float64(deepest)
		facts["depth-max"] = max(facts["depth-max"], float64(deepest))
	}
	slices.Sort(f.took)
	for _, percent := range []int{50, 99} {
		facts[fmt.Sprintf("p%d-ms", percent)] = f.took[len(f.took)*percent/100].Seconds() * 1000
	}
	return facts
}
