package sqlsession

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/session"
)

func TestNewChecksItsArguments(t *testing.T) {
	db := new(sql.DB) // never used: New opens nothing
	long := strings.Repeat("t", 64)
	for name, err := range map[string]error{
		"db":      second(New(nil, Postgres, Options{})),
		"dialect": second(New(db, 0, Options{})),
		"other":   second(New(db, 4, Options{})),
		"dots":    second(New(db, SQLite, Options{Table: "a.b.c"})),
		"empty":   second(New(db, SQLite, Options{Table: "a."})),
		"long":    second(New(db, SQLite, Options{Table: long})),
		"quote":   second(New(db, MySQL, Options{Table: "a`b"})),
		"space":   second(New(db, Postgres, Options{Table: "a b"})),
		"at":      second(New(db, Postgres, Options{Table: "a@b"})),
	} {
		if !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, table := range []string{"", "s", "app.Sessions_2", long[:63] + "." + long[:63]} {
		if _, err := New(db, Postgres, Options{Table: table}); err != nil {
			t.Errorf("%q: %v", table, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

func TestIndexNamesStayShortAndDifferent(t *testing.T) {
	seen := map[string]bool{}
	for n := 1; n <= 63; n++ {
		for _, last := range "ab" {
			table := strings.Repeat("t", n-1) + string(last)
			for _, column := range []string{"user_id", "expires_at"} {
				name := indexName(table, column)
				if len(name) > 63 || seen[name] || name == table {
					t.Errorf("index %q of table %q", name, table)
				}
				seen[name] = true
			}
		}
	}
}

func TestSchemaQuotesForEachDialect(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		want    []string
	}{
		{Postgres, []string{`EXISTS "app"."sess" (`, `EXISTS "sess_user_id" ON "app"."sess" (user_id) WHERE`, "BYTEA"}},
		{SQLite, []string{`EXISTS "app"."sess" (`, `EXISTS "app"."sess_user_id" ON "sess" (user_id) WHERE`, "BLOB"}},
		{MySQL, []string{"EXISTS `app`.`sess` (", "INDEX `sess_user_id` (user_id)", "LONGBLOB"}},
	} {
		s, err := New(new(sql.DB), c.dialect, Options{Table: "app.sess"})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(s.Schema(), want) {
				t.Errorf("%v: no %q in\n%s", c.dialect, want, s.Schema())
			}
		}
		if c.dialect == MySQL && strings.Contains(s.Schema(), ";") {
			t.Error("MySQL takes one statement per Exec")
		}
	}
}

func TestOnlyCertainRollbacksRunAgain(t *testing.T) {
	for err, want := range map[error]bool{
		pgError("40001"): true, pgError("23505"): false, errors.New("40001"): false, context.Canceled: false,
		&mysqlError{SQLState: [5]byte{'4', '0', '0', '0', '1'}}: true, &mysqlError{}: false,
	} {
		if got := rolledBack(fmt.Errorf("save: %w", err)); got != want {
			t.Errorf("%#v: %v", err, got)
		}
	}
	if rolledBack(nil) {
		t.Error("nil is an error")
	}
}

// mysqlError has the shape of the driver's.
type mysqlError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

func (e *mysqlError) Error() string { return "Error 1213" }

type pgError string

func (e pgError) Error() string    { return string(e) }
func (e pgError) SQLState() string { return string(e) }

func FuzzTable(f *testing.F) {
	for _, s := range []string{"sessions", "a.b", "a\"b", "a`b", "a;b", "ä", "", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, table string) {
		parts, err := parseTable(table)
		if err != nil {
			return
		}
		for _, d := range []Dialect{Postgres, MySQL, SQLite} {
			// Every quote opens or closes an identifier of ours, and nothing of the name is outside.
			st := d.statements(parts)
			for _, text := range []string{st.load, st.insert, st.save, st.touch, st.remove, st.list, st.schema} {
				if strings.Count(text, d.quote("")[:1])%2 != 0 || strings.ContainsAny(table, "\"`'; \n\\") {
					t.Fatalf("table %q gives %s", table, text)
				}
			}
		}
	})
}
