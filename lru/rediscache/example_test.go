package rediscache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/lru/rediscache"
)

// down is a client of a Redis that cannot be reached, which is what an example can count on.
type down struct{}

func (down) Result() (any, error) {
	return nil, errors.New("dial tcp 127.0.0.1:6379: connection refused")
}

func Example() {
	do := func(context.Context, ...any) down { return down{} } // rdb.Do of go-redis
	cache, err := rediscache.New(do, 10_000, rediscache.Options[string, string]{
		Local: lru.Options[string, string]{
			TTL:  time.Minute,
			Load: func(_ context.Context, key string) (string, error) { return "value of " + key, nil },
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	v, err := cache.Fetch(ctx, "a") // survives the dead server
	fmt.Println(v, err)
	if err := cache.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: value of a <nil>
}
