package claim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
)

// Site is what a served system needs to know.
type Site struct {
	Addr      string // host:port
	Data      string // an existing folder
	Engines   engine.Engines
	Out       io.Writer
	Exchanges []exchange.Exchange
}

// HTTP listens, prints the URL as its first line and the curl lines after it, and serves until ctx ends. Requests that are
// running then have ten seconds to finish: the server itself waits five for a connection that has been opened and not used yet.
func (s Site) HTTP(ctx context.Context, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	url := "http://" + listener.Addr().String()
	var text strings.Builder
	text.WriteString(url + "\n\ntry:\n")
	for _, e := range s.Exchanges {
		fmt.Fprintf(&text, "  %-72s # %s\n", e.Curl(url), e.What)
	}
	if _, err := io.WriteString(s.Out, text.String()); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
