package newsfeed_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// commands is Redis's own count of a command, such as xadd.
func commands(t *testing.T, client *redis.Client, name string) int {
	t.Helper()
	info, err := client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	match := regexp.MustCompile(`cmdstat_` + name + `:calls=(\d+)`).FindStringSubmatch(info)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	require.NoError(t, err)
	return n
}

// until asks again until the condition holds, or fails the test.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// inserted is PostgreSQL's own count of inserted rows. Its backends report when they are idle or end.
func inserted(t *testing.T, db *sql.DB) (rows int64) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT tup_inserted FROM pg_stat_database WHERE datname = current_database()`).Scan(&rows))
	return rows
}

func clientOf(t *testing.T, s *servers.Server) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func dbOf(t *testing.T, s *servers.Server) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", s.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestClaimsHoldOnRealServersWhichDidTheWork(t *testing.T) {
	broker, store := servers.Redis(t), servers.Postgres(t)
	client, db := clientOf(t, broker), dbOf(t, store)
	for _, c := range []struct {
		engines string
		args    []string
	}{
		{"redis", []string{"-redis", broker.Addr}},
		{"postgres", []string{"-postgres", store.DSN}},
		{"redis and postgres", []string{"-redis", "redis://" + broker.Addr, "-postgres", store.DSN, "-seed", "2"}},
	} {
		t.Run(c.engines, func(t *testing.T) {
			counted := []string{"xadd", "xreadgroup", "xack", "xclaim", "evalsha"}
			before := map[string]int{}
			for _, name := range counted {
				before[name] = commands(t, client, name)
			}
			rows := inserted(t, db)
			verdicts, code, stderr := demo(t, func(verdict) {}, c.args...)
			for _, v := range verdicts {
				if !v.Pass {
					t.Errorf("%+v", v)
				}
			}
			require.Zero(t, code, stderr)
			summary := verdicts[len(verdicts)-1]
			require.Equal(t, c.engines, summary.Engines)
			require.Equal(t, 7, summary.Held)
			require.Equal(t, 7, summary.Broke)
			if strings.Contains(c.engines, "redis") {
				least := map[string]int{"xadd": 1500, "xreadgroup": 200, "xack": 1500, "xclaim": 4, "evalsha": 200}
				for _, name := range counted {
					require.Greater(t, commands(t, client, name), before[name]+least[name], name)
				}
			}
			if strings.Contains(c.engines, "postgres") {
				until(t, "rows in PostgreSQL", func() bool { return inserted(t, db) > rows+20_000 })
			}
		})
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Empty(t, keys, "a demo leaves keys behind")
	var schemas int
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sysblocks%'`).Scan(&schemas))
	require.Zero(t, schemas, "a demo leaves a schema behind")
}

func TestAServerThatDiesInMidRunIsNeverAPass(t *testing.T) {
	for name, start := range map[string]func() (*servers.Server, []string){
		"redis":    func() (*servers.Server, []string) { s := servers.Redis(t); return s, []string{"-redis", s.Addr} },
		"postgres": func() (*servers.Server, []string) { s := servers.Postgres(t); return s, []string{"-postgres", s.DSN} },
	} {
		for _, after := range []string{"a", "d"} {
			t.Run(fmt.Sprintf("%s/after=%s", name, after), func(t *testing.T) {
				server, args := start()
				verdicts, code, stderr := demo(t, func(v verdict) {
					if v.Claim == after {
						server.Kill()
					}
				}, args...)
				require.Contains(t, []int{1, 2}, code, stderr)
				for _, v := range verdicts {
					// The claim after it may have been under way; f says of itself that it uses no engine.
					if v.Claim > string(after[0]+1) && v.Claim != "f" && v.Pass {
						t.Errorf("passes without its server: %+v", v)
					}
				}
			})
		}
		t.Run(name+"/before", func(t *testing.T) {
			server, args := start()
			server.Kill()
			began := time.Now()
			verdicts, code, stderr := demo(t, func(verdict) {}, args...)
			require.Equal(t, 2, code)
			require.Empty(t, verdicts)
			require.Contains(t, stderr, "-"+name)
			require.Less(t, time.Since(began), 10*time.Second)
		})
	}
}

func TestAPausedServerEndsTheStartInSeconds(t *testing.T) {
	for name, start := range map[string]func() (*servers.Server, string){
		"redis":    func() (*servers.Server, string) { s := servers.Redis(t); return s, s.Addr },
		"postgres": func() (*servers.Server, string) { s := servers.Postgres(t); return s, s.DSN },
	} {
		t.Run(name, func(t *testing.T) {
			server, address := start()
			server.Pause()
			defer server.Resume()
			began := time.Now()
			_, code, stderr := demo(t, func(verdict) {}, "-"+name, address)
			require.Equal(t, 2, code, stderr)
			require.Contains(t, stderr, "-"+name)
			require.Less(t, time.Since(began), 10*time.Second) // 3 s, and a busy machine
		})
	}
}
