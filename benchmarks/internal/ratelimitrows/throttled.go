package ratelimitrows

import (
	"context"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
)

func throttle(capacity int) (func(string), error) {
	store, err := memstore.NewCtx(capacity)
	if err != nil {
		return nil, err
	}
	l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerMin(keyedTokens), MaxBurst: keyedTokens - 1})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(key string) { _, _, _ = l.RateLimitCtx(ctx, key, 1) }, nil
}
