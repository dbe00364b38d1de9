// Package clients has the adapters for Redis clients other than go-redis that the documentation of the packages shows, so
// that each package runs on all of them.
package clients

import (
	"context"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"
	"github.com/valkey-io/valkey-go"
)

// Reply is the result of clients that return a value and an error.
type Reply struct {
	value any
	err   error
}

// Result is what the packages ask of a reply.
func (r Reply) Result() (any, error) { return r.value, r.err }

// Do sends one command.
type Do = func(ctx context.Context, args ...any) Reply

// texts converts arguments, which our packages always pass as strings.
func texts(args []any) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a.(string)
	}
	return out
}

// All returns an adapter per client, by its name, for the server at addr.
func All(tb testing.TB, addr string) map[string]Do {
	tb.Helper()
	pool := &redis.Pool{MaxIdle: 8, DialContext: func(ctx context.Context) (redis.Conn, error) {
		return redis.DialContext(ctx, "tcp", addr)
	}}
	tb.Cleanup(func() { _ = pool.Close() })
	ru, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(ru.Close)
	va, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(va.Close)
	return map[string]Do{
		"redigo": func(ctx context.Context, args ...any) Reply {
			conn, err := pool.GetContext(ctx)
			if err != nil {
				return Reply{nil, err}
			}
			defer func() { _ = conn.Close() }()
			v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
			return Reply{v, err}
		},
		"rueidis": func(ctx context.Context, args ...any) Reply {
			v, err := ru.Do(ctx, ru.B().Arbitrary(texts(args)...).Build()).ToAny()
			return Reply{v, err}
		},
		"valkey-go": func(ctx context.Context, args ...any) Reply {
			v, err := va.Do(ctx, va.B().Arbitrary(texts(args)...).Build()).ToAny()
			return Reply{v, err}
		},
	}
}
