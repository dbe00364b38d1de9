// Package host starts the servers of internal/integration/servers for benchmarks, which have no test to start them for.
package host

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// Host stands in for a test. The zero value is ready.
type Host struct {
	testing.TB
	ends []func()
	err  error
}

// Helper does nothing.
func (*Host) Helper() {}

// Failed is always false.
func (*Host) Failed() bool { return false }

// Logf drops its text.
func (*Host) Logf(string, ...any) {}

// Cleanup has f run by Close.
func (h *Host) Cleanup(f func()) { h.ends = append(h.ends, f) }

// Errorf makes Run return an error.
func (h *Host) Errorf(f string, a ...any) { h.err = fmt.Errorf(f, a...) }

// Fatal ends Run with an error.
func (h *Host) Fatal(a ...any) { h.Fatalf("%s", fmt.Sprint(a...)) }

// Skipf is Fatalf: a row without its server is an error.
func (h *Host) Skipf(f string, a ...any) { h.Fatalf(f, a...) }

// Fatalf ends Run with an error.
func (h *Host) Fatalf(f string, a ...any) {
	h.Errorf(f, a...)
	runtime.Goexit()
}

// Run calls f, which may end in Fatal or Skip, and returns the error with which it did, or did before.
func (h *Host) Run(f func()) error {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Wait()
	return h.err
}

// Err is the error of Run, for those who come later.
func (h *Host) Err() error { return h.err }

// Close stops the servers.
func (h *Host) Close() {
	for _, f := range slices.Backward(h.ends) {
		f()
	}
	h.ends = nil
}

// Redis starts a server that holds nothing on disk; stop ends it.
func Redis() (c *redis.Client, stop func(), err error) {
	h := &Host{}
	var server *servers.Server
	if err := h.Run(func() { server = servers.Redis(h, "--appendonly", "no", "--save", "") }); err != nil {
		h.Close()
		return nil, nil, err
	}
	c = redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 64})
	return c, func() {
		_ = c.Close()
		h.Close()
	}, nil
}
