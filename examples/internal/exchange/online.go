package exchange

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Online serves a handler on a free port while use runs.
func Online(ctx context.Context, handler http.Handler, use func(url string) error) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	err = errors.Join(use("http://"+listener.Addr().String()), server.Close())
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
