package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/newsfeed/attack"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

// paged is claim b: a reader pages through his feed over HTTP, from copies that differ, while the authors publish and delete two
// hundred times a second. The control differs in one parameter of the first request.
func (c *config) paged(query string) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		return c.with(ctx, env, nil, func(s *local.System) (facts claim.Facts, err error) {
			authors := attack.People("author", 16)
			if err := attack.Follow(ctx, s, authors, []string{"reader"}); err != nil {
				return nil, err
			}
			posts, err := attack.Publish(ctx, env, s, authors, max(env.Size(400), 200))
			if err != nil {
				return nil, err
			}
			if err := attack.Settle(ctx, env, s); err != nil {
				return nil, err
			}
			facts = claim.Facts{"present": float64(len(posts)), "seen": 0, "duplicates": 0, "missed": 0}
			stop := attack.Churn(ctx, env, s, authors)
			err = exchange.Online(ctx, s.Front, func(url string) error {
				attack.Wait(ctx, 2*c.travel(env)) // until followers are in the midst of it, too
				times, err := walk(ctx, url+"/api/home?"+query+"limit=20")
				facts["seen"] = float64(len(times))
				for _, p := range posts {
					if times[p.ID] == 0 {
						facts["missed"]++
					}
				}
				for _, n := range times {
					if n > 1 {
						facts["duplicates"]++
					}
				}
				return err
			})
			came, went, stopErr := stop()
			facts["came"], facts["went"] = came, went
			return facts, errors.Join(err, stopErr)
		})
	}
}

// walk reads all pages, one every 25 ms, and returns how often it has seen each post.
func walk(ctx context.Context, url string) (map[idgen.ID]int, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	times, read := make(map[idgen.ID]int), 0
	for p, err := range httppage.Walk[feed.Post](ctx, url, httppage.ClientOptions{Client: client, Header: http.Header{"Authorization": {"Bearer reader"}}}) {
		if err != nil {
			return nil, err
		}
		times[p.ID]++
		if read++; read%20 == 0 {
			attack.Wait(ctx, 25*time.Millisecond)
		}
	}
	return times, nil
}
