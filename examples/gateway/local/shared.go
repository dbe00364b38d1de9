package local

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
)

// What gateways and machines share lies in Redis. Embedded, it lies in the memory of the process, which then stands for a store
// that all can reach.

// openShared makes what there is once.
func (s *System) openShared() (err error) {
	if s.engines.Redis == nil {
		s.leaser = new(idgen.MemoryLeaser)
		if s.limits, err = local(s.o.Limit); err != nil {
			return err
		}
		s.sessions, err = session.NewMemoryStore(session.MemoryOptions{})
		return err
	}
	if s.leaser, err = redisid.NewLeaser(s.engines.Redis.Do, s.engines.Prefix, redisid.LeaserOptions{}); err != nil {
		return err
	}
	s.sessions, err = redissession.New(s.engines.Redis.Do, redissession.Options{Prefix: s.engines.Prefix + "session:"})
	return err
}

// store is where a machine keeps its sessions.
func (s *System) store() (session.Store, error) {
	if s.o.Sticky {
		return session.NewMemoryStore(session.MemoryOptions{})
	}
	return s.sessions, nil
}

// local is a limiter in the memory of the process.
func local(l ratelimit.Limit) (ratelimit.Backend, error) {
	table, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{l}, ratelimit.Options{})
	if err != nil {
		return nil, err
	}
	return ratelimit.Local(table), nil
}

// limiter is what a gateway asks. Of the two, the one in Redis brings a deadline of its own, and a breaker that spares requests
// the wait when the last five have waited in vain.
func (s *System) limiter() (ratelimit.Backend, error) {
	switch {
	case s.o.Apart:
		return local(s.o.Limit)
	case s.engines.Redis != nil:
		timeout := s.o.Deadline
		if timeout == 0 {
			timeout = time.Hour
		}
		l, err := redislimit.New(s.stallable(s.engines.Redis.Do), []ratelimit.Limit{s.o.Limit}, redislimit.Options{
			Prefix: s.engines.Prefix + "limit:", Timeout: timeout,
		})
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, l.Close)
		return l, nil
	case s.o.Deadline == 0:
		return stalling{s.limits, &s.stall}, nil
	}
	return proxy.Within(s.o.Deadline, stalling{s.limits, &s.stall}), nil
}

// stall is the fault of a store that does not answer: connections are open, and nothing comes back.
type stall struct {
	mu   sync.Mutex
	over chan struct{} // nil: no stall; else closed at its end
}

// Stall begins or ends it.
func (s *System) Stall(on bool) {
	s.stall.mu.Lock()
	defer s.stall.mu.Unlock()
	switch {
	case on && s.stall.over == nil:
		s.stall.over = make(chan struct{})
	case !on && s.stall.over != nil:
		close(s.stall.over)
		s.stall.over = nil
	}
}

// wait returns when the store answers again, or with the error of ctx.
func (s *stall) wait(ctx context.Context) error {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-over:
		return nil
	}
}

// stalling is a store in memory that can stall.
type stalling struct {
	ratelimit.Backend
	stall *stall
}

func (b stalling) Take(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	if err := b.stall.wait(ctx); err != nil {
		return ratelimit.Decision{}, err
	}
	return b.Backend.Take(ctx, key, n)
}

// stallable does the same to a real one: its commands are not sent before the stall is over.
func (s *System) stallable(do func(context.Context, ...any) *redis.Cmd) func(context.Context, ...any) *redis.Cmd {
	return func(ctx context.Context, args ...any) *redis.Cmd {
		if err := s.stall.wait(ctx); err != nil {
			failed := redis.NewCmd(ctx, args...)
			failed.SetErr(err)
			return failed
		}
		return do(ctx, args...)
	}
}
