package main

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/local"
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/ratelimit"
)

// hammered is claim a: one user asks as fast as he can, at all gateways. The control differs in where they count.
//
// The limiter has a long deadline here, and refuses when it cannot count: a limit that is open to errors is a limit as long as
// there are none, which is what claim f is about.
func (c *config) hammered(apart bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		limit := ratelimit.PerSecond(50).WithBurst(25)
		o := local.Options{Limit: limit, Apart: apart, Closed: true, Deadline: 2 * time.Second}
		return c.with(ctx, env, o, func(_ *local.System, client *http.Client) (claim.Facts, error) {
			requests, admitted, took, err := hammer(ctx, env, client)
			allowed := func(t time.Duration) float64 { return float64(limit.Burst) + float64(limit.Count)*t.Seconds() }
			windows, over := workload.Windows(admitted, allowed)
			return claim.Facts{
				"gateways": gateways, "requests": float64(requests), "admitted": float64(len(admitted)), "allowed": allowed(took),
				"times-allowed": float64(len(admitted)) / allowed(took), "windows": float64(windows), "over-admitted": float64(over),
			}, err
		})
	}
}

// hammer sends requests for a while, and on a slow machine for as long as 400 of them take, and returns when those that were admitted
// were under way.
func hammer(ctx context.Context, env claim.Env, client *http.Client) (requests int, admitted []workload.Span, took time.Duration, err error) {
	const workers, enough = 16, 400
	lasts := 1500 * time.Millisecond
	if env.Quick {
		lasts = 120 * time.Millisecond
	}
	var mu sync.Mutex
	began := time.Now()
	err = workload.Each(ctx, workers, workers, func(ctx context.Context, _, _ int) error {
		for sent := 0; sent < enough/workers || time.Since(began) < lasts; sent++ {
			from := time.Now()
			got, err := ask(ctx, client, http.MethodGet, "/me", "greedy")
			if err != nil {
				return err
			}
			mu.Lock()
			requests++
			if got.status == http.StatusOK {
				admitted = append(admitted, workload.Span{From: from, To: time.Now()})
			}
			env.Note("a: %d requests", requests)
			mu.Unlock()
		}
		return nil
	})
	return requests, admitted, time.Since(began), err
}

// crowd is how many clients claim f has at once.
const crowd = 64

// stalled is claim f: the store of the limiter takes requests and never answers, before gateways of either kind.
func (c *config) stalled(ctx context.Context, env claim.Env) (claim.Facts, error) {
	facts, n := claim.Facts{"recovered": 0}, env.Size(640)
	var latencies []time.Duration
	for _, closed := range []bool{false, true} {
		_, err := c.with(ctx, env, local.Options{Limit: plenty(), Closed: closed, Deadline: deadline}, func(s *local.System, client *http.Client) (claim.Facts, error) {
			before, err := flood(ctx, client, n)
			if err != nil {
				return nil, err
			}
			s.Stall(true)
			during, err := flood(ctx, client, n)
			if err != nil {
				return nil, err
			}
			s.Stall(false)
			if closed {
				describe(facts, "closed", before, during)
			} else {
				describe(facts, "open", before, during)
			}
			for _, a := range during {
				latencies = append(latencies, a.latency)
			}
			return nil, recovered(ctx, client, facts)
		})
		if err != nil {
			return nil, err
		}
	}
	facts["p99-ms"] = p99(latencies)
	return facts, nil
}

// describe writes what clients have got before and during the stall.
func describe(facts claim.Facts, mode string, before, during []answer) {
	count := func(answers []answer, what func(a answer) bool) (n float64) {
		for _, a := range answers {
			if what(a) {
				n++
			}
		}
		return n
	}
	ok := func(a answer) bool { return a.status == http.StatusOK }
	facts[mode+"-counted"] = count(before, func(a answer) bool { return ok(a) && a.counted() })
	facts[mode+"-requests"] = float64(len(during))
	if mode == "closed" {
		facts["closed-admitted"] = count(during, ok)
		facts["closed-503"] = count(during, func(a answer) bool { return a.status == http.StatusServiceUnavailable })
		return
	}
	facts["open-failed"] = count(during, func(a answer) bool { return !ok(a) })
	facts["open-marked"] = count(during, func(a answer) bool { return a.header.Get(proxy.UnlimitedHeader) == "unavailable" })
}

// recovered asks until a request is counted again; a breaker in the limiter may take a second.
func recovered(ctx context.Context, client *http.Client, facts claim.Facts) error {
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := ask(ctx, client, http.MethodGet, "/me", "anybody")
		if err != nil {
			return err
		}
		if got.counted() {
			facts["recovered"]++
			return nil
		}
		select {
		case <-patience.Done():
			return nil // it does not recover, and the facts say so
		case <-tick.C:
		}
	}
}

// patient is the control of claim f: no deadline. The store is away for little more than a second, and so is everything.
func (c *config) patient(ctx context.Context, env claim.Env) (claim.Facts, error) {
	return c.with(ctx, env, local.Options{Limit: plenty()}, func(s *local.System, client *http.Client) (claim.Facts, error) {
		s.Stall(true)
		end := time.AfterFunc(1010*time.Millisecond, func() { s.Stall(false) })
		defer end.Stop()
		answers, err := flood(ctx, client, crowd)
		facts, latencies := claim.Facts{"requests": float64(len(answers)), "decided": 0}, make([]time.Duration, len(answers))
		for i, a := range answers {
			latencies[i] = a.latency
			if a.counted() {
				facts["decided"]++
			}
		}
		facts["p99-ms"] = p99(latencies)
		return facts, err
	})
}

// flood sends n requests by many clients at once.
func flood(ctx context.Context, client *http.Client, n int) ([]answer, error) {
	answers := make([]answer, n)
	return answers, workload.Each(ctx, crowd, n, func(ctx context.Context, _, i int) (err error) {
		answers[i], err = ask(ctx, client, http.MethodGet, "/me", "anybody")
		return err
	})
}

// p99 is the latency that 99 of 100 do not exceed, in whole milliseconds.
func p99(latencies []time.Duration) float64 {
	if len(latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(latencies))
	rank := int(math.Ceil(0.99 * float64(len(sorted))))
	return math.Round(sorted[rank-1].Seconds() * 1000)
}
