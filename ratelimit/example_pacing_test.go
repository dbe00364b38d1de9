package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// A crawler keeps an even pace: a bucket of one token is a leaky bucket.
func Example_clientPacing() {
	pace, err := ratelimit.New(ratelimit.PerSecond(100).WithBurst(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	start := time.Now()
	for range 6 {
		if err := pace.Wait(ctx); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("six fetches took at least 50 ms:", time.Since(start) >= 50*time.Millisecond)
	// Output: six fetches took at least 50 ms: true
}
