package attack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
)

// Vain is an author who posts and looks at his feed again and again.
func Vain(ctx context.Context, transport http.RoundTripper, url, author string, rng *rand.Rand, lag time.Duration) (reads, missed int, err error) {
	client, err := web.NewClient(transport, url, author)
	if err != nil {
		return 0, 0, err
	}
	status, mine, err := client.Publish(ctx, "look at me")
	if err != nil || status != http.StatusCreated {
		return 0, 0, errors.Join(err, fmt.Errorf("publish: status %d", status))
	}
	posted := time.Now()
	looks := make([]time.Duration, 20) // the first one at once
	for i := range looks[1:] {
		looks[i+1] = time.Duration(rng.Int64N(int64(3 * lag)))
	}
	slices.Sort(looks)
	for _, at := range looks {
		if !Wait(ctx, at-time.Since(posted)) {
			return reads, missed, ctx.Err()
		}
		posts, err := client.Home(ctx)
		if err != nil {
			return reads, missed, err
		}
		reads++
		if !slices.ContainsFunc(posts, func(p feed.Post) bool { return p.ID == mine.ID }) {
			missed++
		}
	}
	return reads, missed, nil
}
