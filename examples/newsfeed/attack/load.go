// Package attack is what the demo does to the system, and the books that it keeps outside of it.
//
// load.go has what all claims use. history.go is for claim a, load.go's Churn for b, killer.go for c, author.go for d, flood.go for e,
// writers.go for f.
package attack

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
)

const workers = 8

// People are names: prefix-0, prefix-1 and so on.
func People(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return names
}

// Follow lets all readers follow each of the authors.
func Follow(ctx context.Context, s *local.System, authors, readers []string) error {
	for _, author := range authors {
		if _, err := s.Copies.Write(ctx, feed.Change{Kind: feed.Followed, Author: author, Readers: readers}); err != nil {
			return err
		}
	}
	return nil
}

// Publish posts n texts, "0", "1", …, by the authors in turn, who say ten things at a time, one after the other.
func Publish(ctx context.Context, env claim.Env, s *local.System, authors []string, n int) ([]feed.Post, error) {
	posts := make([]feed.Post, n)
	return posts, workload.Each(ctx, workers, n, func(ctx context.Context, worker, i int) (err error) {
		env.Note("%d of %d posts", i, n)
		own := len(authors) / workers // each worker has authors of its own
		posts[i], _, err = s.Service.Publish(ctx, authors[worker*own+i/workers/10%own], strconv.Itoa(i))
		return err
	})
}

// Settle waits until nothing is left to be delivered and all followers know it.
func Settle(ctx context.Context, env claim.Env, s *local.System) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		depth, err := s.Broker.Depth(ctx)
		if err != nil {
			return err
		}
		if depth.Waiting == 0 {
			return s.Copies.CatchUp(ctx, s.Copies.Written())
		}
		env.Note("%d messages left", depth.Waiting)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d messages are left: %w", depth.Waiting, ctx.Err())
		}
	}
}

// Wait waits and reports whether ctx goes on.
func Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Churn publishes twenty posts, deletes them again, and so on: two hundred changes a second, by independent authors, until stop.
func Churn(ctx context.Context, env claim.Env, s *local.System, authors []string) (stop func() (came, went float64, err error)) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	var came, went float64
	change := func(i int, young []feed.Post) ([]feed.Post, error) {
		if i/20%2 == 0 || len(young) == 0 {
			came++
			p, _, err := s.Service.Publish(ctx, authors[i%len(authors)], fmt.Sprintf("young %d", i))
			return append(young, p), err
		}
		went++
		_, err := s.Service.Delete(ctx, young[0].Author, young[0].ID)
		return young[1:], err
	}
	go func() {
		var err error
		var young []feed.Post
		i, began := 0, time.Now()
		for at := range workload.Poisson(workload.Rand(env.Seed, 20), 200) {
			if err != nil || !Wait(ctx, at-time.Since(began)) {
				break
			}
			young, err = change(i, young)
			i++
		}
		ended <- err
	}()
	return func() (float64, float64, error) {
		cancel()
		err := <-ended
		if errors.Is(err, context.Canceled) { // by stop
			err = nil
		}
		return came, went, err
	}
}
