// Package rediscache_test runs the two-level cache on real servers.
package rediscache_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/internal/integration/clients"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/lru/rediscache"
)

// subscribe is what the documentation shows.
func subscribe(rdb redis.UniversalClient) func(context.Context, string, func(), func(string)) error {
	return func(ctx context.Context, channel string, ready func(), message func(string)) error {
		ps := rdb.Subscribe(ctx, channel)
		defer context.AfterFunc(ctx, func() { _ = ps.Close() })()
		defer func() { _ = ps.Close() }()
		if _, err := ps.Receive(ctx); err != nil {
			return err
		}
		ready()
		for {
			m, err := ps.ReceiveMessage(ctx)
			if err != nil {
				return err
			}
			message(m.Payload)
		}
	}
}

func client(t *testing.T, addrs ...string) redis.UniversalClient {
	t.Helper()
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, DialTimeout: time.Second, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// origin is a source with one version per key.
type origin struct {
	mu     sync.Mutex
	values map[string]int
	loads  atomic.Int32
}

func newOrigin() *origin { return &origin{values: map[string]int{}} }

func (o *origin) load(_ context.Context, key string) (int, error) {
	o.loads.Add(1)
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.values[key]
	if !ok {
		return 0, lru.ErrNotFound
	}
	return v, nil
}

func (o *origin) set(key string, v int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[key] = v
}

func newCache(t *testing.T, rdb redis.UniversalClient, load func(context.Context, string) (int, error),
	opts rediscache.Options[string, int],
) *rediscache.Cache[string, int] {
	t.Helper()
	opts.Local.Load = load
	opts.Subscribe = subscribe(rdb)
	c, err := rediscache.New(rdb.Do, 1000, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// eventually waits for a condition, at most so long.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func reads(t *testing.T, c *rediscache.Cache[string, int], key string) int {
	t.Helper()
	v, err := c.Fetch(t.Context(), key)
	if err != nil {
		t.Fatalf("Fetch(%q): %v", key, err)
	}
	return v
}

// listening waits until so many subscriptions stand.
func listening(t *testing.T, rdb redis.UniversalClient, n int64) {
	t.Helper()
	eventually(t, 20*time.Second, "subscriptions", func() bool {
		got, err := rdb.PubSubNumSub(t.Context(), "lru:invalidate").Result()
		return err == nil && got["lru:invalidate"] >= n
	})
}

func TestValuesAndWritesAreSharedOnOneServerAndOnACluster(t *testing.T) {
	t.Run("one", func(t *testing.T) { shares(t, client(t, servers.Redis(t).Addr)) })
	t.Run("cluster", func(t *testing.T) {
		var addrs []string
		for _, s := range servers.RedisCluster(t, 3) {
			addrs = append(addrs, s.Addr)
		}
		shares(t, client(t, addrs...))
	})
}

func shares(t *testing.T, rdb redis.UniversalClient) {
	o := newOrigin()
	a, b := newCache(t, rdb, o.load, rediscache.Options[string, int]{}), newCache(t, rdb, o.load, rediscache.Options[string, int]{})
	_, _ = a.Fetch(t.Context(), "warm")  // the client of a cluster learns its slots
	<-time.After(500 * time.Millisecond) // both subscriptions stand, wherever in the cluster
	for i, key := range []string{"a", "", "{x}y", "}{", "with space", "a\r\nb", "\x00\xff"} {
		o.set(key, i)
		before := o.loads.Load()
		if reads(t, a, key) != i || reads(t, b, key) != i {
			t.Fatalf("%q: wrong value", key)
		}
		if n := o.loads.Load() - before; n != 1 {
			t.Fatalf("%q: %d loads, want 1", key, n)
		}
		o.set(key, i+100)
		if err := a.Set(t.Context(), key, i+100); err != nil {
			t.Fatal(err)
		}
		if got := reads(t, a, key); got != i+100 {
			t.Fatalf("%q: own write read as %d", key, got)
		}
		eventually(t, 5*time.Second, fmt.Sprintf("the write of %q reaches the other", key), func() bool { return reads(t, b, key) == i+100 })
		o.set(key, i+200)
		if err := b.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, fmt.Sprintf("the removal of %q reaches the other", key), func() bool { return reads(t, a, key) == i+200 })
	}
	ttl, err := rdb.PTTL(t.Context(), "lru:a").Result()
	if err != nil || ttl <= 0 || ttl > time.Hour {
		t.Fatalf("a key in Redis has lifetime %v, %v", ttl, err)
	}
}

// TestOtherClientsFitWithAFewLines has two caches share a value through clients of other makes.
func TestOtherClientsFitWithAFewLines(t *testing.T) {
	for name, do := range clients.All(t, servers.Redis(t).Addr) {
		t.Run(name, func(t *testing.T) {
			o := newOrigin()
			o.set("a\r\n", 7)
			opts := rediscache.Options[string, int]{
				Prefix: name + ":", Local: lru.Options[string, int]{Load: o.load, TTL: time.Minute},
			}
			for range 2 {
				c, err := rediscache.New(do, 10, opts)
				if err != nil {
					t.Fatal(err)
				}
				if got := reads(t, c, "a\r\n"); got != 7 {
					t.Fatalf("read %d", got)
				}
				if err := c.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := o.loads.Load(); n != 1 {
				t.Fatalf("%d loads, want 1", n)
			}
		})
	}
}

// TestStampedeMember is one of the processes of TestTwoProcessesLoadAKeyOnce.
func TestStampedeMember(t *testing.T) {
	addr := os.Getenv("STAMPEDE_REDIS")
	if addr == "" {
		t.Skip("run by TestTwoProcessesLoadAKeyOnce")
	}
	start, err := strconv.ParseInt(os.Getenv("STAMPEDE_START"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	rdb := client(t, addr)
	c := newCache(t, rdb, func(ctx context.Context, key string) (int, error) {
		n, err := rdb.Incr(ctx, "loads:"+key).Result()
		<-time.After(50 * time.Millisecond)
		return int(n), err
	}, rediscache.Options[string, int]{})
	<-time.After(time.Until(time.UnixMilli(start)))
	var group sync.WaitGroup
	for key := range 20 {
		for range 10 {
			group.Go(func() {
				if v, err := c.Fetch(t.Context(), fmt.Sprint("key", key)); v != 1 || err != nil {
					t.Errorf("Fetch = %d, %v; want what the first load returned", v, err)
				}
			})
		}
	}
	group.Wait()
}

func TestTwoProcessesLoadAKeyOnce(t *testing.T) {
	server := servers.Redis(t)
	rdb := client(t, server.Addr)
	start := time.Now().Add(2 * time.Second).UnixMilli()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestStampedeMember$", "-test.v")
			cmd.Env = append(os.Environ(), "STAMPEDE_REDIS="+server.Addr, fmt.Sprint("STAMPEDE_START=", start))
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	group.Wait()
	for key := range 20 {
		if n, err := rdb.Get(t.Context(), fmt.Sprint("loads:key", key)).Int(); n != 1 || err != nil {
			t.Errorf("key %d was loaded %d times by two processes (%v)", key, n, err)
		}
	}
}

func TestServiceContinuesWhileRedisIsKilledPausedAndFlushed(t *testing.T) {
	server := servers.Redis(t)
	rdb := client(t, server.Addr)
	o := newOrigin()
	o.set("a", 1)
	var troubles atomic.Int32
	opts := rediscache.Options[string, int]{OnError: func(error) { troubles.Add(1) }}
	a, b := newCache(t, rdb, o.load, opts), newCache(t, rdb, o.load, opts)
	listening(t, rdb, 2)
	reads(t, a, "a")
	reads(t, b, "a")

	server.Kill()
	o.set("b", 1)
	if reads(t, a, "b") != 1 {
		t.Fatal("the source was not asked")
	}
	o.set("a", 2)
	if err := a.Set(t.Context(), "a", 2); err == nil {
		t.Fatal("Set without a server is no success")
	}
	if got := reads(t, a, "a"); got != 2 {
		t.Fatalf("the writer reads %d", got)
	}
	// The other one heard nothing; what it has lives for a second after it noticed the loss.
	eventually(t, 5*time.Second, "the value from before the kill is gone", func() bool { return reads(t, b, "a") == 2 })
	if troubles.Load() == 0 {
		t.Fatal("OnError heard nothing")
	}

	server.Restart()
	listening(t, rdb, 2)
	o.set("a", 3)
	if err := a.Set(t.Context(), "a", 3); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "writes are heard again", func() bool { return reads(t, b, "a") == 3 })

	server.Pause()
	o.set("c", 7)
	began := time.Now()
	if got := reads(t, a, "c"); got != 7 || time.Since(began) > 3*time.Second {
		t.Fatalf("with a paused server: %d after %v", got, time.Since(began))
	}
	server.Resume()

	eventually(t, 10*time.Second, "the server answers", func() bool { return rdb.ScriptFlush(t.Context()).Err() == nil })
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	listening(t, rdb, 2)
	o.set("d", 1)
	eventually(t, 5*time.Second, "keys are shared again", func() bool {
		o.set("d", int(o.loads.Load()))
		_ = a.Remove(t.Context(), "d")
		return reads(t, a, "d") == reads(t, b, "d") && rdb.Exists(t.Context(), "lru:d").Val() == 1
	})
}

func TestForeignTypeUnderAKeyIsSurvived(t *testing.T) {
	rdb := client(t, servers.Redis(t).Addr)
	o := newOrigin()
	o.set("a", 1)
	var last atomic.Value
	c := newCache(t, rdb, o.load, rediscache.Options[string, int]{OnError: func(err error) { last.Store(err) }})
	listening(t, rdb, 1)
	if err := rdb.LPush(t.Context(), "lru:a", "x").Err(); err != nil {
		t.Fatal(err)
	}
	if reads(t, c, "a") != 1 {
		t.Fatal("wrong value")
	}
	if err, _ := last.Load().(error); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Fatalf("OnError heard %v", err)
	}
	if err := rdb.Set(t.Context(), "lru:b", "not ours", 0).Err(); err != nil {
		t.Fatal(err)
	}
	o.set("b", 2)
	if reads(t, c, "b") != 2 || rdb.Get(t.Context(), "lru:b").Val()[0] != 'V' {
		t.Fatal("a foreign string was not replaced")
	}
}

// TestReaderIsNeverBehindAnAcknowledgedWriteForLong has one writer and readers in other caches: what they see after a
// write was acknowledged is older only for as long as a message takes.
func TestReaderIsNeverBehindAnAcknowledgedWriteForLong(t *testing.T) {
	rdb := client(t, servers.Redis(t).Addr)
	o := newOrigin()
	o.set("k", 0)
	writer := newCache(t, rdb, o.load, rediscache.Options[string, int]{})
	readers := []*rediscache.Cache[string, int]{
		newCache(t, rdb, o.load, rediscache.Options[string, int]{}), newCache(t, rdb, o.load, rediscache.Options[string, int]{}),
	}
	listening(t, rdb, 3)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for _, r := range readers {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				reads(t, r, "k")
			}
		})
	}
	for v := 1; v <= 300; v++ {
		o.set("k", v)
		if err := writer.Set(t.Context(), "k", v); err != nil {
			t.Fatal(err)
		}
		for _, r := range readers {
			eventually(t, 2*time.Second, fmt.Sprint("version ", v), func() bool { return reads(t, r, "k") >= v })
		}
	}
	close(stop)
	group.Wait()
}
