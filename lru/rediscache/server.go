package rediscache

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// patience is how long a call waits for the server. A healthy one answers within a millisecond or two, and the
	// source is usually not slower than this.
	patience = 250 * time.Millisecond
	// tolerated failures in a row open the breaker, for breakTime.
	tolerated = 5
	breakTime = time.Second
)

// server sends scripts. It leaves a call that takes too long, whatever the client does about contexts, and after a few
// failures in a row it says no by itself for a while, so that a dead server does not slow every load down.
type server struct {
	do      func(ctx context.Context, args ...any) (any, error)
	onError func(error)

	mu       sync.Mutex
	failures int
	closedTo time.Time // the breaker is open until then
}

// ready reports whether it is worth asking.
func (s *server) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures < tolerated || !time.Now().Before(s.closedTo)
}

// note counts an outcome for the breaker.
func (s *server) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failures = 0
		return
	}
	if s.failures++; s.failures >= tolerated {
		s.closedTo = time.Now().Add(breakTime)
	}
}

// eval runs a script on one key. An error that is the caller's own context is no failure of the server.
func (s *server) eval(ctx context.Context, sc script, key string, args ...string) (any, error) {
	return s.evalOr(ctx, nil, sc, key, args...)
}

// evalOr is eval with a function that gets a reply which came too late for the caller.
func (s *server) evalOr(ctx context.Context, late func(reply any), sc script, key string, args ...string) (any, error) {
	type answer struct {
		reply any
		err   error
	}
	command := []any{"EVALSHA", sc.sha, "1", key} // strings, which every client can send
	for _, a := range args {
		command = append(command, a)
	}
	limited, cancel := context.WithTimeoutCause(ctx, patience, ErrSlow)
	got := make(chan answer, 1)
	taken := make(chan bool, 1)
	go func() {
		defer cancel()
		reply, err := s.do(limited, command...)
		if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") { // the script did not run
			command[0], command[1] = "EVAL", sc.text
			reply, err = s.do(limited, command...)
		}
		got <- answer{reply, err}
		if left := <-taken; left && err == nil && late != nil {
			late(reply)
		}
	}()
	select {
	case a := <-got:
		taken <- false
		if a.err != nil && limited.Err() != nil {
			a.err = fmt.Errorf("rediscache: %w: %w", context.Cause(limited), a.err)
		}
		if ctx.Err() == nil {
			s.note(a.err)
		}
		return a.reply, a.err
	case <-limited.Done():
		taken <- true
		err := fmt.Errorf("rediscache: %w", context.Cause(limited))
		if ctx.Err() == nil {
			s.note(err)
		}
		return nil, err
	}
}

// failed tells of an error that was survived.
func (s *server) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.onError(err)
	}
}
