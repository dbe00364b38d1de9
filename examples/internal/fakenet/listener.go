package fakenet

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// address is the name of a host.
type address string

func (a address) Network() string { return "fakenet" }
func (a address) String() string  { return string(a) }

type listener struct {
	network  *Network
	host     string
	incoming chan net.Conn
	closed   chan struct{} // closed by Close; Accept and offer watch it
	once     sync.Once
}

func (l *listener) Addr() net.Addr { return address(l.host) }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, fmt.Errorf("fakenet: accept on %s: %w", l.host, net.ErrClosed)
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		if l.network.listeners[l.host] == l {
			delete(l.network.listeners, l.host)
		}
		l.network.mu.Unlock()
		close(l.closed)
	})
	return nil
}

// offer hands a connection to Accept.
func (l *listener) offer(ctx context.Context, c net.Conn) error {
	select {
	case l.incoming <- c:
		return nil
	case <-l.closed:
		return fmt.Errorf("%w: %s", ErrRefused, l.host)
	case <-ctx.Done():
		return fmt.Errorf("fakenet: dial %s: %w", l.host, context.Cause(ctx))
	}
}
