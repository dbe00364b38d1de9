package tinyurl_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/internal/integration/program"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// inserted is PostgreSQL's own count of inserted rows and of committed transactions. Its backends report when they are idle or
// end, so it is asked for until it has risen or patience ends.
func inserted(t *testing.T, db *sql.DB, above int64) (rows int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT tup_inserted FROM pg_stat_database WHERE datname = current_database()`).Scan(&rows))
		if rows > above {
			return rows
		}
		select {
		case <-ctx.Done():
			return rows
		case <-tick.C:
		}
	}
}

func dbOf(t *testing.T, s *servers.Server) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", s.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestClaimsHoldOnRealServersWhichDidTheWork(t *testing.T) {
	cache, store := servers.Redis(t), servers.Postgres(t)
	client, db := program.Redis(t, cache), dbOf(t, store)
	for _, c := range []struct {
		engines string
		args    []string
	}{
		{"redis", []string{"-redis", cache.Addr}},
		{"postgres", []string{"-postgres", store.DSN}},
		{"redis and postgres", []string{"-redis", "redis://" + cache.Addr, "-postgres", store.DSN, "-codes", "snowflake"}},
	} {
		t.Run(c.engines, func(t *testing.T) {
			bits, scripts, rows := program.Commands(t, client, "bitfield"), program.Commands(t, client, "evalsha"), inserted(t, db, -1)
			verdicts, code, stderr := program.Demo(t, tinyurl, func(program.Verdict) {}, c.args...)
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
				require.Greater(t, program.Commands(t, client, "bitfield"), bits+2000, "links put into the filter")
				require.Greater(t, program.Commands(t, client, "evalsha"), scripts+40, "decisions about quotas")
			}
			if strings.Contains(c.engines, "postgres") {
				require.Greater(t, inserted(t, db, rows+2000), rows+2000, "links stored")
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
				verdicts, code, stderr := program.Demo(t, tinyurl, func(v program.Verdict) {
					if v.Claim == after {
						server.Kill()
					}
				}, args...)
				require.Contains(t, []int{1, 2}, code, stderr)
				dead := false
				for _, v := range verdicts {
					if dead && v.Claim != "" && v.Claim > next(after) && v.Pass {
						t.Errorf("passes without its server: %+v", v)
					}
					dead = dead || v.Claim == after
				}
			})
		}
		t.Run(name+"/before", func(t *testing.T) {
			server, args := start()
			server.Kill()
			began := time.Now()
			verdicts, code, stderr := program.Demo(t, tinyurl, func(program.Verdict) {}, args...)
			require.Equal(t, 2, code)
			require.Empty(t, verdicts)
			require.Contains(t, stderr, "-"+name)
			require.Less(t, time.Since(began), 10*time.Second)
		})
	}
}

// next is the claim that may have been under way when a server was killed on seeing the verdict of another one.
func next(id string) string { return string(id[0] + 1) }

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
			_, code, stderr := program.Demo(t, tinyurl, func(program.Verdict) {}, "-"+name, address)
			require.Equal(t, 2, code, stderr)
			require.Contains(t, stderr, "-"+name)
			require.Less(t, time.Since(began), 10*time.Second) // 3 s, and a busy machine
		})
	}
}
