// Package session_test runs the session stores against real databases.
package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
	"github.com/sysblocks/sysblocks/session/sqlsession"
)

// database is one server and how to reach it.
type database struct {
	name    string
	dialect sqlsession.Dialect
	driver  string
	dsn     string
	server  *servers.Server // nil for SQLite
}

// databases are started one after the other, as the sub-tests come.
func databases(t *testing.T, f func(t *testing.T, d database)) {
	t.Helper()
	t.Run("postgres", func(t *testing.T) {
		s := servers.Postgres(t)
		f(t, database{"postgres", sqlsession.Postgres, "pgx", s.DSN, s})
	})
	t.Run("mariadb", func(t *testing.T) {
		s := servers.MariaDB(t)
		f(t, database{"mariadb", sqlsession.MySQL, "mysql", s.DSN, s})
	})
	t.Run("sqlite", func(t *testing.T) {
		dsn := "file:" + filepath.Join(t.TempDir(), "s.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
		f(t, database{"sqlite", sqlsession.SQLite, "sqlite", dsn, nil})
	})
}

func (d database) open(t *testing.T, more string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, d.dsn+more)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var tables atomic.Int32

// store creates a table of its own.
func (d database) store(t *testing.T, db *sql.DB) *sqlsession.Store {
	t.Helper()
	s, err := sqlsession.New(db, d.dialect, sqlsession.Options{Table: fmt.Sprintf("sessions_%d", tables.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // "if it does not exist"
		if _, err := db.ExecContext(t.Context(), s.Schema()); err != nil {
			t.Fatalf("%v in\n%s", err, s.Schema())
		}
	}
	return s
}

func TestSQLStoresKeepTheContract(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		t.Helper()
		db := d.open(t, "")
		sessiontest.Run(t, func(t *testing.T) session.Store {
			t.Helper()
			return d.store(t, db)
		})
	})
}

// With clientFoundRows, MySQL counts matched rows instead of changed ones; parseTime and a time zone change how it
// reads dates. Nothing depends on either.
func TestMySQLSettingsDoNotMatter(t *testing.T) {
	s := servers.MariaDB(t)
	d := database{"mariadb", sqlsession.MySQL, "mysql", s.DSN, s}
	sep := "?"
	for _, c := range s.DSN {
		if c == '?' {
			sep = "&"
		}
	}
	db := d.open(t, sep+"clientFoundRows=true&parseTime=true&loc=Asia%2FTokyo&interpolateParams=true&time_zone=%27-08%3A00%27")
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		return d.store(t, db)
	})
}

// At the strictest isolation level, serialization failures are conflicts.
func TestPostgresSerializable(t *testing.T) {
	s := servers.Postgres(t)
	d := database{"postgres", sqlsession.Postgres, "pgx", s.DSN, s}
	db := d.open(t, "")
	if _, err := db.ExecContext(t.Context(), "ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'"); err != nil {
		t.Fatal(err)
	}
	db = d.open(t, "")
	lostUpdates(t, []session.Store{d.store(t, db)})
}

func TestSchemaInASchema(t *testing.T) {
	s := servers.Postgres(t)
	d := database{"postgres", sqlsession.Postgres, "pgx", s.DSN, s}
	db := d.open(t, "")
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA app"); err != nil {
		t.Fatal(err)
	}
	st, err := sqlsession.New(db, d.dialect, sqlsession.Options{Table: "app.sessions"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), st.Schema()); err != nil {
		t.Fatal(err)
	}
	var n int
	err = db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_indexes WHERE schemaname = 'app' AND tablename = 'sessions'").Scan(&n)
	if err != nil || n != 3 {
		t.Errorf("%d indexes, %v", n, err)
	}
}

// Several processes are several managers with several pools; the sum of what was acknowledged is the final value.
func TestNoUpdateIsLostAcrossPools(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		t.Helper()
		first := d.store(t, d.open(t, ""))
		stores := []session.Store{first}
		for range 2 {
			st, err := sqlsession.New(d.open(t, ""), d.dialect, sqlsession.Options{Table: fmt.Sprintf("sessions_%d", tables.Load())})
			if err != nil {
				t.Fatal(err)
			}
			stores = append(stores, st)
		}
		lostUpdates(t, stores)
	})
}

// A sweep beside traffic removes in batches what has expired and disturbs nobody.
func TestSweepBesideTraffic(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		t.Helper()
		const dead = 5000
		db := d.open(t, "")
		st := d.store(t, db)
		m, err := session.New[data](st, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		past := time.Now().Add(-time.Hour)
		fill(t, db, d, fmt.Sprintf("sessions_%d", tables.Load()), dead, past)
		live, _ := m.Lookup(t.Context(), "")
		if err := live.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan int)
		go func() {
			updates := 0
			for ctx.Err() == nil {
				s, err := m.Lookup(ctx, live.Token())
				if err == nil {
					if err = s.Update(increment); err == nil {
						err = s.Save(ctx)
					}
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("traffic: %v", err)
				}
				updates++
			}
			done <- updates
		}()
		n, err := m.Sweep(t.Context())
		cancel()
		if err != nil || n != dead {
			t.Errorf("swept %d, %v, want %d", n, err, dead)
		}
		t.Logf("%d updates beside the sweep", <-done)
		if _, err := m.Lookup(t.Context(), live.Token()); err != nil {
			t.Errorf("the live session: %v", err)
		}
	})
}

// fill inserts expired rows in bulk.
func fill(t *testing.T, db *sql.DB, d database, table string, n int, expired time.Time) {
	t.Helper()
	series := map[sqlsession.Dialect]string{
		sqlsession.Postgres: "SELECT decode(md5(i::text), 'hex'), NULL, 1, 0, %[1]d, %[1]d, '' FROM generate_series(1, %[2]d) i",
		sqlsession.MySQL:    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < %[2]d) SELECT unhex(md5(i)), NULL, 1, 0, %[1]d, %[1]d, '' FROM c",
		sqlsession.SQLite:   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < %[2]d) SELECT randomblob(16), NULL, 1, 0, %[1]d, %[1]d, x'' FROM c",
	}[d.dialect]
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if d.dialect == sqlsession.MySQL {
		if _, err := conn.ExecContext(t.Context(), "SET SESSION max_recursive_iterations = 1000000"); err != nil {
			t.Fatal(err)
		}
	}
	text := "INSERT INTO " + table + " (id, user_id, version, created_at, expires_at, deadline, payload) " + fmt.Sprintf(series, expired.UnixMilli(), n)
	if _, err := conn.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}
