package wire

import (
	"bufio"
	"context"
	"net"
	"sync"
)

// Server answers the requests that come in on a listener.
type Server struct {
	// Handle answers one request. Its context ends with the server.
	Handle func(ctx context.Context, m Message) Message
	// Quick says which kinds are answered at once, in order, on the connection's own goroutine. The others wait for other nodes
	// and get a goroutine each.
	Quick func(k Kind) bool

	tasks sync.WaitGroup
	mu    sync.Mutex // guards conns
	conns map[net.Conn]struct{}
}

// Serve runs until the listener closes or ctx ends, then breaks the connections and waits for the requests that are running.
func (s *Server) Serve(ctx context.Context, listener net.Listener) {
	s.conns = make(map[net.Conn]struct{})
	ctx, stop := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { s.end(listener) })
	for {
		c, err := listener.Accept()
		if err != nil {
			break // closed, by us or by a kill
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		if ctx.Err() != nil {
			_ = c.Close() // end may have missed it
		}
		s.tasks.Go(func() { s.connection(ctx, c) })
	}
	stop()
	s.tasks.Wait()
}

// end closes everything. The readers and the accept loop notice; nothing is to be saved, so errors have no meaning.
func (s *Server) end(listener net.Listener) {
	_ = listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *Server) connection(ctx context.Context, c net.Conn) {
	defer func() {
		_ = c.Close() // the other side sees the end
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	var writing sync.Mutex // one frame at a time
	answer := func(request Message) {
		m := s.Handle(ctx, request)
		m.Number = request.Number
		writing.Lock()
		defer writing.Unlock()
		if _, err := c.Write(m.encode()); err != nil {
			_ = c.Close() // a half-written frame makes the rest unreadable
		}
	}
	r := bufio.NewReader(c)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		if s.Quick(m.Kind) {
			answer(m)
		} else {
			s.tasks.Go(func() { answer(m) })
		}
	}
}
