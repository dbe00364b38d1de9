// Package fakenet is a network inside one process, with faults on request: delay, broken connections, partition, kill.
//
// Its connections are ordinary net.Conn values over net.Pipe, so programs send the same bytes over it as over TCP, and they run
// inside a testing/synctest bubble, where a delay of an hour costs nothing.
//
//	host a                                                        host b
//	Write ─▶ [ queue, up to 64 writes ] ─ waits until due ─▶ net.Pipe ─▶ Read
//	Read  ◀─ net.Pipe ◀─ waits until due ─ [ queue, up to 64 writes ] ◀─ Write
//
// The queue plays the part of the socket buffers: a Write returns at once while there is room, and writes arrive in order.
// A stream cannot lose a part of itself: what a program sees of a lossy path is a connection that breaks. So loss, partition and
// kill all break connections, and what was in flight on them is gone.
package fakenet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// The errors of the package.
var (
	ErrRefused     = errors.New("fakenet: connection refused, nobody listens there")
	ErrUnreachable = errors.New("fakenet: host unreachable, a partition lies between")
	ErrInUse       = errors.New("fakenet: the host already listens")
	ErrBroken      = errors.New("fakenet: connection broken")
)

// Network connects hosts by name. It is safe for concurrent use.
type Network struct {
	mu        sync.Mutex // guards all below; never held while a connection waits
	rng       *rand.Rand
	low, high time.Duration
	loss      float64
	side      map[string]int // partition: hosts on different sides cannot talk; a host that is not listed is on side 0
	script    Script
	gate      chan struct{} // closed when the script is replaced
	listeners map[string]*listener
	conns     map[*conn]struct{}
}

// New makes a network without faults. The seed decides the delays and the losses.
func New(seed int64) *Network {
	return &Network{
		rng:       rand.New(rand.NewPCG(uint64(seed), 0xfa4e)),
		gate:      make(chan struct{}),
		listeners: make(map[string]*listener),
		conns:     make(map[*conn]struct{}),
	}
}

// SetDelay makes every following write take from low to high, drawn evenly. Zero is the default.
func (n *Network) SetDelay(low, high time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.low, n.high = low, max(low, high)
}

// SetLoss gives every following write the probability p of breaking its connection instead of arriving.
func (n *Network) SetLoss(p float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = p
}

// Action is what a Script lets happen to a write.
type Action int

// The actions.
const (
	Deliver Action = iota
	Hold           // it waits, and what is written behind it on the same connection, until the script is replaced
	Cut            // the connection breaks, and the write is lost
)

// Script decides about each write by itself, for schedules that chance would rarely find.
type Script func(from, to string, p []byte) Action

// SetScript makes a script decide about every following write, on top of delay and loss; nil decides nothing. What the script
// before has held is delivered.
func (n *Network) SetScript(s Script) {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.gate)
	n.script, n.gate = s, make(chan struct{})
}

// ask asks the script.
func (n *Network) ask(from, to string, p []byte) (Action, <-chan struct{}) {
	n.mu.Lock()
	s, gate := n.script, n.gate
	n.mu.Unlock()
	if s == nil {
		return Deliver, nil
	}
	return s(from, to, p), gate
}

// Partition splits the network: hosts on different sides cannot reach each other, connections between them break. Hosts that are
// not named stand on the first side. A second call replaces the first.
func (n *Network) Partition(sides ...[]string) {
	n.mu.Lock()
	n.side = make(map[string]int)
	for i, hosts := range sides {
		for _, h := range hosts {
			n.side[h] = i
		}
	}
	cut := n.take(func(c *conn) bool { return n.side[c.from] != n.side[c.to] })
	n.mu.Unlock()
	breakAll(cut)
}

// Heal ends the partition. Broken connections stay broken.
func (n *Network) Heal() { n.Partition() }

// Kill ends a host as a power cut does: its listener closes, its connections break at once. It is up again when it listens again.
func (n *Network) Kill(host string) {
	n.mu.Lock()
	l := n.listeners[host]
	cut := n.take(func(c *conn) bool { return c.from == host || c.to == host })
	n.mu.Unlock()
	if l != nil {
		_ = l.Close() // it only closes channels and cannot fail
	}
	breakAll(cut)
}

// Close kills every host.
func (n *Network) Close() {
	n.mu.Lock()
	var ls []*listener
	for _, l := range n.listeners {
		ls = append(ls, l)
	}
	cut := n.take(func(*conn) bool { return true })
	n.mu.Unlock()
	for _, l := range ls {
		_ = l.Close() // cannot fail
	}
	breakAll(cut)
}

// take removes and returns the connections that the condition picks. The caller holds the lock and breaks them without it.
func (n *Network) take(pick func(*conn) bool) (cut []*conn) {
	for c := range n.conns {
		if pick(c) {
			cut = append(cut, c)
			delete(n.conns, c)
		}
	}
	return cut
}

func breakAll(conns []*conn) {
	for _, c := range conns {
		c.breakOff()
	}
}

// Listen opens the one listener of a host.
func (n *Network) Listen(host string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[host] != nil {
		return nil, fmt.Errorf("%w: %s", ErrInUse, host)
	}
	return n.listen(host), nil
}

// listen opens a listener. The caller holds the lock, or nobody else has the network.
func (n *Network) listen(host string) *listener {
	l := &listener{network: n, host: host, incoming: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[host] = l
	return l
}

// Dial connects two hosts. It waits until the listener accepts or ctx ends.
func (n *Network) Dial(ctx context.Context, from, to string) (net.Conn, error) {
	l, a, b, err := n.connect(from, to)
	if err != nil {
		return nil, err
	}
	if err := l.offer(ctx, b); err != nil {
		a.breakOff()
		b.breakOff()
		return nil, err
	}
	return a, nil
}

// connect makes both ends, under the same lock as it looks for faults: no connection slips through one that begins meanwhile.
func (n *Network) connect(from, to string) (l *listener, a, b *conn, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l = n.listeners[to]
	switch {
	case n.side[from] != n.side[to]:
		return nil, nil, nil, fmt.Errorf("%w: %s from %s", ErrUnreachable, to, from)
	case l == nil:
		return nil, nil, nil, fmt.Errorf("%w: %s", ErrRefused, to)
	}
	near, far := net.Pipe()
	a, b = newConn(n, near, from, to), newConn(n, far, to, from)
	n.conns[a], n.conns[b] = struct{}{}, struct{}{}
	return l, a, b, nil
}

// fate draws what happens to one write.
func (n *Network) fate() (delay time.Duration, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delay = n.low
	if n.high > n.low {
		delay += time.Duration(n.rng.Int64N(int64(n.high - n.low + 1)))
	}
	return delay, n.loss > 0 && n.rng.Float64() < n.loss
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}
