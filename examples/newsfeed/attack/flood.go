package attack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
	"github.com/sysblocks/sysblocks/idgen"
)

// The load: posts a second.
const (
	Calm    = 20
	Tenfold = 10 * Calm
)

// Flood is one run of a spike, with its books.
type Flood struct {
	System *local.System

	mu        sync.Mutex
	accepted  []idgen.ID
	delivered map[idgen.ID]bool
	rejected  int
	took      []time.Duration
	probes    []time.Duration
}

// Noted writes into the book what was delivered.
func (f *Flood) Noted(work func(context.Context, queue.Delivery) error) func(context.Context, queue.Delivery) error {
	return func(ctx context.Context, d queue.Delivery) error {
		if err := work(ctx, d); err != nil {
			return err
		}
		id, _, err := feed.Subject(d.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.delivered == nil {
			f.delivered = make(map[idgen.ID]bool)
		}
		f.delivered[id] = true
		return err
	}
}

// Pour sends posts when they are due, whether earlier ones have been answered or not.
func (f *Flood) Pour(ctx context.Context, env claim.Env, url string, authors []string) error {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	lasts := 2 * time.Second
	if env.Quick {
		lasts = 800 * time.Millisecond
	}
	var all, probing sync.WaitGroup
	over, enough := context.WithCancel(ctx)
	probing.Go(func() { f.probe(over, transport, url) })
	defer probing.Wait()
	defer enough()
	defer all.Wait()
	rng, began, n := workload.Rand(env.Seed, 50), time.Now(), 0
	for _, phase := range []struct {
		rate   float64
		during time.Duration
	}{{Calm, lasts / 8}, {Tenfold, lasts}} {
		from := time.Since(began)
		for at := range workload.Poisson(rng, phase.rate) {
			if at > phase.during {
				break
			}
			if !Wait(ctx, from+at-time.Since(began)) {
				return ctx.Err()
			}
			env.Note("e: %d posts sent", n)
			author := authors[n%len(authors)]
			all.Go(func() { f.send(ctx, transport, url, author, strconv.Itoa(n)) })
			n++
		}
	}
	return nil
}

func (f *Flood) send(ctx context.Context, transport http.RoundTripper, url, author, text string) {
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

// probe sends, fifty times a second, a request that needs no work at all: what it takes is the machine's own slowness.
func (f *Flood) probe(ctx context.Context, transport http.RoundTripper, url string) {
	client := &http.Client{Transport: transport}
	for Wait(ctx, 20*time.Millisecond) {
		began := time.Now()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/nothing", http.NoBody)
		if err != nil {
			return
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			f.probes = append(f.probes, time.Since(began))
		}
	}
}

// Watch notes the depth of the queue every 20 ms.
func (f *Flood) Watch(ctx context.Context) (depths []int) {
	for Wait(ctx, 20*time.Millisecond) {
		if d, err := f.System.Broker.Depth(ctx); err == nil {
			depths = append(depths, d.Waiting)
		}
	}
	return depths
}

// Facts are what the books say.
func (f *Flood) Facts(depths []int) claim.Facts {
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
	facts["p50-ms"], facts["p99-ms"], facts["probe-ms"] = quantile(f.took, 50), quantile(f.took, 99), quantile(f.probes, 99)
	return facts
}

// quantile is in milliseconds.
func quantile(took []time.Duration, percent int) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*percent/100].Seconds() * 1000
}
