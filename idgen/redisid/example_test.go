package redisid_test

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
)

// reply and standIn take the place of a client here; with go-redis the function is rdb.Do.
type reply struct {
	value any
	err   error
}

func (r reply) Result() (any, error) { return r.value, r.err }

func standIn() func(ctx context.Context, args ...any) reply {
	var last int64
	return func(_ context.Context, args ...any) reply {
		last += args[2].(int64) // INCRBY key n
		return reply{value: last}
	}
}

func ExampleNewCounter() {
	ctx := context.Background()
	counter, err := redisid.NewCounter(standIn(), "invoices", redisid.CounterOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	gen, err := idgen.NewSegment(counter, idgen.SegmentOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gen.Close(ctx)
	fmt.Println(gen.Next(ctx))
	fmt.Println(gen.Next(ctx))
	// Output:
	// 1 <nil>
	// 2 <nil>
}
