package idgenrows

import (
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	_ "github.com/go-sql-driver/mysql" // driver "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/benchmarks/internal/host"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// store is a counter on a server of its own, and what one id costs there without a Segment.
type store struct {
	host    host.Host
	counter idgen.Counter
	direct  func(ctx context.Context) error
	users   int // contenders that have it open
}

// open starts the server for the first contender of a row, close stops it after the last.
func (s *store) open(kind string) error {
	s.users++
	if s.users > 1 {
		return s.host.Err()
	}
	err := s.host.Run(func() {
		var err error
		switch kind {
		case "Redis":
			err = s.onRedis(servers.Redis(&s.host, "--appendonly", "no"))
		case "PostgreSQL":
			err = s.onSQL("pgx", servers.Postgres(&s.host).DSN, sqlid.Postgres)
		case "MariaDB":
			err = s.onSQL("mysql", servers.MariaDB(&s.host).DSN, sqlid.MySQL)
		}
		if err != nil {
			s.host.Fatal(err)
		}
	})
	if err != nil {
		s.close()
	}
	return err
}

func (s *store) close() {
	if s.users--; s.users == 0 {
		s.host.Close()
	}
}

func (s *store) onRedis(server *servers.Server) error {
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 64})
	s.host.Cleanup(func() { _ = rdb.Close() })
	s.direct = func(ctx context.Context) error { return rdb.Incr(ctx, "incr").Err() }
	c, err := redisid.NewCounter(rdb.Do, "reserve", redisid.CounterOptions{})
	s.counter = c
	return err
}

func (s *store) onSQL(driver, dsn string, d sqlid.Dialect) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	db.SetMaxIdleConns(64)
	s.host.Cleanup(func() { _ = db.Close() })
	for _, statement := range sqlid.Schema(d, "") {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return err
		}
	}
	one, err := sqlid.NewCounter(db, d, "one", sqlid.CounterOptions{})
	if err != nil {
		return err
	}
	s.direct = func(ctx context.Context) error { _, err := one.Reserve(ctx, 1); return err }
	c, err := sqlid.NewCounter(db, d, "segment", sqlid.CounterOptions{})
	s.counter = c
	return err
}

// contender opens s for one side of a row.
func (s *store) contender(name, kind string, begin func() (once func() error, done func(), err error), run loop) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		if err := s.open(kind); err != nil {
			return nil, nil, err
		}
		once, done, err := begin()
		if err != nil {
			s.close()
			return nil, nil, err
		}
		return run(once), func() { done(); s.close() }, nil
	}}
}

const warm = 300_000 // ids

// stores compares a Segment with one round trip per id, on real servers. A server that is not installed keeps its row.
func stores() []harness.Row {
	var rows []harness.Row
	for _, c := range []struct {
		kind, direct string
		goroutines   []int
		binaries     []string
	}{
		{"Redis", "INCR per id", []int{1, 16, 64}, []string{"redis-server"}},
		{"PostgreSQL", "UPDATE per id", []int{1, 16}, []string{"initdb", "/usr/lib/postgresql/*/bin/initdb"}},
		{"MariaDB", "UPDATE per id", []int{1, 16}, []string{"mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd"}},
	} {
		if !slices.ContainsFunc(c.binaries, found) {
			rows = append(rows, missing(c.kind))
			continue
		}
		for _, g := range c.goroutines {
			rows = append(rows, segmentOn(c.kind, c.direct, g))
		}
	}
	if found("redis-server") {
		rows = append(rows, reserveOne())
	}
	return rows
}

// reserveOne is what the counter of redisid adds to the plain command.
func reserveOne() harness.Row {
	s, ctx := new(store), context.Background()
	ours := func() (func() error, func(), error) {
		once := func() error { _, err := s.counter.Reserve(ctx, 1); return err }
		return once, func() {}, once()
	}
	incr := func() (func() error, func(), error) {
		once := func() error { return s.direct(ctx) }
		return once, func() {}, once()
	}
	r := row("redisid Reserve(1), 16 goroutines", s.contender("ours", "Redis", ours, spread(16)), harness.AtMost(1.2),
		s.contender("INCR", "Redis", incr, spread(16)))
	r.MaxAllocs = harness.NoAllocLimit
	return r
}

// found looks in the places where package servers looks.
func found(binary string) bool {
	files, _ := filepath.Glob(binary)
	_, err := exec.LookPath(binary)
	return err == nil || len(files) > 0
}

func missing(kind string) harness.Row {
	none := func() (float64, error) { return 0, nil }
	return harness.Row{
		Workload: "Segment on " + kind + ": not measured, no server", Unit: "servers",
		Ours: harness.Contender{Name: "ours", Value: none}, Target: harness.Report(),
	}
}

func segmentOn(kind, direct string, goroutines int) harness.Row {
	s := new(store)
	ctx := context.Background()
	segment := func() (func() error, func(), error) {
		g, err := idgen.NewSegment(s.counter, idgen.SegmentOptions{})
		if err != nil {
			return nil, nil, err
		}
		for range warm { // the first ranges are small
			if _, err := g.Next(ctx); err != nil {
				return nil, nil, err
			}
		}
		return func() error { _, err := g.Next(ctx); return err }, func() { _ = g.Close(ctx) }, nil
	}
	one := func() (func() error, func(), error) {
		return func() error { return s.direct(ctx) }, func() {}, s.direct(ctx) // once for the connection
	}
	return row(fmt.Sprintf("Segment on %s, %d goroutines", kind, goroutines),
		s.contender("ours", kind, segment, spread(goroutines)), harness.AtLeast(100),
		s.contender(direct, kind, one, spread(goroutines)))
}
