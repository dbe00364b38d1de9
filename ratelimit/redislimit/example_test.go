package redislimit_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

// reply is what a command of some Redis client returns.
type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// While Redis is away each node answers by a table of its own, with its share of the limit.
func ExampleNew() {
	do := func(context.Context, ...any) reply { return reply{err: errors.New("connection refused")} }
	const nodes = 10
	share, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerHour(2000 / nodes)}, ratelimit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fleet, err := redislimit.New(do, []ratelimit.Limit{ratelimit.PerHour(2000)}, redislimit.Options{
		Fallback: ratelimit.Local(share),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := fleet.Take(context.Background(), "ann", 1)
	fmt.Println(d.OK, d.Remaining, err, fleet.Stats().Fallbacks)
	// Output: true 199 <nil> 1
}
