package fakenet

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// queued is how many writes a connection holds before Write waits.
const queued = 64

type packet struct {
	bytes []byte
	due   time.Time       // zero: at once
	gate  <-chan struct{} // not before it is closed; nil: at once
}

// conn is one end. Whoever holds it closes it, also after a fault, as with TCP. Reads come straight from the pipe; writes pass through a queue that one goroutine, deliver, empties.
type conn struct {
	net.Conn // the pipe's end
	network  *Network
	from, to string
	queue    chan packet
	closing  chan struct{} // closed by Close: deliver what is queued, then end
	broken   chan struct{} // closed by breakOff: end now
	once     [2]sync.Once  // for closing and broken
}

func newConn(n *Network, pipe net.Conn, from, to string) *conn {
	c := &conn{
		Conn: pipe, network: n, from: from, to: to,
		queue: make(chan packet, queued), closing: make(chan struct{}), broken: make(chan struct{}),
	}
	go c.deliver()
	return c
}

func (c *conn) LocalAddr() net.Addr  { return address(c.from) }
func (c *conn) RemoteAddr() net.Addr { return address(c.to) }

// Write puts a copy into the queue.
func (c *conn) Write(p []byte) (int, error) {
	delay, lost := c.network.fate()
	action, gate := c.network.ask(c.from, c.to, p)
	if lost || action == Cut {
		c.breakOff()
	}
	select { // a closed connection must win over a queue with room
	case <-c.closing:
		return 0, fmt.Errorf("fakenet: write to %s: %w", c.to, net.ErrClosed)
	case <-c.broken:
		return 0, fmt.Errorf("%w: write to %s", ErrBroken, c.to)
	default:
	}
	next := packet{bytes: append([]byte(nil), p...)}
	if action == Hold {
		next.gate = gate
	}
	if delay > 0 {
		next.due = time.Now().Add(delay)
	}
	select {
	case c.queue <- next:
		return len(p), nil
	case <-c.closing:
		return 0, fmt.Errorf("fakenet: write to %s: %w", c.to, net.ErrClosed)
	case <-c.broken:
		return 0, fmt.Errorf("%w: write to %s", ErrBroken, c.to)
	}
}

// Close ends the connection after what has been written is delivered, as TCP does.
func (c *conn) Close() error {
	c.once[0].Do(func() { close(c.closing) })
	return nil
}

// breakOff ends the connection at once and drops what is in flight.
func (c *conn) breakOff() {
	c.once[1].Do(func() {
		close(c.broken)
		_ = c.Conn.Close() // a pipe's Close cannot fail
	})
}

// deliver moves the queue into the pipe until the connection ends. It owns the end of the pipe.
func (c *conn) deliver() {
	defer c.network.forget(c)
	defer c.breakOff()
	for {
		select {
		case p := <-c.queue:
			if !c.pass(p) {
				return
			}
			continue
		case <-c.broken:
			return
		case <-c.closing:
		}
		for { // closing: empty the queue
			select {
			case p := <-c.queue:
				if !c.pass(p) {
					return
				}
			default:
				return
			}
		}
	}
}

// pass waits until a packet is due and writes it. It reports whether the connection still stands.
func (c *conn) pass(p packet) bool {
	if p.gate != nil {
		select {
		case <-p.gate:
		case <-c.broken:
			return false
		}
	}
	if wait := time.Until(p.due); !p.due.IsZero() && wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.broken:
			return false
		}
	}
	_, err := c.Conn.Write(p.bytes)
	return err == nil
}
