// Package bloom_test runs redisbloom against real servers, and SplitBlock against another implementation of Parquet.
package bloom_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/bloom/redisbloom"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

func client(tb testing.TB, s *servers.Server) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func cluster(tb testing.TB) *redis.ClusterClient {
	tb.Helper()
	var addrs []string
	for _, s := range servers.RedisCluster(tb, 3) {
		addrs = append(addrs, s.Addr)
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func keys(from, to uint64) []bloom.Key {
	var all []bloom.Key
	for i := from; i < to; i++ {
		all = append(all, bloom.Uint64(i))
	}
	return all
}

// sameAsLocal fills a filter and a local one alike, and compares every answer and every bit.
func sameAsLocal(t *testing.T, f *redisbloom.Filter) {
	t.Helper()
	ctx := t.Context()
	local, err := bloom.New(f.Layout().Capacity, f.Layout().TargetRate, bloom.Options{})
	require.NoError(t, err)
	require.NoError(t, f.AddMany(ctx, keys(0, 3000)))
	local.AddMany(keys(0, 3000))
	got, err := f.TestAndAddMany(ctx, nil, keys(2000, 5000))
	require.NoError(t, err)
	require.Equal(t, local.TestAndAddMany(nil, keys(2000, 5000)), got)
	for i := range uint64(50) {
		k := bloom.Uint64(i * 200)
		present, err := f.TestAndAdd(ctx, k)
		require.NoError(t, err)
		require.Equal(t, local.TestAndAdd(k), present)
	}
	got, err = f.TestMany(ctx, nil, keys(0, 20_000))
	require.NoError(t, err)
	require.Equal(t, local.TestMany(nil, keys(0, 20_000)), got)
	loaded, err := f.Load(ctx)
	require.NoError(t, err)
	require.True(t, loaded.Equal(local), "the same bits in memory and on the server")
}

func TestFilterOnAPlainServer(t *testing.T) {
	rdb := client(t, servers.Redis(t))
	for _, rate := range []float64{0.1, 0.01, 1e-3, 1e-4, 1e-6} {
		f, err := redisbloom.New(t.Context(), rdb.Do, fmt.Sprint("f", rate), 10_000, rate, redisbloom.Options{ShardBytes: 4096})
		require.NoError(t, err)
		sameAsLocal(t, f)
		again, err := redisbloom.Open(t.Context(), rdb.Do, fmt.Sprint("f", rate), redisbloom.Options{})
		require.NoError(t, err)
		present, err := again.Test(t.Context(), bloom.Uint64(1))
		require.NoError(t, err)
		require.True(t, present)
		_, err = redisbloom.New(t.Context(), rdb.Do, fmt.Sprint("f", rate), 10_001, rate, redisbloom.Options{ShardBytes: 4096})
		require.ErrorIs(t, err, bloom.ErrIncompatible)
		require.NoError(t, f.Delete(t.Context()))
	}
	n, err := rdb.DBSize(t.Context()).Result()
	require.NoError(t, err)
	require.Zero(t, n, "Delete leaves nothing")
}

func TestFilterOnACluster(t *testing.T) {
	rdb := cluster(t)
	f, err := redisbloom.New(t.Context(), rdb.Do, "f", 50_000, 1e-3, redisbloom.Options{ShardBytes: 4096})
	require.NoError(t, err)
	sameAsLocal(t, f)
	// The shards are on all masters.
	var used atomic.Int64
	require.NoError(t, rdb.ForEachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error {
		n, err := c.DBSize(ctx).Result()
		if n > 0 {
			used.Add(1)
		}
		return err
	}))
	require.EqualValues(t, 3, used.Load())
	w, err := redisbloom.NewWindow(rdb.Do, "w", 50_000, 1e-3, time.Minute, redisbloom.Options{ShardBytes: 4096})
	require.NoError(t, err)
	for i := range uint64(100) {
		present, err := w.TestAndAdd(t.Context(), bloom.Uint64(i))
		require.NoError(t, err)
		require.False(t, present)
		present, err = w.Test(t.Context(), bloom.Uint64(i))
		require.NoError(t, err)
		require.True(t, present)
	}
}

// calls returns how often the server ran each command.
func calls(t *testing.T, rdb *redis.Client) map[string]int {
	t.Helper()
	text, err := rdb.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	n := map[string]int{}
	for _, m := range regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`).FindAllStringSubmatch(text, -1) {
		n[m[1]], err = strconv.Atoi(m[2])
		require.NoError(t, err)
	}
	return n
}

func TestOneCommandPerOperation(t *testing.T) {
	rdb := client(t, servers.Redis(t))
	f, err := redisbloom.New(t.Context(), rdb.Do, "f", 10_000, 0.01, redisbloom.Options{})
	require.NoError(t, err)
	for i := range uint64(100) {
		require.NoError(t, f.Add(t.Context(), bloom.Uint64(i)))
		_, err = f.Test(t.Context(), bloom.Uint64(i))
		require.NoError(t, err)
		_, err = f.TestAndAdd(t.Context(), bloom.Uint64(i+50))
		require.NoError(t, err)
	}
	n := calls(t, rdb)
	require.Equal(t, 200, n["bitfield"])
	require.Equal(t, 100, n["bitfield_ro"])
	require.Zero(t, n["eval"]+n["evalsha"]+n["setbit"]+n["getbit"])
}

func TestRacingClientsHaveOneWinner(t *testing.T) {
	s := servers.Redis(t)
	const count = 300
	var wins, windowWins [count]atomic.Int32
	var wg sync.WaitGroup
	for range 6 {
		rdb := client(t, s) // a client each, as processes would have
		f, err := redisbloom.New(t.Context(), rdb.Do, "f", 10_000, 1e-9, redisbloom.Options{})
		require.NoError(t, err)
		w, err := redisbloom.NewWindow(rdb.Do, "w", 10_000, 1e-8, time.Hour, redisbloom.Options{})
		require.NoError(t, err)
		wg.Go(func() {
			for i := range wins {
				if present, err := f.TestAndAdd(context.Background(), bloom.Uint64(uint64(i))); err == nil && !present {
					wins[i].Add(1)
				}
				if present, err := w.TestAndAdd(context.Background(), bloom.Uint64(uint64(i))); err == nil && !present {
					windowWins[i].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for i := range wins {
		require.EqualValues(t, 1, wins[i].Load())
		require.EqualValues(t, 1, windowWins[i].Load())
	}
}

func TestServerErrorsAreNeverAnswers(t *testing.T) {
	s := servers.Redis(t)
	rdb := client(t, s)
	f, err := redisbloom.New(t.Context(), rdb.Do, "f", 1000, 0.01, redisbloom.Options{})
	require.NoError(t, err)
	require.NoError(t, rdb.LPush(t.Context(), "f:0", "x").Err())
	_, err = f.Test(t.Context(), bloom.Uint64(1))
	require.ErrorContains(t, err, "WRONGTYPE")
	_, err = f.TestAndAdd(t.Context(), bloom.Uint64(1))
	require.ErrorContains(t, err, "WRONGTYPE")
	_, err = f.Load(t.Context())
	require.ErrorContains(t, err, "WRONGTYPE")
	require.NoError(t, f.Delete(t.Context()))
	// A longer shard than the layout allows.
	require.NoError(t, rdb.SetRange(t.Context(), "f:0", 100_000, "x").Err())
	_, err = f.Load(t.Context())
	require.ErrorIs(t, err, bloom.ErrCorrupt)
	// A server out of memory.
	require.NoError(t, rdb.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.ErrorContains(t, f.Add(t.Context(), bloom.Uint64(1)), "OOM")
	require.NoError(t, rdb.ConfigSet(t.Context(), "maxmemory", "0").Err())
	// A server that does not answer.
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = f.Test(ctx, bloom.Uint64(1))
	require.Error(t, err)
	s.Resume()
	// A server that is gone.
	s.Kill()
	_, err = f.Test(t.Context(), bloom.Uint64(1))
	require.Error(t, err)
	require.Error(t, f.Add(t.Context(), bloom.Uint64(1)))
}

func TestBitsSurviveARestart(t *testing.T) {
	s := servers.Redis(t)
	rdb := client(t, s)
	f, err := redisbloom.New(t.Context(), rdb.Do, "f", 10_000, 0.01, redisbloom.Options{})
	require.NoError(t, err)
	require.NoError(t, f.AddMany(t.Context(), keys(0, 1000)))
	s.Stop()
	s.Restart()
	f, err = redisbloom.Open(t.Context(), client(t, s).Do, "f", redisbloom.Options{})
	require.NoError(t, err)
	got, err := f.TestMany(t.Context(), nil, keys(0, 1000))
	require.NoError(t, err)
	require.NotContains(t, got, false)
}

func TestSaveAndLoadManyShards(t *testing.T) {
	rdb := client(t, servers.Redis(t))
	local, err := bloom.New(2_000_000, 0.01, bloom.Options{})
	require.NoError(t, err)
	local.AddMany(keys(0, 100_000))
	f, err := redisbloom.New(t.Context(), rdb.Do, "f", 2_000_000, 0.01, redisbloom.Options{ShardBytes: 300 * 1024})
	require.NoError(t, err)
	require.NoError(t, f.Save(t.Context(), local))
	got, err := f.TestMany(t.Context(), nil, keys(99_000, 101_000))
	require.NoError(t, err)
	require.Equal(t, local.TestMany(nil, keys(99_000, 101_000)), got)
	loaded, err := f.Load(t.Context())
	require.NoError(t, err)
	require.True(t, loaded.Equal(local))
}

// The span is counted on the server's clock. Polling is the only way to wait for it.
func TestWindowFindsForSpanAndForgets(t *testing.T) {
	rdb := client(t, servers.Redis(t))
	const span = 400 * time.Millisecond
	w, err := redisbloom.NewWindow(rdb.Do, "w", 1000, 1e-6, span, redisbloom.Options{})
	require.NoError(t, err)
	for round := range 4 {
		k := bloom.Uint64(uint64(round))
		before := time.Now()
		present, err := w.TestAndAdd(t.Context(), k)
		require.NoError(t, err)
		require.False(t, present)
		added := time.Now()
		var found time.Time // of the last answer that was true
		for {
			asked := time.Now()
			present, err := w.Test(t.Context(), k)
			require.NoError(t, err)
			if !present {
				require.GreaterOrEqual(t, time.Since(before), span-time.Millisecond, "forgotten within the span")
				break
			}
			found = asked
		}
		require.LessOrEqual(t, found.Sub(added), span*5/4+5*time.Millisecond, "remembered for too long")
	}
	// A duplicate refreshes.
	k := bloom.String("refreshed")
	require.NoError(t, w.Add(t.Context(), k))
	for start := time.Now(); time.Since(start) < 2*span; {
		present, err := w.TestAndAdd(t.Context(), k)
		require.NoError(t, err)
		require.True(t, present)
	}
	// Nothing lives for ever.
	names, err := rdb.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, name := range names {
		ttl, err := rdb.PTTL(t.Context(), name).Result()
		require.NoError(t, err)
		require.NotEqual(t, time.Duration(-1), ttl, "%s has no TTL", name)
		require.LessOrEqual(t, ttl, span*5/4)
	}
	require.Equal(t, 1, calls(t, rdb)["eval"], "the script is sent once")
}

func TestNativeNeedsTheCommands(t *testing.T) {
	rdb := client(t, servers.Redis(t))
	if rdb.Do(t.Context(), "BF.EXISTS", "n", "a").Err() == nil {
		t.Skip("this server has the Bloom filter commands")
	}
	_, err := redisbloom.NewNative(t.Context(), rdb.Do, "n", 1000, 0.01)
	require.ErrorIs(t, err, redisbloom.ErrUnsupported)
}

func TestNativeOnAServerWithTheModule(t *testing.T) {
	var args []string
	if module := os.Getenv("REDIS_BLOOM_MODULE"); module != "" {
		args = []string{"--loadmodule", module}
	}
	rdb := client(t, servers.Redis(t, args...))
	n, err := redisbloom.NewNative(t.Context(), rdb.Do, "n", 1000, 0.01)
	if errors.Is(err, redisbloom.ErrUnsupported) && len(args) == 0 {
		t.Skip("no Bloom filter commands here: Native is tested against a scripted server only; set REDIS_BLOOM_MODULE to the module's library")
	}
	require.NoError(t, err)
	for _, want := range []bool{false, true} {
		present, err := n.TestAndAdd(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, want, present)
	}
	for item, want := range map[string]bool{"a": true, "b": false} {
		present, err := n.Test(t.Context(), item)
		require.NoError(t, err)
		require.Equal(t, want, present)
	}
	_, err = redisbloom.NewNative(t.Context(), rdb.Do, "n", 1000, 0.01)
	require.NoError(t, err, "attaches")
	require.NoError(t, rdb.Set(t.Context(), "s", "x", 0).Err())
	_, err = redisbloom.NewNative(t.Context(), rdb.Do, "s", 1000, 0.01)
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "item exists"))
}
