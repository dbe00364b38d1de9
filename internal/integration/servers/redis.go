package servers

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis starts a redis-server whose data survive Restart, also after Kill (an
// append-only file, written at each command). args are added to its command
// line, such as "--maxmemory", "8mb".
func Redis(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return newRedis(tb, false, args)
}

// RedisCluster starts a cluster of n ≥ 3 masters without replicas, all slots
// assigned, and returns when each of them calls the cluster whole.
func RedisCluster(tb testing.TB, n int) []*Server {
	tb.Helper()
	nodes := make([]*Server, n)
	for i := range nodes {
		nodes[i] = newRedis(tb, true, []string{
			"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000",
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	clients := make([]*redis.Client, n)
	for i, s := range nodes {
		clients[i] = redis.NewClient(&redis.Options{Addr: s.Addr})
		defer clients[i].Close()
	}
	const slots = 16384
	for i, c := range clients {
		if err := c.ClusterAddSlotsRange(ctx, i*slots/n, (i+1)*slots/n-1).Err(); err != nil {
			tb.Fatalf("cluster slots: %v", err)
		}
		if err := c.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(nodes[0].port)).Err(); err != nil && i > 0 {
			tb.Fatalf("cluster meet: %v", err)
		}
	}
	whole := func(c *redis.Client) bool {
		info, err := c.ClusterInfo(ctx).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok") &&
			strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", n)) && strings.Contains(info, "cluster_slots_ok:16384")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(clients, func(c *redis.Client) bool { return !whole(c) }) {
		select {
		case <-ctx.Done():
			tb.Fatal("the cluster does not come together")
		case <-tick.C:
		}
	}
	return nodes
}

func newRedis(tb testing.TB, cluster bool, args []string) *Server {
	tb.Helper()
	path := binary(tb, "redis-server")
	s := &Server{t: tb, name: "redis-server", dir: tempDir(tb)}
	s.command = func(s *Server) *exec.Cmd {
		return exec.CommandContext(context.Background(), path, append([]string{
			"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no",
			"--save", "", "--appendonly", "yes", "--appendfsync", "always",
		}, args...)...)
	}
	s.ready = func(ctx context.Context, s *Server) error {
		c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
		defer c.Close()
		return c.Ping(ctx).Err()
	}
	return s.launch(func() (int, error) { return freePort(cluster) })
}
