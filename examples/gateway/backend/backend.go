// Package backend is a machine behind the gateway: the application, with sessions, and the way in which it stops.
//
//	web.go       the application; it finds a session by the cookie and keeps nothing of it between two requests
//	drain.go     how a machine finds out that it may stop without failing a request
//	backend.go   a machine's life: Serve, then Stop or Kill
//	command.go   a machine as a process of its own
package backend

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Machine is one life of a machine: after Stop or Kill it does not serve again.
type Machine struct {
	server *http.Server
	drain  *drain
}

// New makes a machine that keeps its sessions in a store. A store that all machines share makes them exchangeable.
func New(store session.Store) (*Machine, error) {
	// Insecure, because it runs without TLS; behind a gateway that ends TLS the zero value of session.Cookie is right.
	sessions, err := session.New[Cart](store, session.Options{Transport: session.Cookie{Insecure: true}})
	if err != nil {
		return nil, err
	}
	d := newDrain()
	return &Machine{server: &http.Server{Handler: newWeb(sessions, d), ReadHeaderTimeout: 10 * time.Second}, drain: d}, nil
}

// Serve answers until Stop or Kill; its error is nil then.
func (m *Machine) Serve(l net.Listener) error {
	if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Stop ends the machine when no gateway has a request here or will send one, or when ctx ends.
func (m *Machine) Stop(ctx context.Context) error {
	if err := m.drain.wait(ctx); err != nil {
		return errors.Join(err, m.server.Close())
	}
	return m.server.Shutdown(ctx) // for clients that do not come through a gateway
}

// Kill ends the machine with what it is doing.
func (m *Machine) Kill() error { return m.server.Close() }
