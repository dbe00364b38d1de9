// Package ratelimit_test checks redislimit against real servers.
package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/limittest"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

func client(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newLimiter(t *testing.T, c redis.UniversalClient, o redislimit.Options, limits ...ratelimit.Limit) *redislimit.Limiter {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	l, err := redislimit.New(c.Do, limits, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func quota(n int64) ratelimit.Limit { return ratelimit.Limit{Per: time.Hour, Burst: n} }

func mustTake(t *testing.T, l *redislimit.Limiter, key string, n int) ratelimit.Decision {
	t.Helper()
	d, err := l.Take(t.Context(), key, n)
	if err != nil {
		t.Fatalf("take %d of %s: %v", n, key, err)
	}
	return d
}

func TestContractOnAServer(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	var n atomic.Int64
	for _, lease := range []int{0, 8} {
		t.Run(fmt.Sprint("lease=", lease), func(t *testing.T) {
			limittest.Run(t, func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
				t.Helper()
				return newLimiter(t, c, redislimit.Options{Prefix: fmt.Sprintf("%d:", n.Add(1)), LeaseMax: lease}, limits...)
			})
		})
	}
}

func TestContractOnACluster(t *testing.T) {
	var addrs []string
	for _, s := range servers.RedisCluster(t, 3) {
		addrs = append(addrs, s.Addr)
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { _ = c.Close() })
	var n atomic.Int64
	limittest.Run(t, func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
		t.Helper()
		return newLimiter(t, c, redislimit.Options{Prefix: fmt.Sprintf("%d:", n.Add(1))}, limits...)
	})
	l := newLimiter(t, c, redislimit.Options{}, ratelimit.PerHour(3), quota(5),
		ratelimit.Limit{Count: 4, Per: 1000 * time.Hour, Algorithm: ratelimit.FixedWindow},
		ratelimit.Limit{Count: 4, Per: 1000 * time.Hour, Algorithm: ratelimit.SlidingWindow})
	for i := range 300 { // keys of all slots
		key := fmt.Sprint("user", i)
		for want := int64(2); want >= 0; want-- {
			if d := mustTake(t, l, key, 1); !d.OK || d.Remaining != want {
				t.Fatalf("%s: %+v", key, d)
			}
		}
	}
}

// clockwork runs the script with a clock that the test moves, and knows what the state should be.
type clockwork struct {
	c   *redis.Client
	now int64 // microseconds
}

func (w *clockwork) do(ctx context.Context, args ...any) *redis.Cmd {
	if args[0] == "EVALSHA" {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(errors.New("NOSCRIPT the clock has to be set"))
		return cmd
	}
	args[1] = strings.Replace(args[1].(string), "redis.call('TIME')",
		fmt.Sprintf("{'%d', '%d'}", w.now/1_000_000, w.now%1_000_000), 1)
	return w.c.Do(ctx, args...)
}

// integers is the model of one limit: n units used, refilled at c per microsecond, U to a token.
type integers struct{ c, u, burst, used int64 }

func TestScriptAgreesWithTheIntegerModel(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	for i, limits := range [][]ratelimit.Limit{
		{ratelimit.PerSecond(10)},
		{ratelimit.PerSecond(300_000).WithBurst(100)},
		{ratelimit.PerHour(7).WithBurst(2)},
		{ratelimit.PerMinute(1000), ratelimit.Per(1, 24*time.Hour).WithBurst(20)},
		{quota(50), ratelimit.Per(999_983, time.Second).WithBurst(9)},
	} {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 1))
		w := &clockwork{c: c, now: time.Now().UnixMicro()}
		l, err := redislimit.New(w.do, limits, redislimit.Options{Prefix: fmt.Sprint("model", i, ":"), Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		model := make([]integers, len(limits))
		for j, limit := range limits {
			model[j] = units(limit)
		}
		last := w.now
		for step := range 600 {
			key := strconv.Itoa(step / 200) // the deny cache lives in real time: costs vary, and Peek does not use it
			if step%200 == 0 {
				for j := range model {
					model[j].used = 0
				}
				last = w.now
			}
			n := rng.Int64N(12)
			now := refilled(model, w.now-last)
			want := true
			for _, m := range now {
				want = want && (n == 0 || m.used+n*m.u <= m.burst)
			}
			d, err := l.Peek(t.Context(), key, int(n))
			if err != nil || d.OK != want {
				t.Fatalf("%v seed %d step %d: peek %d: %+v, %v, want %v; %+v", limits, seed, step, n, d, err, want, now)
			}
			change := n
			switch {
			case rng.IntN(3) == 0:
				change = rng.Int64N(41) - 20
			case !want:
				change = 0
			}
			if err := l.Charge(t.Context(), key, int(change)); err != nil {
				t.Fatal(err)
			}
			if change != 0 {
				model, last = now, max(last, w.now)
				for j := range model {
					m := &model[j]
					m.used = max(0, min(m.used+change*m.u, max(m.used, 2*m.burst)))
				}
			}
			if err := compare(t, l, key, refilled(model, w.now-last)); err != nil {
				t.Fatalf("%v seed %d step %d: %v; %+v", limits, seed, step, err, model)
			}
			switch rng.IntN(8) {
			case 0:
				w.now += rng.Int64N(1 << rng.IntN(40))
			case 1:
				w.now -= rng.Int64N(400_000) // a server's clock that is set back a little: no refill until it catches up
			default:
				w.now += rng.Int64N(300_000)
			}
			if w.now < last-900_000 {
				w.now = last
			}
		}
	}
}

func units(l ratelimit.Limit) integers {
	burst := max(l.Burst, 0)
	if burst == 0 {
		burst = l.Count
	}
	if l.Count == 0 {
		return integers{u: 1, burst: burst}
	}
	c, u := l.Count, int64(l.Per/time.Microsecond)
	for a, b := c, u; ; a, b = b, a%b {
		if b == 0 {
			c, u = c/a, u/a
			break
		}
	}
	return integers{c: c, u: u, burst: burst * u}
}

// refilled returns the model after e microseconds.
func refilled(model []integers, e int64) []integers {
	out := slices.Clone(model)
	for j := range out {
		if m := &out[j]; e > 0 && m.c > 0 {
			m.used = max(0, m.used-min(e, m.used/m.c+1)*m.c)
		}
	}
	return out
}

// compare checks the tokens left in the scarcest limit.
func compare(t *testing.T, l *redislimit.Limiter, key string, model []integers) error {
	t.Helper()
	left := int64(1 << 62)
	for _, m := range model {
		left = min(left, max(0, (m.burst-m.used)/m.u))
	}
	d, err := l.Peek(t.Context(), key, 0)
	if err == nil && d.Remaining != left {
		err = fmt.Errorf("remaining %d, want %d", d.Remaining, left)
	}
	return err
}

func TestEveryKeyHasATimeToLiveUnlessItIsAQuota(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	ctx := t.Context()
	l := newLimiter(t, c, redislimit.Options{}, ratelimit.PerMinute(60), ratelimit.PerHour(7200))
	mustTake(t, l, "a", 30)
	if err := l.Charge(ctx, "b", 100); err != nil {
		t.Fatal(err)
	}
	if err := l.Charge(ctx, "c", -5); err != nil {
		t.Fatal(err)
	}
	mustTake(t, l, "d", 1)
	if _, err := l.Peek(ctx, "e", 1); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]time.Duration{
		"a": {30 * time.Second, 31 * time.Second}, "b": {99 * time.Second, 101 * time.Second},
		"c": {0, time.Second}, "d": {time.Second, 2 * time.Second},
	} {
		ttl, err := c.PTTL(ctx, "rl:"+key).Result()
		if err != nil || ttl < want[0] || ttl > want[1] {
			t.Errorf("%s: TTL %v, %v, want %v", key, ttl, err, want)
		}
	}
	if n := c.Exists(ctx, "rl:e").Val(); n != 0 {
		t.Error("a peek wrote a key")
	}
	before := c.Get(ctx, "rl:a").Val()
	if d := mustTake(t, l, "a", 60); d.OK {
		t.Errorf("%+v", d)
	}
	if after := c.Get(ctx, "rl:a").Val(); after != before {
		t.Errorf("a denial wrote: %s became %s", before, after)
	}
	q := newLimiter(t, c, redislimit.Options{Prefix: "q:"}, quota(3), ratelimit.PerMinute(60))
	mustTake(t, q, "a", 1)
	if ttl := c.PTTL(ctx, "q:a").Val(); ttl != -1 {
		t.Errorf("a used quota would be forgotten after %v", ttl)
	}
	if err := q.Remove(ctx, "a"); err != nil || c.Exists(ctx, "q:a").Val() != 0 {
		t.Error("Remove left the key")
	}
}

func TestChangedLimitsKeepWhatWasUsed(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	mustTake(t, newLimiter(t, c, redislimit.Options{}, ratelimit.PerHour(100)), "k", 60)
	if d := mustTake(t, newLimiter(t, c, redislimit.Options{}, ratelimit.Per(1000, 7*time.Hour)), "k", 0); d.Remaining != 940 && d.Remaining != 939 {
		t.Errorf("%+v", d)
	}
	if d := mustTake(t, newLimiter(t, c, redislimit.Options{}, ratelimit.PerHour(10)), "k", 1); d.OK {
		t.Errorf("%+v", d)
	}
}

func TestForeignKeyIsAnErrorNotAnAdmission(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	ctx := t.Context()
	l := newLimiter(t, c, redislimit.Options{}, quota(3))
	c.LPush(ctx, "rl:list", "x")
	c.Set(ctx, "rl:text", "hello", 0)
	for _, key := range []string{"list", "text"} {
		if d, err := l.Take(ctx, key, 1); !errors.Is(err, redislimit.ErrUnavailable) || d.OK {
			t.Errorf("%s: %+v, %v", key, d, err)
		}
	}
}

func TestScriptFlushIsNotNoticed(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	l := newLimiter(t, c, redislimit.Options{}, quota(100))
	for i := range 10 {
		if d := mustTake(t, l, "k", 1); d.Remaining != int64(99-i) {
			t.Fatalf("%+v", d)
		}
		if err := c.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.Stats(); s.Errors != 0 || s.Calls != 20 {
		t.Errorf("%+v", s)
	}
}

// until repeats f every 20 ms until it is true.
func until(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	deadline := time.After(within)
	for !f() {
		select {
		case <-deadline:
			t.Fatal(what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestKilledServerFallsBackAndRecoversByItself(t *testing.T) {
	server := servers.Redis(t)
	c := client(t, server.Addr)
	k, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{quota(3)}, ratelimit.Options{Capacity: 10})
	if err != nil {
		t.Fatal(err)
	}
	open := newLimiter(t, c, redislimit.Options{Timeout: 200 * time.Millisecond, Fallback: ratelimit.Local(k)}, quota(10))
	strict := newLimiter(t, c, redislimit.Options{Timeout: 200 * time.Millisecond}, quota(10))
	mustTake(t, open, "k", 4)
	server.Kill()
	admitted := 0
	for range 20 {
		if mustTake(t, open, "k", 1).OK {
			admitted++
		}
		if _, err := strict.Take(t.Context(), "k", 1); !errors.Is(err, redislimit.ErrUnavailable) {
			t.Fatalf("without a fallback: %v", err)
		}
	}
	if s := open.Stats(); admitted != 3 || s.Fallbacks != 20 || !s.BreakerOpen {
		t.Errorf("%d admitted during the outage, %+v", admitted, s)
	}
	server.Restart()
	until(t, 10*time.Second, "does not recover", func() bool {
		_, err := strict.Take(t.Context(), "other", 1)
		return err == nil && !strict.Stats().BreakerOpen
	})
	until(t, 10*time.Second, "does not recover", func() bool {
		_, err := open.Peek(t.Context(), "k", 0)
		return err == nil
	})
	if d := mustTake(t, open, "k", 0); d.Remaining != 6 {
		t.Errorf("what was charged before the crash: %+v, want 6 left", d)
	}
}

func TestPausedServerCostsTheTimeoutAndNothingTwice(t *testing.T) {
	server := servers.Redis(t)
	c := client(t, server.Addr)
	l := newLimiter(t, c, redislimit.Options{Timeout: 150 * time.Millisecond}, quota(100))
	mustTake(t, l, "k", 1)
	server.Pause()
	start := time.Now()
	if _, err := l.Take(t.Context(), "k", 10); !errors.Is(err, redislimit.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
	server.Resume()
	until(t, 10*time.Second, "does not recover", func() bool {
		d, err := l.Peek(t.Context(), "k", 0)
		return err == nil && (d.Remaining == 99 || d.Remaining == 89)
	})
}

func TestRefusedWritesFollowThePolicyAndEnd(t *testing.T) {
	server := servers.Redis(t)
	c := client(t, server.Addr)
	for name, step := range map[string][2][]any{
		"read-only": {{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
		"out of memory": {
			{"CONFIG", "SET", "maxmemory", "1"}, {"CONFIG", "SET", "maxmemory", "0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimiter(t, c, redislimit.Options{Prefix: name}, quota(100))
			mustTake(t, l, "k", 1)
			if err := c.Do(t.Context(), step[0]...).Err(); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if d, err := l.Take(t.Context(), "k", 1); !errors.Is(err, redislimit.ErrUnavailable) || d.OK {
					t.Fatalf("%+v, %v", d, err)
				}
			}
			if err := c.Do(t.Context(), step[1]...).Err(); err != nil {
				t.Fatal(err)
			}
			until(t, 10*time.Second, "does not recover", func() bool {
				d, err := l.Take(t.Context(), "k", 0)
				return err == nil && d.Remaining == 99
			})
		})
	}
}

func TestReplyLostAfterExecutionIsChargedOnce(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	lose := atomic.Bool{}
	do := func(ctx context.Context, args ...any) *redis.Cmd {
		cmd := c.Do(ctx, args...)
		if lose.Load() {
			cmd.SetErr(errors.New("read: connection reset by peer"))
		}
		return cmd
	}
	l, err := redislimit.New(do, []ratelimit.Limit{quota(100)}, redislimit.Options{Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	mustTake(t, l, "k", 1)
	lose.Store(true)
	if _, err := l.Take(t.Context(), "k", 10); !errors.Is(err, redislimit.ErrUnavailable) {
		t.Fatal(err)
	}
	lose.Store(false)
	if d := mustTake(t, l, "k", 0); d.Remaining != 89 {
		t.Errorf("%+v, want 89 left", d)
	}
}

func TestCancelledCallersLeaveNoCharge(t *testing.T) {
	server := servers.Redis(t)
	l := newLimiter(t, client(t, server.Addr), redislimit.Options{}, quota(1000))
	mustTake(t, l, "k", 0)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
			defer cancel()
			if d, err := l.Take(ctx, "k", 3); err == nil && d.OK {
				if err := l.Charge(t.Context(), "k", -3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	until(t, 5*time.Second, "charges of callers that left stay", func() bool {
		d, err := l.Peek(t.Context(), "k", 0)
		return err == nil && d.Remaining == 1000
	})
}
