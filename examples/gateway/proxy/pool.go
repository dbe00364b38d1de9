package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The errors of the package.
var (
	ErrInvalid = errors.New("proxy: invalid")
	ErrNobody  = errors.New("proxy: no machine is ready")
)

// State is what a gateway knows of a machine.
type State string

// The states. Only Ready machines get requests.
const (
	Down     State = "down"
	Ready    State = "ready"
	Draining State = "draining" // finishes what it has
)

// Machine is where requests can be sent.
type Machine struct {
	Name   string
	URL    string  // http://host:port
	Weight float64 // what it can do compared with others; 0 means 1
}

// member is a machine with the books that are kept of it, guarded by the lock of the pool.
type member struct {
	Machine
	state    State
	inFlight int
	served   uint64
	credit   float64 // of the policy weighted
}

// loadWithOneMore is what the machine would have to do for its weight if it got one more request.
func (m *member) loadWithOneMore() float64 { return float64(m.inFlight+1) / m.Weight }

// Pool is the machines behind a gateway: who is there, in which state, with how many requests in flight. It is safe for
// concurrent use.
//
// One lock guards it all. So a request is counted in the same instant in which its machine is found ready: once a machine is
// Draining here its number of requests can only fall. Draining relies on it.
type Pool struct {
	mu      sync.Mutex
	members []*member // in order of name
	policy  policy
	changed chan struct{} // closed at the next change of a state
}

// NewPool makes a pool of machines that are all down. The seed decides what the policy draws.
func NewPool(policyName string, seed uint64, machines ...Machine) (*Pool, error) {
	p := &Pool{policy: newPolicy(policyName, seed), changed: make(chan struct{})}
	if p.policy == nil {
		return nil, fmt.Errorf("%w: policy %q, want one of %s", ErrInvalid, policyName, strings.Join(Policies(), ", "))
	}
	for _, m := range machines {
		if m.Weight == 0 {
			m.Weight = 1
		}
		joined := &member{Machine: m, state: Down}
		if m.Name == "" || p.find(m.Name) != nil || !(m.Weight > 0) {
			return nil, fmt.Errorf("%w: machine %q: names are unique, weights positive", ErrInvalid, m.Name)
		}
		if err := p.policy.join(joined); err != nil {
			return nil, err
		}
		p.members = append(p.members, joined)
	}
	slices.SortFunc(p.members, func(a, b *member) int { return strings.Compare(a.Name, b.Name) })
	return p, nil
}

func (p *Pool) find(name string) *member {
	for _, m := range p.members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Lease is a place on a machine.
type Lease struct {
	Machine Machine
	release func()
}

// Release gives the place back; calls after the first do nothing.
func (l *Lease) Release() { l.release() }

// Acquire chooses a ready machine for a request. The key matters to hash and bounded only. ErrNobody if none is ready.
func (p *Pool) Acquire(key string) (*Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := make([]*member, 0, len(p.members))
	for _, m := range p.members {
		if m.state == Ready {
			ready = append(ready, m)
		}
	}
	if len(ready) == 0 {
		return nil, ErrNobody
	}
	m, release := p.policy.pick(key, ready)
	m.inFlight++
	m.served++
	return &Lease{Machine: m.Machine, release: sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		m.inFlight--
		release()
	})}, nil
}

// Set changes the state of a machine. A name that has left is ignored.
func (p *Pool) Set(name string, s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.find(name); m != nil && m.state != s {
		m.state = s
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// Await returns when the machine is in the state, or ctx ends.
func (p *Pool) Await(ctx context.Context, name string, s State) error {
	for {
		p.mu.Lock()
		m, changed := p.find(name), p.changed
		there := m != nil && m.state == s
		p.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("proxy: %s does not become %s: %w", name, s, context.Cause(ctx))
		case <-changed:
		}
	}
}

// Remove takes a machine out for good.
func (p *Pool) Remove(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.find(name); m != nil {
		p.members = slices.DeleteFunc(p.members, func(other *member) bool { return other == m })
		p.policy.leave(m)
	}
}

// Status is a machine as its pool sees it.
type Status struct {
	Name     string `json:"name"`
	State    State  `json:"state"`
	InFlight int    `json:"in_flight"`
	Served   uint64 `json:"served"`
}

// Status lists the machines in order of name.
func (p *Pool) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Status, 0, len(p.members))
	for _, m := range p.members {
		all = append(all, Status{m.Name, m.state, m.inFlight, m.served})
	}
	return all
}

// status returns the books of one machine; one that has left is down.
func (p *Pool) status(name string) Status {
	for _, s := range p.Status() {
		if s.Name == name {
			return s
		}
	}
	return Status{Name: name, State: Down}
}
