package ratelimitrows

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

const (
	redisTokens = 1 << 30
	thousand    = 1000
)

// startRedis starts a server of its own that holds nothing on disk; it ends with stop.
func startRedis() (c *redis.Client, stop func(), err error) {
	dir, err := os.MkdirTemp("", "ratelimitrows")
	if err != nil {
		return nil, nil, err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(context.Background(), "redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	c = redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), PoolSize: 64})
	stop = func() {
		_ = c.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	deadline := time.After(5 * time.Second)
	for c.Ping(context.Background()).Err() != nil {
		select {
		case <-deadline:
			stop()
			return nil, nil, errors.New("redis-server does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return c, stop, nil
}

// onRedis makes a contender with a server of its own. One operation is one decision of callers that share a key.
func onRedis(name string, callers int, limiter func(c *redis.Client) (func(), error)) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		c, stop, err := startRedis()
		if err != nil {
			return nil, nil, err
		}
		take, err := limiter(c)
		if err != nil {
			stop()
			return nil, nil, err
		}
		run := shared(callers, func() func() { return take })
		if callers == 1 {
			return run, stop, nil
		}
		return func(n int) { run(thousand * n) }, stop, nil // starting the callers must not count
	}}
}

func oursOnRedis(lease int) func(c *redis.Client) (func(), error) {
	return func(c *redis.Client) (func(), error) {
		l, err := redislimit.New(c.Do, []ratelimit.Limit{ratelimit.PerSecond(redisTokens)},
			redislimit.Options{LeaseMax: lease, Timeout: 5 * time.Second})
		if err != nil {
			return nil, err
		}
		return func() {
			if d, err := l.Take(context.Background(), "hot", 1); err != nil || !d.OK {
				panic(fmt.Sprint("not admitted: ", d, err))
			}
		}, nil
	}
}

// redisRows needs a redis-server on the path; without one the rows are left out.
func redisRows(quick bool) ([]harness.Row, error) {
	if _, err := exec.LookPath("redis-server"); errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	decisions := 100_000
	if quick {
		decisions = 5000
	}
	return []harness.Row{
		{
			Workload: "Redis, one exact key, 1 caller", MaxAllocs: harness.NoAllocLimit,
			Ours: onRedis("redislimit", 1, oursOnRedis(0)), Peers: []harness.Contender{onRedis("redis_rate", 1, redisRate)},
			Target: harness.AtMost(1.1),
		},
		{
			Workload: "Redis, one exact key, 64 callers", Unit: "ns per 1000 decisions", MaxAllocs: harness.NoAllocLimit,
			Ours: onRedis("redislimit", 64, oursOnRedis(0)), Peers: []harness.Contender{onRedis("redis_rate", 64, redisRate)},
			Target: harness.AtLeast(1.25),
		},
		{
			Workload: "Redis, leases, hot key, 64 callers", Unit: "ns per 1000 decisions", MaxAllocs: harness.NoAllocLimit,
			Ours: onRedis("redislimit", 64, oursOnRedis(1000)), Peers: []harness.Contender{onRedis("redis_rate", 64, redisRate)},
			Target: harness.AtLeast(20),
		},
		{
			Workload: "Redis, leases, hot key, 64 callers", Unit: "calls per 100 decisions", Target: harness.Limit(2),
			Ours: value("redislimit", func() (float64, error) { return callsPer100(decisions) }),
		},
	}, nil
}

func callsPer100(decisions int) (float64, error) {
	c, stop, err := startRedis()
	if err != nil {
		return 0, err
	}
	defer stop()
	l, err := redislimit.New(c.Do, []ratelimit.Limit{ratelimit.PerSecond(redisTokens)},
		redislimit.Options{LeaseMax: 1000, Timeout: 5 * time.Second})
	if err != nil {
		return 0, err
	}
	shared(64, func() func() {
		return func() { _, _ = l.Take(context.Background(), "hot", 1) }
	})(decisions)
	return float64(l.Stats().Calls) * 100 / float64(decisions), l.Close(context.Background())
}
