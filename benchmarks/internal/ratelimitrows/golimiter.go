package ratelimitrows

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
)

func goLimiterStore() (limiter.Store, error) {
	return memorystore.New(&memorystore.Config{Tokens: keyedTokens, Interval: time.Minute, SweepInterval: time.Hour, SweepMinTTL: time.Hour})
}

func goLimiter() (func(string), error) {
	s, err := goLimiterStore()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(key string) { _, _, _, _, _ = s.Take(ctx, key) }, nil
}

func goLimiterFill(n int) (any, error) {
	s, err := goLimiterStore()
	if err != nil {
		return nil, err
	}
	for i := range n {
		if _, _, _, _, err := s.Take(context.Background(), strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func goLimiterMiddleware(tokens uint64, next http.Handler) (http.Handler, error) {
	s, err := memorystore.New(&memorystore.Config{Tokens: tokens, Interval: time.Hour})
	if err != nil {
		return nil, err
	}
	m, err := httplimit.NewMiddleware(s, httplimit.IPKeyFunc())
	if err != nil {
		return nil, err
	}
	return m.Handle(next), nil
}
