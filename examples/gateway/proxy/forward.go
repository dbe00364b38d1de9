package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/sysblocks/sysblocks/examples/internal/problem"
)

// MachineHeader names the machine that has answered.
const MachineHeader = "X-Machine"

// Dial connects to a machine; net.Dialer has one.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// dialError marks that a request was never sent. It may then be sent elsewhere, whatever its method.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// forwarder is the layer 7 half of the gateway: it chooses a machine for each request, not for each connection.
type forwarder struct {
	pool       *Pool
	urls       map[string]*url.URL
	transports map[string]*http.Transport // one for each machine, so that its idle connections can be dropped with it
}

func newForwarder(pool *Pool, machines []Machine, dial Dial) (*forwarder, error) {
	f := &forwarder{pool: pool, urls: make(map[string]*url.URL), transports: make(map[string]*http.Transport)}
	for _, m := range machines {
		u, err := url.Parse(m.URL)
		if err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("%w: machine %s has the URL %q, want http://host:port", ErrInvalid, m.Name, m.URL)
		}
		f.urls[m.Name] = u
		f.transports[m.Name] = &http.Transport{
			MaxIdleConnsPerHost: 64,
			DisableCompression:  true, // pass on what the client asks for
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				if err != nil {
					return nil, dialError{err}
				}
				return c, nil
			},
		}
	}
	return f, nil
}

// handler passes requests on, with headers that say where they come from. What a client writes into those is dropped, and so is
// what would make a machine believe that a gateway has nothing under way.
func (f *forwarder) handler() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "chosen.below"
			r.Out.Host = r.In.Host
			r.Out.Header.Del(GatewayHeader)
			r.Out.Header.Del(InFlightHeader)
		},
		Transport: f,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			switch {
			case r.Context().Err() != nil: // nobody is left to answer
			case errors.Is(err, ErrNobody):
				w.Header().Set("Retry-After", "1")
				problem.Write(w, http.StatusServiceUnavailable, "no machine is ready")
			default: // it was sent and may have been done, so the client has to decide what to do
				problem.Write(w, http.StatusBadGateway, "the machine went away while it worked on the request")
			}
		},
		ErrorLog: log.New(io.Discard, "", 0), // what it would say stands in the answers
	}
}

// RoundTrip implements http.RoundTripper. The lease is held until the body of the answer has been read.
func (f *forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		lease, err := f.pool.Acquire(affinityOf(r.Context()))
		if err != nil {
			return nil, err
		}
		name := lease.Machine.Name
		out := r.Clone(r.Context())
		out.URL.Host = f.urls[name].Host
		if r.Body != nil {
			out.Body = io.NopCloser(r.Body) // a transport closes the body when it cannot connect, and the next one needs it
		}
		response, err := f.transports[name].RoundTrip(out)
		if err != nil {
			lease.Release()
			if _, unsent := errors.AsType[dialError](err); unsent && r.Context().Err() == nil {
				f.pool.Set(name, Down) // until a probe succeeds
				continue
			}
			return nil, err
		}
		response.Header.Set(MachineHeader, name)
		response.Body = &leased{response.Body, lease}
		return response, nil
	}
}

// forget drops the idle connections to a machine.
func (f *forwarder) forget(name string) { f.transports[name].CloseIdleConnections() }

func (f *forwarder) close() {
	for name := range f.transports {
		f.forget(name)
	}
}

// leased is a body that gives a lease back with its end.
type leased struct {
	io.ReadCloser
	lease *Lease
}

func (l *leased) Close() error {
	defer l.lease.Release()
	return l.ReadCloser.Close()
}
