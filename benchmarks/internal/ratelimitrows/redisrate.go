package ratelimitrows

import (
	"context"
	"fmt"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

func redisRate(c *redis.Client) (func(), error) {
	l := redis_rate.NewLimiter(c)
	limit := redis_rate.PerSecond(redisTokens)
	return func() {
		if res, err := l.Allow(context.Background(), "hot", limit); err != nil || res.Allowed == 0 {
			panic(fmt.Sprint("not admitted: ", res, err))
		}
	}, nil
}
