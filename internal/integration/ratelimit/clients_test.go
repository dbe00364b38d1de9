package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"
	"github.com/valkey-io/valkey-go"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

// reply is the result of clients that return a value and an error.
type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// strings converts arguments, which redislimit always passes as strings.
func texts(args []any) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a.(string)
	}
	return out
}

// TestOtherClientsFitWithAFewLines runs the adapters that the documentation shows.
func TestOtherClientsFitWithAFewLines(t *testing.T) {
	addr := servers.Redis(t).Addr
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", addr) }}
	defer pool.Close()
	redigo := func(ctx context.Context, args ...any) reply {
		conn, err := pool.GetContext(ctx)
		if err != nil {
			return reply{nil, err}
		}
		defer conn.Close()
		v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
		return reply{v, err}
	}
	ru, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ru.Close()
	rueidisDo := func(ctx context.Context, args ...any) reply {
		v, err := ru.Do(ctx, ru.B().Arbitrary(texts(args)...).Build()).ToAny()
		return reply{v, err}
	}
	va, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer va.Close()
	valkeyDo := func(ctx context.Context, args ...any) reply {
		v, err := va.Do(ctx, va.B().Arbitrary(texts(args)...).Build()).ToAny()
		return reply{v, err}
	}
	for name, do := range map[string]func(context.Context, ...any) reply{
		"redigo": redigo, "rueidis": rueidisDo, "valkey-go": valkeyDo,
	} {
		t.Run(name, func(t *testing.T) {
			l, err := redislimit.New(do, []ratelimit.Limit{quota(3), ratelimit.PerSecond(300_000).WithBurst(100)},
				redislimit.Options{Prefix: name, Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				if d := mustTake(t, l, "k", 1); d.OK != (i < 3) || d.Remaining != int64(max(0, 2-i)) {
					t.Errorf("call %d: %+v", i, d)
				}
			}
			if err := l.Remove(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			if d := mustTake(t, l, "k", 3); !d.OK {
				t.Errorf("after Remove: %+v", d)
			}
		})
	}
}
