package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

// paged is claim g: a client walks through its links over HTTP, and between two pages links are created at the top or deleted
// from what it has seen. The control differs in one parameter of the first request.
func (c *config) paged(query string) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return c.with(ctx, env, 2000, func(s *local.System) (facts claim.Facts, err error) {
			codes, err := fill(ctx, env, s, env.Size(1000))
			if err != nil {
				return nil, err
			}
			w := newWalk(s, env, codes)
			err = online(ctx, s.Front, func(url string) error { return w.through(ctx, url+"/api/links?"+query) })
			return w.facts, err
		})
	}
}

// walk is one reading of "my links" with its books.
type walk struct {
	s       *local.System
	rng     *rand.Rand
	present map[string]bool // there from beginning to end
	times   map[string]int  // seen so often
	order   []string        // as seen
	facts   claim.Facts
}

func newWalk(s *local.System, env claim.Env, codes []string) *walk {
	w := &walk{s: s, rng: workload.Rand(env.Seed, 40), present: make(map[string]bool), times: make(map[string]int)}
	for _, code := range codes {
		w.present[code] = true
	}
	w.facts = claim.Facts{"links": float64(len(codes)), "came": 0, "went": 0, "seen": 0, "duplicates": 0, "missed": 0}
	return w
}

func (w *walk) through(ctx context.Context, url string) error {
	const limit = 20
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	options := httppage.ClientOptions{Client: client, Header: http.Header{"Authorization": {"Bearer ada"}}}
	for l, err := range httppage.Walk[links.Link](ctx, fmt.Sprint(url, "limit=", limit), options) {
		if err != nil {
			return err
		}
		w.order = append(w.order, l.Code)
		w.times[l.Code]++
		if w.times[l.Code] == 2 {
			w.facts["duplicates"]++
		}
		if len(w.order)%limit == 0 { // the last of a page: the next one has not been asked for
			if err := w.disturb(ctx, len(w.order)/limit); err != nil {
				return err
			}
		}
	}
	w.facts["seen"] = float64(len(w.times))
	for code := range w.present {
		if w.times[code] == 0 {
			w.facts["missed"]++
		}
	}
	return nil
}

// disturb creates up to five links after every odd page, and deletes up to five seen ones after every even page.
func (w *walk) disturb(ctx context.Context, page int) error {
	for range 1 + w.rng.IntN(5) {
		if page%2 == 1 {
			if _, err := w.s.Services[page%local.Instances].Create(ctx, links.Link{URL: "https://example.com/new", Owner: "ada"}); err != nil {
				return err
			}
			w.facts["came"]++
			continue
		}
		code := w.order[w.rng.IntN(len(w.order))]
		switch err := w.s.Services[page%local.Instances].Delete(ctx, "ada", code); {
		case errors.Is(err, links.ErrNotFound): // drawn before
		case err != nil:
			return err
		default:
			w.facts["went"]++
			delete(w.present, code)
		}
	}
	return nil
}
