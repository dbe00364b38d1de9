package bloom_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"github.com/sysblocks/sysblocks/bloom/redisbloom"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// The three-line adapters of redisbloom's documentation.
func TestOtherClients(t *testing.T) {
	s := servers.Redis(t)
	conn, err := redis.Dial("tcp", s.Addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: true})
	require.NoError(t, err)
	defer client.Close()
	for name, do := range map[string]func(ctx context.Context, args ...any) reply{
		"redigo": func(ctx context.Context, args ...any) reply {
			v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
			return reply{v, err}
		},
		"rueidis": func(ctx context.Context, args ...any) reply {
			words := make([]string, len(args))
			for i, a := range args {
				words[i] = fmt.Sprint(a)
			}
			v, err := client.Do(ctx, client.B().Arbitrary(words...).Build()).ToAny()
			return reply{v, err}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := redisbloom.New(t.Context(), do, name, 10_000, 0.01, redisbloom.Options{ShardBytes: 4096})
			require.NoError(t, err)
			sameAsLocal(t, f)
			local, err := f.Load(t.Context())
			require.NoError(t, err)
			require.NoError(t, f.Save(t.Context(), local))
			_, err = redisbloom.Open(t.Context(), do, name, redisbloom.Options{})
			require.NoError(t, err)
			_, err = redisbloom.Open(t.Context(), do, "nobody", redisbloom.Options{})
			require.ErrorIs(t, err, redisbloom.ErrNotFound)
			w, err := redisbloom.NewWindow(do, name, 100, 0.001, time.Minute, redisbloom.Options{})
			require.NoError(t, err)
			for _, want := range []bool{false, true} {
				present, err := w.TestAndAdd(t.Context(), keys(0, 1)[0])
				require.NoError(t, err)
				require.Equal(t, want, present)
			}
			require.NoError(t, f.Delete(t.Context()))
		})
	}
}
