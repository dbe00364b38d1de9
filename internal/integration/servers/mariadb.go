package servers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDB starts a MariaDB server. DSN fits sql.Open("mysql", DSN) and names
// the database sysblocks. What is committed survives Kill and Restart, though
// not a crash of the machine.
func MariaDB(tb testing.TB) *Server {
	tb.Helper()
	install := binary(tb, "mariadb-install-db")
	mariadbd := binary(tb, "mariadbd", "/usr/sbin", "/usr/libexec")
	s := &Server{t: tb, name: "mariadbd", dir: tempDir(tb)}
	data := filepath.Join(s.dir, "data")
	asRoot := []string{}
	if os.Getuid() == 0 {
		asRoot = []string{"--user=root"}
	}
	init := exec.CommandContext(context.Background(), install, append([]string{
		"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
	}, asRoot...)...)
	if out, err := init.CombinedOutput(); err != nil {
		tb.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	s.command = func(s *Server) *exec.Cmd {
		return exec.CommandContext(context.Background(), mariadbd, append([]string{
			"--no-defaults", "--datadir=" + data, "--port=" + strconv.Itoa(s.port), "--bind-address=127.0.0.1",
			"--socket=" + filepath.Join(s.dir, "socket"), "--pid-file=" + filepath.Join(s.dir, "pid"),
			"--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", "--max-connections=300",
		}, asRoot...)...)
	}
	s.ready = func(ctx context.Context, s *Server) error {
		c := mysql.NewConfig()
		c.User, c.Net, c.Addr = "root", "tcp", s.Addr
		db, err := sql.Open("mysql", c.FormatDSN())
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS sysblocks"); err != nil {
			return fmt.Errorf("create database: %w", err)
		}
		c.DBName = "sysblocks"
		s.DSN = c.FormatDSN()
		return nil
	}
	return s.launch(func() (int, error) { return freePort(false) })
}
