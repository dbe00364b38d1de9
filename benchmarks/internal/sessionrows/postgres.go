package sessionrows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sqlsession"
)

// postgres is a private server, and a count of the statements sent to it.
type postgres struct {
	db         *sql.DB
	statements atomic.Int64
	cmd        *exec.Cmd
	dir        string
}

// TraceQueryStart implements pgx.QueryTracer.
func (p *postgres) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	p.statements.Add(1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (p *postgres) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// postgresBinaries is the folder of the server, or "".
func postgresBinaries() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, lookErr := exec.LookPath("initdb"); lookErr == nil {
		found = []string{path}
	}
	if err != nil || len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

func startPostgres() (*postgres, error) {
	dir, err := os.MkdirTemp("", "sessionrows")
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir}
	bin, data := postgresBinaries(), filepath.Join(dir, "data")
	setup, err := p.command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return nil, err
	}
	if out, err := setup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, err
	}
	p.cmd, err = p.command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
	if err != nil {
		p.stop()
		return nil, err
	}
	config.Tracer = p
	p.db = stdlib.OpenDB(*config)
	deadline := time.After(20 * time.Second)
	for p.db.PingContext(context.Background()) != nil {
		select {
		case <-deadline:
			p.stop()
			return nil, errors.New("postgres does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return p, nil
}

// command runs as the user postgres if we are root, which the server refuses.
func (p *postgres) command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir = p.dir
	if os.Getuid() != 0 {
		return cmd, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	return cmd, os.Chown(p.dir, uid, uid)
}

func (p *postgres) stop() {
	if p.db != nil {
		_ = p.db.Close()
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
}

func (p *postgres) exec(text string) error {
	_, err := p.db.ExecContext(context.Background(), text)
	return err
}

func (p *postgres) ours() (*sqlsession.Store, error) {
	store, err := sqlsession.New(p.db, sqlsession.Postgres, sqlsession.Options{})
	if err == nil {
		err = p.exec(store.Schema())
	}
	return store, err
}

func (p *postgres) scs() (*postgresstore.PostgresStore, error) {
	return postgresstore.NewWithCleanupInterval(p.db, 0), p.exec(
		"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL); CREATE INDEX ON sessions (expiry)")
}

// trips counts the statements of one request, with an idle limit.
func trips(do work, serve func(p *postgres, do work) (http.Handler, *http.Request, error)) func() (float64, error) {
	return func() (float64, error) {
		p, err := startPostgres()
		if err != nil {
			return 0, err
		}
		defer p.stop()
		h, r, err := serve(p, do)
		if err != nil {
			return 0, err
		}
		const requests = 200
		before := p.statements.Load()
		for range requests {
			h.ServeHTTP(newSink(), r)
		}
		return float64(p.statements.Load()-before) / requests, nil
	}
}

func ourSQL(p *postgres, do work) (http.Handler, *http.Request, error) {
	store, err := p.ours()
	if err != nil {
		return nil, nil, err
	}
	m, err := session.New[Data](store, session.Options{IdleTimeout: 20 * time.Minute})
	if err != nil {
		return nil, nil, err
	}
	r, err := ourLogin(m)
	return ourHandler(m, do), r, err
}

func scsSQL(p *postgres, do work) (http.Handler, *http.Request, error) {
	store, err := p.scs()
	if err != nil {
		return nil, nil, err
	}
	m := scs.New()
	m.Store, m.IdleTimeout = store, 20*time.Minute
	token, err := scsLogin(m)
	if err != nil {
		return nil, nil, err
	}
	r, err := requestWith(m.Cookie.Name, token)
	return scsHandler(m, do), r, err
}

// sweeping removes n expired rows and returns the longest statement in milliseconds: so long it may hold its locks.
func sweeping(n int, ours bool) func() (float64, error) {
	return func() (float64, error) {
		p, err := startPostgres()
		if err != nil {
			return 0, err
		}
		defer p.stop()
		var worst longest
		if !ours {
			if _, err := p.scs(); err != nil {
				return 0, err
			}
			fill := "INSERT INTO sessions SELECT md5(i::text), decode(repeat('00', 200), 'hex'), now() - interval '1 hour' FROM generate_series(1, %d) i"
			if err := p.exec(fmt.Sprintf(fill, n)); err != nil {
				return 0, err
			}
			worst.time(func() { err = p.exec("DELETE FROM sessions WHERE expiry < current_timestamp") }) // what its clean-up sends
			return worst.ms(), err
		}
		store, err := p.ours()
		if err != nil {
			return 0, err
		}
		fill := "INSERT INTO sessions SELECT decode(md5(i::text), 'hex'), NULL, 1, 0, 1, 1, decode(repeat('00', 200), 'hex') FROM generate_series(1, %d) i"
		if err := p.exec(fmt.Sprintf(fill, n)); err != nil {
			return 0, err
		}
		for swept := 0; swept < n; {
			var batch int
			worst.time(func() { batch, err = store.Sweep(context.Background(), 1000) }) // as Manager.Sweep does
			if err != nil || batch == 0 {
				return 0, fmt.Errorf("%d of %d swept: %w", swept, n, err)
			}
			swept += batch
		}
		return worst.ms(), nil
	}
}

func databases(quick bool) []harness.Row {
	if postgresBinaries() == "" {
		return nil
	}
	n := 100_000
	if quick {
		n = 2000
	}
	row := func(workload, unit string, limit float64, ours, peer func() (float64, error)) harness.Row {
		return harness.Row{
			Workload: workload, Unit: unit, Ours: harness.Contender{Name: "sqlsession", Value: ours},
			Peers: []harness.Contender{{Name: "postgresstore", Value: peer}}, Target: harness.Limit(limit), MaxAllocs: harness.NoAllocLimit,
		}
	}
	return []harness.Row{
		row("SQL: round trips of ReadUserID with an idle limit, PostgreSQL", "trips", 1, trips(readUserID, ourSQL), trips(readUserID, scsSQL)),
		row("SQL: round trips of Update with an idle limit, PostgreSQL", "trips", 2, trips(update, ourSQL), trips(update, scsSQL)),
		row(fmt.Sprintf("SweepSQL: longest statement that removes %d expired rows, PostgreSQL", n), "ms", 50, sweeping(n, true), sweeping(n, false)),
	}
}
