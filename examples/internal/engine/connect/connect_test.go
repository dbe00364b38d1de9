package connect

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
)

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestUnreachableEnginesAreNamedWithoutPasswords(t *testing.T) {
	for flag, e := range map[string]engine.Engines{
		"-redis":         {Redis: closedPort(t)},
		"-redis:":        {Redis: "redis://:secret@" + closedPort(t)},
		"-redis: malf":   {Redis: "redis:// :secret@x y"},
		"-postgres:":     {Postgres: "postgres://u:secret@" + closedPort(t) + "/x?sslmode=disable"},
		"-postgres: mal": {Postgres: "postgres://u:secret@h:port/"},
	} {
		err := Reach(t.Context(), e)
		if !errors.Is(err, engine.ErrUnreachable) || !strings.Contains(err.Error(), flag) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	if err := Reach(t.Context(), engine.Engines{}); err != nil {
		t.Error(err)
	}
}

func TestEmbeddedDataLiesInTheFolderAndIsKept(t *testing.T) {
	o := Options{Name: "sample", Dir: t.TempDir()}
	for _, statement := range []string{"CREATE TABLE t (x)", "INSERT INTO t VALUES (1)", "DROP TABLE t"} {
		c, err := Open(t.Context(), engine.Engines{}, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SQL.ExecContext(t.Context(), statement); err != nil {
			t.Error(err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAddressThatCannotBeUsedIsAnError(t *testing.T) {
	for _, e := range []engine.Engines{{Redis: "redis:// x"}, {Postgres: "postgres://h:port/"}, {Postgres: "postgres://u@" + closedPort(t) + "/x"}} {
		if c, err := Open(t.Context(), e, Options{Name: "sample", Dir: t.TempDir(), Fresh: true}); err == nil {
			t.Errorf("%v: opened %v", e, c)
		}
	}
}
