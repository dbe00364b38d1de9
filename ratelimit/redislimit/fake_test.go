package redislimit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// reply is what a client's command returns.
type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// state of a key in the fake server.
type state struct {
	at   int64 // microseconds
	used []int64
}

// server decides as the script does, on integers of its own. It is a model, not a copy: no expiry, no text.
type server struct {
	mu      sync.Mutex
	keys    map[string]*state
	loaded  bool
	calls   int
	ops     int
	before  func(ctx context.Context, args []any) (any, error, bool) // answers instead of the server when true
	after   func(v any) (any, error)                                 // changes what the server answers
	latency time.Duration
}

func newServer() *server { return &server{keys: map[string]*state{}} }

func (s *server) do(ctx context.Context, args ...any) reply {
	s.mu.Lock()
	s.calls++
	before, after, latency := s.before, s.after, s.latency
	s.mu.Unlock()
	if before != nil {
		if v, err, done := before(ctx, args); done {
			return reply{v, err}
		}
	}
	if latency > 0 {
		<-time.After(latency)
	}
	s.mu.Lock()
	v, err := s.run(args)
	s.mu.Unlock()
	if err == nil && after != nil {
		v, err = after(v)
	}
	return reply{v, err}
}

func (s *server) run(args []any) (any, error) {
	switch args[0] {
	case "DEL":
		delete(s.keys, args[1].(string))
		return int64(1), nil
	case "EVALSHA":
		if !s.loaded {
			return nil, errors.New("NOSCRIPT No matching script. Please use EVAL")
		}
		if args[1] != scriptSHA() {
			return nil, errors.New("ERR wrong name")
		}
	case "EVAL":
		s.loaded = true
	}
	arg := func(i int) int64 {
		n, err := strconv.ParseInt(args[4+i].(string), 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	key, k := args[3].(string), int(arg(0))
	now := time.Now().UnixMicro()
	st := s.keys[key]
	if st == nil {
		st = &state{at: now, used: make([]int64, k)}
		s.keys[key] = st
	}
	out := []any{now}
	for i := range k {
		st.used[i] = max(0, st.used[i]-min((now-st.at), 1<<40)*arg(1+4*i))
	}
	st.at = now
	for a := 1 + 4*k; a < len(args)-4; a += 3 {
		s.ops++
		n, m, granted := arg(a+1), arg(a+2), arg(a+1)
		token := func(i int) int64 { return arg(2 + 4*i) }
		burst := func(i int) int64 { return arg(3 + 4*i) }
		switch args[4+a] {
		case "c":
			for i := range k {
				st.used[i] = max(0, min(st.used[i]+n*token(i), 2*burst(i)))
			}
		default:
			for i := range k {
				if n > 0 && st.used[i]+n*token(i) > burst(i) {
					granted = -1
				}
			}
			if granted > 0 && args[4+a] == "t" {
				for i := range k {
					m = min(m, (burst(i)-st.used[i])/token(i)/8)
				}
				granted = max(n, m)
				for i := range k {
					st.used[i] += granted * token(i)
				}
			}
		}
		out = append(out, granted)
		for i := range k {
			out = append(out, st.used[i])
		}
	}
	return out, nil
}

// used returns the tokens used of key, of one limit of a token per token units.
func (s *server) used(key string, token int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.keys[key]; st != nil {
		return fmt.Sprint(float64(st.used[0]) / float64(token))
	}
	return "0"
}

func mustNew(tb testing.TB, s *server, o Options, limits ...ratelimit.Limit) *Limiter {
	tb.Helper()
	l, err := New(s.do, limits, o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
