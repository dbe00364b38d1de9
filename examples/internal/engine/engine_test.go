package engine

import (
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestUnsupportedEngineIsRefusedByNameAndWithoutItsSecret(t *testing.T) {
	for _, c := range []struct {
		args []string
		name string
	}{
		{[]string{"-redis", "redis://:secret@h:1"}, "-redis"},
		{[]string{"-postgres", "postgres://u:secret@h/d"}, "-postgres"},
	} {
		var e Engines
		fs := flag.NewFlagSet("t", flag.ContinueOnError)
		e.Flags(fs)
		if err := fs.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		err := e.Check("kvstore", Support{})
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: got %v", c.args, err)
		}
		if err := e.Check("kvstore", Support{Redis: true, Postgres: true}); err != nil {
			t.Errorf("supported, yet refused: %v", err)
		}
	}
}

func TestNamesOfEngines(t *testing.T) {
	for want, e := range map[string]Engines{
		"embedded":           {},
		"redis":              {Redis: "a"},
		"postgres":           {Postgres: "a"},
		"redis and postgres": {Redis: "a", Postgres: "b"},
	} {
		if got := e.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := (Engines{}).Check("x", Support{}); err != nil {
		t.Errorf("embedded refused: %v", err)
	}
}
