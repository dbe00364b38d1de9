package backend

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
)

// lost is how long a gateway may be silent before nobody waits for it any more.
const lost = 5 * time.Second

// drain finds out when a machine may stop without failing a request. Waiting for some seconds would be a guess. Instead each
// gateway says with each probe how many of its requests are under way here:
//
//	gateway                                    machine
//	   │ GET /ready  X-In-Flight: 3               │
//	   │◀──────────────────────────── 503 ────────│ wants to stop; goes on serving
//	   │ sends nothing more                       │
//	   │ GET /ready  X-In-Flight: 2 ─────────────▶│ not yet
//	   │ GET /ready  X-In-Flight: 0 ─────────────▶│ this gateway is done
//
// A gateway is done when it has been told, and has said after that that nothing is under way.
type drain struct {
	mu       sync.Mutex
	wanted   bool
	gateways map[string]*seen
	heard    chan struct{} // has room for one signal: something was heard
}

// seen is what is known of one gateway.
type seen struct {
	at         time.Time
	told, done bool
}

func newDrain() *drain {
	return &drain{gateways: make(map[string]*seen), heard: make(chan struct{}, 1)}
}

// ready answers probes.
func (d *drain) ready(w http.ResponseWriter, r *http.Request) {
	inFlight, err := strconv.Atoi(r.Header.Get(proxy.InFlightHeader))
	name := r.Header.Get(proxy.GatewayHeader)
	if d.note(name, err == nil && inFlight == 0) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// note remembers a probe and reports whether the answer is that the machine wants to stop. Nobody with a name is a person with curl.
func (d *drain) note(gateway string, idle bool) (wanted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if gateway == "" {
		return d.wanted
	}
	g := d.gateways[gateway]
	if g == nil {
		g = new(seen)
		d.gateways[gateway] = g
	}
	g.at = time.Now()
	if d.wanted {
		g.done = g.done || g.told && idle
		g.told = true
	}
	select {
	case d.heard <- struct{}{}:
	default: // a signal waits already
	}
	return d.wanted
}

// wait says to all that the machine wants to stop, and returns when every gateway is done or lost.
func (d *drain) wait(ctx context.Context) error {
	d.mu.Lock()
	d.wanted = true
	d.mu.Unlock()
	silence := time.NewTicker(lost)
	defer silence.Stop()
	for !d.finished() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.heard:
		case <-silence.C:
		}
	}
	return nil
}

func (d *drain) finished() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range d.gateways {
		if !g.done && time.Since(g.at) < lost {
			return false
		}
	}
	return true
}
