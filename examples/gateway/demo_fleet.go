package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/local"
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
)

// restarted is claim c: every machine is stopped and started again, one after the other, under load. The control stops them at once.
func (c *config) restarted(drained bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return c.with(ctx, env, local.Options{Limit: plenty(), Deadline: deadline, Probe: 5 * time.Millisecond}, func(s *local.System, client *http.Client) (claim.Facts, error) {
			restarts, rounds, l := 0, env.Size(8), &load{answered: make(chan struct{})}
			err := l.during(ctx, client, func() error {
				for range rounds {
					for _, name := range s.Machines {
						env.Note("c: %d restarts", restarts)
						if err := errors.Join(l.settle(ctx), restart(ctx, s, name, drained)); err != nil {
							return err
						}
						restarts++
					}
				}
				return nil
			})
			return claim.Facts{"requests": float64(l.sent.Load()), "restarts": float64(restarts), "failed": float64(l.failed.Load())}, err
		})
	}
}

func restart(ctx context.Context, s *local.System, name string, drained bool) error {
	stop := func() error { return s.Kill(name) }
	if drained {
		stop = func() error { return s.Drain(ctx, name) }
	}
	if err := stop(); err != nil {
		return err
	}
	if err := s.Start(name); err != nil {
		return err
	}
	return s.Await(ctx, name, proxy.Ready)
}

// load is requests that take some milliseconds each, so that there are always some under way. They must not be sent twice, so that
// nobody can hide a failure by repeating them.
type load struct {
	sent, failed atomic.Int64  // counted by workers, read at the end
	over         atomic.Bool   // set at the end; workers look at it between two requests
	answered     chan struct{} // offered by workers at each answer
}

// during keeps 16 requests under way while something happens.
func (l *load) during(ctx context.Context, client *http.Client, happens func() error) error {
	const workers = 16
	ended := make(chan error, 1)
	go func() {
		ended <- workload.Each(ctx, workers, workers, func(ctx context.Context, _, _ int) error {
			for !l.over.Load() && ctx.Err() == nil {
				got, err := ask(ctx, client, http.MethodPost, "/work?ms=5", "")
				if err != nil {
					return err // between client and gateway nothing happens
				}
				l.sent.Add(1)
				if got.status != http.StatusNoContent {
					l.failed.Add(1)
				}
				select {
				case l.answered <- struct{}{}:
				default: // nobody waits for it
				}
			}
			return nil
		})
	}()
	err := happens()
	l.over.Store(true)
	return errors.Join(err, <-ended)
}

// settle returns when the load has been answered for a while, and so is spread over all machines.
func (l *load) settle(ctx context.Context) error {
	for range 32 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.answered:
		}
	}
	return nil
}

// died is claim d: users log in, the machine of one of them dies, and everybody asks who he is. The policy is hash, which sends a
// user to one machine for as long as that lives. The control differs in where the machines keep sessions.
func (c *config) died(sticky bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		o := local.Options{Policy: "hash", Limit: plenty(), Deadline: deadline, Sticky: sticky}
		return c.with(ctx, env, o, func(s *local.System, client *http.Client) (claim.Facts, error) {
			users, err := logIn(ctx, client, env.Size(500))
			if err != nil {
				return nil, err
			}
			facts := claim.Facts{"users": float64(len(users)), "on-that-machine": 0, "unanswered": 0, "logged-out": 0}
			dead := users[workload.Rand(env.Seed, 70).IntN(len(users))].machine
			for _, u := range users {
				if u.machine == dead {
					facts["on-that-machine"]++
				}
			}
			if err := s.Kill(dead); err != nil {
				return nil, err
			}
			for _, u := range users {
				got, err := ask(ctx, u.client, http.MethodGet, "/me", "")
				if err != nil {
					return nil, err
				}
				var me struct{ User string }
				switch err := json.Unmarshal([]byte(got.body), &me); {
				case got.status != http.StatusOK || err != nil:
					facts["unanswered"]++
				case me.User != u.name:
					facts["logged-out"]++
				}
			}
			return facts, nil
		})
	}
}

// browser is a user with cookies.
type browser struct {
	client        *http.Client
	name, machine string
}

// logIn lets n users log in, each with a browser of his own.
func logIn(ctx context.Context, client *http.Client, n int) ([]browser, error) {
	users := make([]browser, n)
	return users, workload.Each(ctx, 8, n, func(ctx context.Context, _, i int) error {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		name := "user-" + strconv.Itoa(i)
		users[i] = browser{name: name, client: &http.Client{Transport: client.Transport, Jar: jar}}
		got, err := ask(ctx, users[i].client, http.MethodPost, "/login?user="+name, "")
		if err != nil {
			return err
		}
		if got.status != http.StatusOK {
			return fmt.Errorf("%s cannot log in: status %d", name, got.status)
		}
		users[i].machine = got.header.Get(proxy.MachineHeader)
		return nil
	})
}
