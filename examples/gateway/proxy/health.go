package proxy

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The headers of a probe. A machine that wants to stop must know of each gateway that it sends nothing more.
const (
	GatewayHeader  = "X-Gateway"   // who asks
	InFlightHeader = "X-In-Flight" // how many of its requests are under way at the machine
	// ReadyPath is what a probe asks for: 200 means ready, 503 draining, anything else down.
	ReadyPath = "/ready"
)

// probeTime is how long a machine may take to answer a probe. One that is merely busy must not be called down, for then the
// others get its load and follow it.
const probeTime = 2 * time.Second

// prober asks every machine again and again how it is.
type prober struct {
	gateway string
	pool    *Pool
	client  *http.Client
	every   time.Duration
	forget  func(name string) // drops idle connections: to a machine that stops they are in its way, and none outlives its machine
	stop    context.CancelFunc
	running sync.WaitGroup
}

// start asks every machine once, and goes on asking in the background until close.
func (p *prober) start(ctx context.Context, machines []Machine) {
	var first sync.WaitGroup
	for _, m := range machines {
		first.Go(func() { p.probe(ctx, m) })
	}
	first.Wait()
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, m := range machines {
		p.running.Go(func() {
			tick := time.NewTicker(p.every)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					p.probe(ctx, m)
				}
			}
		})
	}
}

func (p *prober) close() {
	p.stop()
	p.running.Wait()
}

// probe asks a machine and notes the answer. The probes of one machine follow each other, so a number of requests in flight that
// is sent after the answer "draining" was read after it was noted, and can only fall.
func (p *prober) probe(ctx context.Context, m Machine) {
	before := p.pool.status(m.Name)
	state := p.ask(ctx, m, before.InFlight)
	if ctx.Err() != nil {
		return
	}
	if state != Ready || before.State != Ready {
		p.forget(m.Name)
	}
	p.pool.Set(m.Name, state)
}

func (p *prober) ask(ctx context.Context, m Machine, inFlight int) State {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL+ReadyPath, nil)
	if err != nil {
		return Down
	}
	request.Header.Set(GatewayHeader, p.gateway)
	request.Header.Set(InFlightHeader, strconv.Itoa(inFlight))
	response, err := p.client.Do(request)
	if err != nil {
		return Down
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return Down
	}
	switch response.StatusCode {
	case http.StatusOK:
		return Ready
	case http.StatusServiceUnavailable:
		return Draining
	}
	return Down
}
