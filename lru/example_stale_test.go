package lru_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

// priceList is a store that answers slowly, and at times not at all.
type priceList struct {
	queries atomic.Int32
	gate    chan struct{} // a query waits for it
	down    atomic.Bool
}

func (p *priceList) price(ctx context.Context, _ string) (int, error) {
	n := p.queries.Add(1)
	select {
	case <-p.gate:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if p.down.Load() {
		return 0, errors.New("price list is down")
	}
	return 100 * int(n), nil
}

// A slow store behind a cache that serves old prices while it asks for new ones, and when it gets none. However many
// callers come, the store sees one query at a time per key.
func Example_staleWhileRevalidate() {
	store := &priceList{gate: make(chan struct{}, 1)}
	prices, err := lru.New(1000, lru.Options[string, int]{
		TTL:  time.Minute,
		Load: store.price,
		Loading: lru.Loading{
			StaleFor: time.Hour,
			ErrorTTL: time.Second,
			Timeout:  5 * time.Second,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fetch := func() int {
		v, err := prices.Fetch(ctx, "apple")
		if err != nil {
			fmt.Println(err)
		}
		return v
	}

	store.gate <- struct{}{} // the first query is answered at once
	fmt.Println("first price:", fetch())

	prices.Expire("apple", time.Nanosecond) // a minute later …
	var callers sync.WaitGroup
	var sum atomic.Int64
	for range 100 {
		callers.Go(func() { sum.Add(int64(fetch())) })
	}
	callers.Wait() // … the store does not answer, and nobody waits for it
	fmt.Println("a hundred callers, mean price:", sum.Load()/100)

	store.gate <- struct{}{}
	for fetch() == 100 {
		runtime.Gosched()
	}
	fmt.Println("new price:", fetch(), "after queries:", store.queries.Load())

	store.down.Store(true)
	prices.Expire("apple", time.Nanosecond)
	store.gate <- struct{}{}
	for prices.Stats().LoadErrors == 0 {
		fetch()
		runtime.Gosched()
	}
	fmt.Println("the store is down, price:", fetch())
	// Output:
	// first price: 100
	// a hundred callers, mean price: 100
	// new price: 200 after queries: 2
	// the store is down, price: 200
}
