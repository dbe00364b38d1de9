package wire

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Dial connects to a node by its ID.
type Dial func(ctx context.Context, to string) (net.Conn, error)

// redial is how long a peer that could not be reached is left alone: without it every request to a dead node would wait for its
// own refusal.
const redial = 20 * time.Millisecond

// Peers are the connections to other nodes, one each, opened when first needed.
type Peers struct {
	dial Dial
	mu   sync.Mutex // guards all
	all  map[string]*peer
}

// NewPeers makes the connections of one node or client.
func NewPeers(dial Dial) *Peers { return &Peers{dial: dial, all: make(map[string]*peer)} }

// Call sends a request and waits for its answer, the end of the connection, or ctx.
func (ps *Peers) Call(ctx context.Context, to string, m Message) (Message, error) {
	ps.mu.Lock()
	p := ps.all[to]
	if p == nil {
		p = &peer{id: to}
		ps.all[to] = p
	}
	ps.mu.Unlock()
	l, err := p.connected(ctx, ps.dial)
	if err != nil {
		return Message{}, err
	}
	return l.call(ctx, m)
}

// Close ends all connections.
func (ps *Peers) Close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.all {
		p.mu.Lock()
		if p.link != nil {
			p.link.end()
		}
		p.mu.Unlock()
	}
}

type peer struct {
	id       string
	mu       sync.Mutex // held while dialling, so that one dial serves all who wait
	link     *link
	failedAt time.Time
	failure  error
}

func (p *peer) connected(ctx context.Context, dial Dial) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != nil && p.link.alive() {
		return p.link, nil
	}
	if p.failure != nil && time.Since(p.failedAt) < redial {
		return nil, p.failure
	}
	conn, err := dial(ctx, p.id)
	if err != nil {
		p.failedAt, p.failure = time.Now(), fmt.Errorf("wire: node %s: %w", p.id, err)
		return nil, p.failure
	}
	p.failure = nil
	p.link = newLink(p.id, conn)
	return p.link, nil
}

// link is one connection on which many requests wait for their answers.
type link struct {
	id      string
	conn    net.Conn
	writing sync.Mutex // one frame at a time
	mu      sync.Mutex // guards waiting and number
	waiting map[uint64]chan<- Message
	number  uint64
	broken  chan struct{} // closed by the reader when the connection has ended
}

func newLink(id string, conn net.Conn) *link {
	l := &link{id: id, conn: conn, waiting: make(map[uint64]chan<- Message), broken: make(chan struct{})}
	go l.read()
	return l
}

func (l *link) alive() bool {
	select {
	case <-l.broken:
		return false
	default:
		return true
	}
}

func (l *link) end() { _ = l.conn.Close() } // the reader notices

// read hands answers to those who wait, until the connection ends.
func (l *link) read() {
	defer close(l.broken)
	defer l.end()
	r := bufio.NewReader(l.conn)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		l.mu.Lock()
		waiter := l.waiting[m.Number]
		delete(l.waiting, m.Number)
		l.mu.Unlock()
		if waiter != nil {
			waiter <- m // has room for one
		}
	}
}

func (l *link) call(ctx context.Context, m Message) (Message, error) {
	reply := make(chan Message, 1)
	l.mu.Lock()
	l.number++
	m.Number = l.number
	l.waiting[m.Number] = reply
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, m.Number)
		l.mu.Unlock()
	}()
	l.writing.Lock()
	_, err := l.conn.Write(m.encode())
	l.writing.Unlock()
	if err != nil {
		l.end() // a half-written frame makes the rest unreadable
		return Message{}, fmt.Errorf("wire: node %s: %w", l.id, err)
	}
	select {
	case m := <-reply:
		return m, nil
	case <-l.broken:
		return Message{}, fmt.Errorf("wire: node %s: connection ended", l.id)
	case <-ctx.Done():
		return Message{}, fmt.Errorf("wire: node %s: %w", l.id, context.Cause(ctx))
	}
}
