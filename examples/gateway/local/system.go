// Package local runs gateways and machines in one process, on a network of that process, where machines can be killed.
//
//	system.go    opens, starts, drains, kills
//	shared.go    what all share: the limiter's store, the sessions, the worker numbers; embedded or in Redis
//	lab.go       the same faults by HTTP, for -serve
package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/backend"
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/session"
)

// Options of Open.
type Options struct {
	Engines  engine.Engines
	Fresh    bool // a demo, which nobody else may see and which leaves nothing behind
	Gateways int
	Backends int             // machines to start
	To       []proxy.Machine // machines that run elsewhere, instead
	Policy   string
	Seed     int64
	Limit    ratelimit.Limit
	Closed   bool          // refuse what cannot be counted
	Deadline time.Duration // of a decision of the limiter; 0: none, which is the mistake of a control
	Probe    time.Duration

	Apart  bool // each gateway counts for itself: a control
	Sticky bool // each machine keeps its sessions to itself: a control
}

// System is all that runs.
type System struct {
	Gateways []*proxy.Gateway
	Machines []string // names of those that run here

	o        Options
	engines  *connect.Engines
	network  *fakenet.Network
	sessions session.Store
	leaser   idgen.Leaser
	stall    stall
	limits   ratelimit.Backend
	turn     atomic.Uint64 // of entry; nobody relies on anything but its distinct values
	closers  []func(context.Context) error
	serving  sync.WaitGroup

	mu      sync.Mutex
	running map[string]*backend.Machine // guarded by mu
	failed  []error                     // of servers that ended by themselves; guarded by mu
}

// Open connects to the engines and starts everything.
func Open(ctx context.Context, o Options) (s *System, err error) {
	s = &System{o: o, network: fakenet.New(o.Seed), running: make(map[string]*backend.Machine)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(ctx))
		}
	}()
	if s.engines, err = connect.Open(ctx, o.Engines, connect.Options{Name: "gateway", Fresh: o.Fresh}); err != nil {
		return s, err
	}
	if err = s.openShared(); err != nil {
		return s, err
	}
	machines := o.To
	if machines == nil {
		for i := range o.Backends {
			name := fmt.Sprint("backend-", i+1)
			s.Machines = append(s.Machines, name)
			machines = append(machines, proxy.Machine{Name: name, URL: "http://" + name})
			if err = s.Start(name); err != nil {
				return s, err
			}
		}
	}
	for i := range o.Gateways {
		if err = s.open(ctx, fmt.Sprint("gateway-", i+1), machines); err != nil {
			return s, err
		}
	}
	return s, nil
}

// open starts a gateway. It shares nothing with the others but what shared.go has.
func (s *System) open(ctx context.Context, name string, machines []proxy.Machine) error {
	ids, err := idgen.NewLeased(ctx, s.leaser, idgen.SnowflakeOptions{})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, ids.Close)
	limits, err := s.limiter()
	if err != nil {
		return err
	}
	options := proxy.Options{
		Name: name, Machines: machines, Policy: s.o.Policy, Seed: uint64(s.o.Seed), IDs: ids, Probe: s.o.Probe,
		Limit: proxy.Limit{Backend: limits, Closed: s.o.Closed},
	}
	if s.o.To == nil {
		options.Dial = s.dialer(name)
	} else {
		options.Name = fmt.Sprintf("%s-%d", name, ids.Worker()) // other processes have a gateway-1 too
	}
	g, err := proxy.Open(ctx, options)
	if err != nil {
		return err
	}
	s.Gateways = append(s.Gateways, g)
	s.closers = append(s.closers, func(context.Context) error { g.Close(); return nil })
	return s.listen(name, (&http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}).Serve)
}

// dialer connects a host to others on the network of this process.
func (s *System) dialer(from string) proxy.Dial {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return s.network.Dial(ctx, from, host)
	}
}

// listen serves on a host of the network until its listener closes.
func (s *System) listen(host string, serve func(net.Listener) error) error {
	listener, err := s.network.Listen(host)
	if err != nil {
		return err
	}
	s.serving.Go(func() {
		if err := serve(listener); err != nil && !errors.Is(err, net.ErrClosed) {
			s.mu.Lock()
			s.failed = append(s.failed, err)
			s.mu.Unlock()
		}
	})
	return nil
}

// entry is what stands before the gateways: a balancer of layer 4, or DNS. It sees connections, not requests, and gives each
// to the next gateway.
func (s *System) entry(ctx context.Context, _, _ string) (net.Conn, error) {
	next := (s.turn.Add(1) - 1) % uint64(len(s.Gateways))
	return s.network.Dial(ctx, "client", fmt.Sprint("gateway-", next+1))
}

// Transport carries the requests of clients to the gateways, under any host name.
func (s *System) Transport() *http.Transport {
	return &http.Transport{DialContext: s.entry, MaxIdleConnsPerHost: 256}
}

// Start begins a life of a machine that does not run.
func (s *System) Start(name string) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	m, err := backend.New(store)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.Machines, name) || s.running[name] != nil {
		return fmt.Errorf("local: %s runs, or is no machine of this process", name)
	}
	if err := s.listen(name, m.Serve); err != nil {
		return err
	}
	s.running[name] = m
	return nil
}

// take ends the record of a machine that is about to end.
func (s *System) take(name string) (*backend.Machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.running[name]
	if m == nil {
		return nil, fmt.Errorf("local: %s does not run here", name)
	}
	delete(s.running, name)
	return m, nil
}

// Drain ends a machine when nobody needs it any more.
func (s *System) Drain(ctx context.Context, name string) error {
	m, err := s.take(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return m.Stop(ctx)
}

// Kill ends a machine as a power cut does.
func (s *System) Kill(name string) error {
	m, err := s.take(name)
	if err != nil {
		return err
	}
	s.network.Kill(name)
	return m.Kill()
}

// Await returns when every gateway sees the machine in a state.
func (s *System) Await(ctx context.Context, name string, state proxy.State) error {
	for _, g := range s.Gateways {
		if err := g.Pool.Await(ctx, name, state); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything, gateways first.
func (s *System) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.Stall(false)
	var errs []error
	for _, end := range slices.Backward(s.closers) {
		errs = append(errs, end(ctx))
	}
	s.mu.Lock()
	running := s.running
	s.running = nil
	s.mu.Unlock()
	for _, m := range running {
		errs = append(errs, m.Kill())
	}
	s.network.Close()
	s.serving.Wait()
	if s.engines != nil {
		errs = append(errs, s.engines.Close(ctx))
	}
	return errors.Join(append(errs, s.failed...)...)
}
