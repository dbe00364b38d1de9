package fakenet

import (
	"context"
	"net"
	"net/http"
	"time"
)

// HTTP serves a handler on a network of its own, without faults, and returns a client that reaches it under any host name. The
// requests pass through the whole of net/http. Call stop at the end.
func HTTP(handler http.Handler) (client *http.Client, stop func()) {
	network := New(0)
	listener := network.listen("server")
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends when stop closes the listener
	}()
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return network.Dial(ctx, "client", "server")
		},
	}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		_ = server.Close() // closes the listener, which cannot fail
		network.Close()
		<-ended
	}
}
