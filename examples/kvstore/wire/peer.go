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

// A peer that could not be reached is left alone for aloof times as long as it took to find that out, at most restTime. A refusal
// costs nothing, and the peer is tried again at once; silence costs seconds, and then not every request should wait for its own.
const (
	aloof    = 10
	restTime = time.Second
)

// Peers are the connections to other nodes, one each, opened when first needed.
type Peers struct {
	dial Dial
	mu   sync.Mutex       // guards all
	all  map[string]*peer // nil after Close
}

// NewPeers makes the connections of one node or client.
func NewPeers(dial Dial) *Peers { return &Peers{dial: dial, all: make(map[string]*peer)} }

// Call sends a request and waits for its answer, the end of the connection, or ctx.
func (ps *Peers) Call(ctx context.Context, to string, m Message) (Message, error) {
	p, err := ps.peer(to)
	if err != nil {
		return Message{}, err
	}
	l, err := p.connected(ctx, ps.dial)
	if err != nil {
		return Message{}, err
	}
	return l.call(ctx, m)
}

func (ps *Peers) peer(id string) (*peer, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all == nil {
		return nil, net.ErrClosed
	}
	if ps.all[id] == nil {
		ps.all[id] = &peer{id: id}
	}
	return ps.all[id], nil
}

// Close ends all connections; a later Call fails.
func (ps *Peers) Close() {
	ps.mu.Lock()
	all := ps.all
	ps.all = nil
	ps.mu.Unlock()
	for _, p := range all {
		p.close()
	}
}

type peer struct {
	id      string
	mu      sync.Mutex // held while dialling, so that one dial serves all who wait
	link    *link
	resting time.Time // no dial before
	failure error
	closed  bool
}

func (p *peer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.link != nil {
		p.link.end()
	}
}

func (p *peer) connected(ctx context.Context, dial Dial) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != nil && p.link.alive() {
		return p.link, nil
	}
	if p.closed {
		return nil, net.ErrClosed
	}
	began := time.Now()
	if p.failure != nil && began.Before(p.resting) {
		return nil, p.failure
	}
	conn, err := dial(ctx, p.id)
	if err != nil {
		took := time.Since(began)
		p.resting = began.Add(took + min(aloof*took, restTime))
		p.failure = fmt.Errorf("wire: node %s: %w", p.id, err)
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
