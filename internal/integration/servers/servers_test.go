package servers

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRedisKeepsDataOverKillAndIsSilentWhilePaused(t *testing.T) {
	s := Redis(t)
	ctx := t.Context()
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, ReadTimeout: 200 * time.Millisecond})
	defer rdb.Close()
	if err := rdb.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Pause()
	if err := rdb.Get(ctx, "k").Err(); !isTimeout(err) {
		t.Errorf("a paused server answered: %v", err)
	}
	s.Resume()
	if v, err := rdb.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Errorf("after Resume: %q, %v", v, err)
	}
	s.Kill()
	if err := rdb.Get(ctx, "k").Err(); err == nil {
		t.Error("a killed server answered")
	}
	s.Restart()
	if v, err := rdb.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Errorf("after Kill and Restart: %q, %v", v, err)
	}
	s.Stop()
	if err := rdb.Get(ctx, "k").Err(); err == nil {
		t.Error("a stopped server answered")
	}
	s.Restart()
	if v, err := rdb.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Errorf("after Stop and Restart: %q, %v", v, err)
	}
}

func TestRedisClusterServesKeysOfAllSlots(t *testing.T) {
	nodes := RedisCluster(t, 3)
	addrs := make([]string, len(nodes))
	for i, n := range nodes {
		addrs[i] = n.Addr
	}
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	defer rdb.Close()
	for _, key := range []string{"user:42", "123456789", "foo", "bar", "a", "b"} {
		if err := rdb.Set(t.Context(), key, key, 0).Err(); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	masters := 0
	err := rdb.ForEachMaster(t.Context(), func(context.Context, *redis.Client) error { masters++; return nil })
	if err != nil || masters != 3 {
		t.Errorf("%d masters, %v", masters, err)
	}
}

func TestSQLServersKeepCommittedRowsOverKill(t *testing.T) {
	for _, c := range []struct {
		driver string
		start  func(testing.TB) *Server
	}{{"pgx", Postgres}, {"mysql", MariaDB}} {
		t.Run(c.driver, func(t *testing.T) {
			s := c.start(t)
			db, err := sql.Open(c.driver, s.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, q := range []string{"CREATE TABLE t (n INT)", "INSERT INTO t VALUES (42)"} {
				if _, err := db.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			s.Pause()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := db.PingContext(ctx); err == nil {
				if _, err = db.ExecContext(ctx, "INSERT INTO t VALUES (43)"); err == nil {
					t.Error("a paused server answered")
				}
			}
			s.Resume()
			s.Kill()
			s.Restart()
			s.Restart() // from a running server: an orderly stop first
			// A pooled connection may be found dead only on use; the pool then opens another.
			var n int
			for range 5 {
				if err = db.QueryRowContext(t.Context(), "SELECT MIN(n) FROM t").Scan(&n); err == nil {
					break
				}
			}
			if n != 42 || err != nil {
				t.Errorf("after Kill and Restart: %d, %v", n, err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
