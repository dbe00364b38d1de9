package session_test

import (
	"context"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"
	"github.com/valkey-io/valkey-go"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// reply is the result of clients that return a value and an error.
type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// texts converts arguments, which redissession always passes as strings.
func texts(args []any) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a.(string)
	}
	return out
}

// scs has one store per client type and none for a cluster (S12). Here any client fits.
func TestRegressionS12OtherClientsFit(t *testing.T) {
	addr := servers.Redis(t).Addr
	pool := &redis.Pool{MaxIdle: 8, DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", addr) }}
	defer pool.Close()
	ru, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ru.Close()
	va, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer va.Close()
	for name, do := range map[string]func(context.Context, ...any) reply{
		"redigo": func(ctx context.Context, args ...any) reply {
			conn, err := pool.GetContext(ctx)
			if err != nil {
				return reply{nil, err}
			}
			defer conn.Close()
			v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
			return reply{v, err}
		},
		"rueidis": func(ctx context.Context, args ...any) reply {
			v, err := ru.Do(ctx, ru.B().Arbitrary(texts(args)...).Build()).ToAny()
			return reply{v, err}
		},
		"valkey-go": func(ctx context.Context, args ...any) reply {
			v, err := va.Do(ctx, va.B().Arbitrary(texts(args)...).Build()).ToAny()
			return reply{v, err}
		},
	} {
		t.Run(name, func(t *testing.T) {
			sessiontest.Run(t, func(t *testing.T) session.Store {
				t.Helper()
				s, err := redissession.New(do, redissession.Options{Prefix: name + t.Name() + ":"})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}
