package servers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// Postgres starts a PostgreSQL server. DSN fits sql.Open("pgx", DSN); the
// database is called postgres and belongs to the user of the connection. What
// is committed survives Kill and Restart, though not a crash of the machine.
func Postgres(tb testing.TB) *Server {
	tb.Helper()
	const places = "/usr/lib/postgresql/*/bin"
	initdb := binary(tb, "initdb", places)
	postgres := filepath.Join(filepath.Dir(initdb), "postgres")
	s := &Server{t: tb, name: "postgres", dir: tempDir(tb)}
	data := filepath.Join(s.dir, "data")
	init := exec.CommandContext(context.Background(), initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	unprivileged(tb, s.dir, init)
	if out, err := init.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	s.command = func(s *Server) *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), postgres, "-D", data, "-p", strconv.Itoa(s.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "max_connections=200")
		unprivileged(s.t, s.dir, cmd)
		return cmd
	}
	s.ready = func(ctx context.Context, s *Server) error {
		s.DSN = fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", s.Addr)
		return ping(ctx, "pgx", s.DSN)
	}
	return s.launch(func() (int, error) { return freePort(false) })
}

// unprivileged makes cmd run as the user postgres when the test runs as root,
// which PostgreSQL refuses, and gives that user the folder.
func unprivileged(tb testing.TB, dir string, cmd *exec.Cmd) {
	tb.Helper()
	cmd.Dir = dir
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		tb.Fatalf("PostgreSQL does not run as root, and there is no user postgres: %v", err)
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		tb.Fatal(err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		tb.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// ping opens a connection, asks, and closes it.
func ping(ctx context.Context, driver, dsn string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}
