// Package proxy is the gateway. A request passes through these files, which are best read in this order:
//
//	front.go     gives it a number and a key of affinity
//	limit.go     asks the shared limiter; 429 when it says no, -on-error when it says nothing
//	forward.go   sends it to a machine, and to another one if it could not be sent
//	pool.go      which machines are there, and what they have in flight
//	balance.go   the six policies that choose among those that are ready
//	health.go    finds out which are, and tells machines that want to stop what is still under way
//
// A gateway keeps nothing that another one needs: limits, worker numbers and sessions lie in shared stores. So any number of them
// can stand side by side behind a balancer of layer 4, or DNS.
package proxy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

// Options of Open.
type Options struct {
	Name     string // of this gateway, unlike those of the others
	Machines []Machine
	Policy   string
	Limit    Limit
	IDs      idgen.Generator // of request numbers; no two gateways may make the same
	Probe    time.Duration   // how often machines are asked how they are; 0 means 500 ms
	Dial     Dial            // nil means TCP
	Seed     uint64          // of the policy two
}

// Gateway is an http.Handler that limits and balances. Close it at the end.
type Gateway struct {
	Pool    *Pool
	handler http.Handler
	ids     idgen.Generator
	sticky  bool // the policy looks at keys
	forward *forwarder
	prober  *prober
}

// The names that clients see.
const (
	RequestHeader  = "X-Request-Id"
	affinityCookie = "affinity"
	// StatusPath answers with the machines as this gateway sees them.
	StatusPath = "/gateway/status"
)

// Open makes a gateway and asks every machine how it is.
func Open(ctx context.Context, o Options) (*Gateway, error) {
	if o.Probe == 0 {
		o.Probe = 500 * time.Millisecond
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	pool, err := NewPool(o.Policy, o.Seed, o.Machines...)
	if err != nil {
		return nil, err
	}
	g := &Gateway{Pool: pool, ids: o.IDs, sticky: o.Policy == "hash" || o.Policy == "bounded"}
	if g.forward, err = newForwarder(pool, o.Machines, o.Dial); err != nil {
		return nil, err
	}
	limit, err := limited(g.forward.handler(), o.Limit)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", limit)
	mux.HandleFunc("GET "+StatusPath, g.status)
	g.handler = g.identified(mux)
	g.prober = &prober{
		gateway: o.Name, pool: pool, every: o.Probe, forget: g.forward.forget,
		client: &http.Client{Transport: &http.Transport{DialContext: o.Dial, DisableKeepAlives: true}}, // a new connection shows more
	}
	g.prober.start(ctx, o.Machines)
	return g, nil
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Close ends the probes and drops idle connections.
func (g *Gateway) Close() {
	g.prober.close()
	g.forward.close()
}

// identified gives each request a number, by which the logs of all machines can be joined. One that the client sends is replaced:
// two clients could send the same.
func (g *Gateway) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := rand.Text() // if the generator has lost its worker number: a long number is better than no answer
		if id, err := g.ids.Next(r.Context()); err == nil {
			number = idgen.Base58.Encode(id)
		}
		w.Header().Set(RequestHeader, number)
		r.Header.Set(RequestHeader, number)
		if g.sticky {
			r = r.WithContext(context.WithValue(r.Context(), affinityKey{}, affinity(w, r, number)))
		}
		next.ServeHTTP(w, r)
	})
}

type affinityKey struct{}

func affinityOf(ctx context.Context) string {
	key, _ := ctx.Value(affinityKey{}).(string)
	return key
}

// affinity is what sends all requests of one client to one machine: its name, or a cookie that it gets with its first answer.
// The cookie of the session would not do, for it changes at the login.
func affinity(w http.ResponseWriter, r *http.Request, fresh string) string {
	if name := user(r); name != "" {
		return name
	}
	if cookie, err := r.Cookie(affinityCookie); err == nil && cookie.Value != "" {
		return cookie.Value
	}
	http.SetCookie(w, &http.Cookie{Name: affinityCookie, Value: fresh, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return fresh
}

func (g *Gateway) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(g.Pool.Status()) // the reader may have gone
}
