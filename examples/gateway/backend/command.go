package backend

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/session/redissession"
)

// Command is "gateway machine -redis ADDR": one machine as a process of its own, for gateways that run with -to. It prints its URL,
// and stops in order when it is interrupted.
func Command(ctx context.Context, command claim.Command) (err error) {
	fs := flag.NewFlagSet("gateway machine", flag.ContinueOnError)
	fs.SetOutput(command.Stderr)
	addr := fs.String("addr", "127.0.0.1:0", "listen on `HOST:PORT`; port 0 takes a free one")
	redis := fs.String("redis", "", "keep the sessions in the Redis server at `ADDR`, which all machines share")
	if err := fs.Parse(command.Args); err != nil {
		return fmt.Errorf("%w: %w", claim.ErrUsage, err)
	}
	if *redis == "" || fs.NArg() > 0 {
		return fmt.Errorf("%w: want gateway machine -redis ADDR [-addr HOST:PORT]", claim.ErrUsage)
	}
	engines := engine.Engines{Redis: *redis}
	if err := connect.Reach(ctx, engines); err != nil {
		return err
	}
	opened, err := connect.Open(ctx, engines, connect.Options{Name: "gateway"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close(ctx)) }()
	store, err := redissession.New(opened.Redis.Do, redissession.Options{Prefix: opened.Prefix + "session:"})
	if err != nil {
		return err
	}
	m, err := New(store)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Serve(listener) }()
	if _, err := fmt.Fprintf(command.Stdout, "http://%s\n", listener.Addr()); err != nil {
		return errors.Join(err, m.Kill())
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return m.Stop(grace)
}
