package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
	"github.com/sysblocks/sysblocks/examples/tinyurl/web"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

// online serves a handler on a free port while use runs.
func online(ctx context.Context, handler http.Handler, use func(url string) error) error {
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

// contract is claim f: the table of exchanges, answered by four instances in turn.
func (c *config) contract(ctx context.Context, env claim.Env) (facts claim.Facts, err error) {
	return c.with(ctx, env, 100, func(s *local.System) (claim.Facts, error) { return replayed(ctx, env, s.Front) })
}

// agreeable is its control: a server that agrees to everything.
func agreeable(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return replayed(ctx, env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

func replayed(ctx context.Context, env claim.Env, handler http.Handler) (facts claim.Facts, err error) {
	err = online(ctx, handler, func(url string) error {
		client := &http.Client{
			Transport:     &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a redirect is the answer
		}
		defer client.CloseIdleConnections()
		wrong := exchange.Replay(ctx, client, url, web.Exchanges())
		if len(wrong) > 0 {
			env.Note("f: %v", wrong[0])
		}
		facts = claim.Facts{"exchanges": float64(len(web.Exchanges())), "wrong": float64(len(wrong))}
		return nil
	})
	return facts, err
}

// greedy is claim e: one owner creates as fast as the front line lets him, at all instances; twenty others use up their quota and
// then wait exactly as long as they are told.
func (c *config) greedy(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.with(ctx, env, 1000, func(s *local.System) (facts claim.Facts, err error) {
		err = online(ctx, s.Front, func(url string) error {
			var all sync.WaitGroup
			var patience claim.Facts
			var patientErr error
			all.Go(func() { patience, patientErr = patient(ctx, url) })
			facts, err = hammer(ctx, env, url)
			all.Wait()
			maps.Copy(facts, patience)
			return errors.Join(err, patientErr)
		})
		return facts, err
	})
}

// greedyApart is its control: the same limits, counted by each instance for itself.
func (c *config) greedyApart(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.with(ctx, env, 1000, func(s *local.System) (facts claim.Facts, err error) {
		front, err := s.Frontline(local.Apart)
		if err != nil {
			return nil, err
		}
		err = online(ctx, front, func(url string) error {
			facts, err = hammer(ctx, env, url)
			return err
		})
		return facts, err
	})
}

// create sends one creation and returns the status of the answer.
func create(ctx context.Context, client *http.Client, url, owner string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/links", strings.NewReader(`{"url":"https://example.com/"}`))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+owner)
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// hammer creates in one name for a while and looks at every window that can be laid around what was admitted. A slow machine takes
// longer: few requests prove nothing.
func hammer(ctx context.Context, env claim.Env, url string) (claim.Facts, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	limit, lasts := local.Owners(), time.Second
	if env.Quick {
		lasts /= 4
	}
	var mu sync.Mutex
	var admitted []workload.Span
	var requests atomic.Int64
	began := time.Now()
	err := workload.Each(ctx, workers, workers, func(ctx context.Context, _, _ int) error {
		for time.Since(began) < lasts || requests.Load() < 10*limit.Count {
			s := workload.Span{From: time.Now()}
			status, err := create(ctx, client, url, "greedy")
			if err != nil {
				return err
			}
			s.To = time.Now()
			requests.Add(1)
			if status == http.StatusCreated {
				mu.Lock()
				admitted = append(admitted, s)
				mu.Unlock()
			}
		}
		return nil
	})
	quota := func(t time.Duration) float64 {
		return float64(limit.Count) + float64(limit.Count)*t.Seconds()/limit.Per.Seconds()
	}
	facts := claim.Facts{"requests": float64(requests.Load()), "admitted": float64(len(admitted)), "quota": quota(time.Since(began))}
	facts["times-quota"] = facts["admitted"] / facts["quota"]
	windows, over := workload.Windows(admitted, quota)
	facts["windows"], facts["over-quota"] = float64(windows), float64(over)
	return facts, err
}

// patient lets twenty owners use up their quotas. Their transport waits for as long as Retry-After says before it sends the next
// request, which must then be admitted.
func patient(ctx context.Context, url string) (claim.Facts, error) {
	const clients = 20
	pace, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.Unlimited()}, ratelimit.Options{})
	if err != nil {
		return nil, err
	}
	base := &http.Transport{MaxIdleConnsPerHost: clients}
	defer base.CloseIdleConnections()
	client := &http.Client{Transport: httplimit.NewTransport(base, func(r *http.Request) ratelimit.Limiter {
		return pace.Key(r.Header.Get("Authorization"))
	})}
	var mu sync.Mutex
	facts := claim.Facts{"retries": 0, "retry-too-early": 0}
	return facts, workload.Each(ctx, clients, clients, func(ctx context.Context, _, i int) error {
		name := "patient-" + strconv.Itoa(i)
		for range 1000 {
			status, err := create(ctx, client, url, name)
			if err != nil {
				return err
			}
			if status == http.StatusTooManyRequests {
				break
			}
		}
		status, err := create(ctx, client, url, name)
		mu.Lock()
		defer mu.Unlock()
		facts["retries"]++
		if status != http.StatusCreated {
			facts["retry-too-early"]++
		}
		return err
	})
}
