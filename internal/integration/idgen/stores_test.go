package idgen_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	redigo "github.com/gomodule/redigo/redis"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	_ "modernc.org/sqlite"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// place says where a store is, in words that fit an environment variable: children open the same one.
type place struct{ kind, address string }

// store is an open place.
type store struct {
	place   place
	server  *servers.Server // nil for SQLite
	db      *sql.DB         // nil for Redis
	leaser  func(namespace string) (idgen.Leaser, error)
	counter func(name string) (idgen.Counter, error)
}

var kinds = []string{"postgres", "mariadb", "sqlite", "redis"}

// newStore starts a server and creates the tables.
func newStore(tb testing.TB, kind string) *store {
	tb.Helper()
	var server *servers.Server
	p := place{kind: kind}
	switch kind {
	case "postgres":
		server = servers.Postgres(tb)
		p.address = server.DSN
	case "mariadb":
		server = servers.MariaDB(tb)
		p.address = server.DSN
	case "redis": // every write is on disk before it is acknowledged, so that a power cut loses nothing
		server = servers.Redis(tb, "--appendonly", "yes", "--appendfsync", "always")
		p.address = server.Addr
	case "sqlite":
		p.address = "file:" + filepath.Join(tb.TempDir(), "ids.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
	}
	s, err := open(p)
	if err != nil {
		tb.Fatal(err)
	}
	s.server = server
	if s.db != nil {
		tb.Cleanup(func() { s.db.Close() })
		for _, statement := range sqlid.Schema(s.dialect(), "") {
			if _, err := s.db.ExecContext(tb.Context(), statement); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return s
}

func (s *store) dialect() sqlid.Dialect {
	return map[string]sqlid.Dialect{"postgres": sqlid.Postgres, "mariadb": sqlid.MySQL, "sqlite": sqlid.SQLite}[s.place.kind]
}

// open connects to a place.
func open(p place) (*store, error) {
	s := &store{place: p}
	if p.kind == "redis" {
		rdb := redis.NewClient(&redis.Options{Addr: p.address, MaxRetries: -1, ReadTimeout: time.Second, WriteTimeout: time.Second})
		s.leaser = func(ns string) (idgen.Leaser, error) { return redisid.NewLeaser(rdb.Do, ns, redisid.LeaserOptions{}) }
		s.counter = func(name string) (idgen.Counter, error) {
			return redisid.NewCounter(rdb.Do, name, redisid.CounterOptions{})
		}
		return s, nil
	}
	driver := map[string]string{"postgres": "pgx", "mariadb": "mysql", "sqlite": "sqlite"}[p.kind]
	db, err := sql.Open(driver, p.address)
	if err != nil {
		return nil, err
	}
	s.db = db
	s.leaser = func(ns string) (idgen.Leaser, error) {
		return sqlid.NewLeaser(db, s.dialect(), ns, sqlid.LeaserOptions{})
	}
	s.counter = func(name string) (idgen.Counter, error) {
		return sqlid.NewCounter(db, s.dialect(), name, sqlid.CounterOptions{})
	}
	return s, nil
}

// reply makes any client fit redisid.
type reply struct {
	value any
	err   error
}

func (r reply) Result() (any, error) { return r.value, r.err }

func redigoDo(pool *redigo.Pool) func(ctx context.Context, args ...any) reply {
	return func(ctx context.Context, args ...any) reply {
		conn, err := pool.GetContext(ctx)
		if err != nil {
			return reply{err: err}
		}
		defer conn.Close()
		v, err := redigo.DoContext(conn, ctx, args[0].(string), args[1:]...)
		return reply{v, err}
	}
}

func rueidisDo(client rueidis.Client) func(ctx context.Context, args ...any) reply {
	return func(ctx context.Context, args ...any) reply {
		words := make([]string, len(args))
		for i, a := range args {
			words[i] = fmt.Sprint(a)
		}
		v, err := client.Do(ctx, client.B().Arbitrary(words...).Build()).ToAny()
		return reply{v, err}
	}
}
