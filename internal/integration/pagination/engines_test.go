package pagination_test

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql" // driver "mysql"
	_ "modernc.org/sqlite"             // driver "sqlite"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// engine is a database to run the same tests on.
type engine struct {
	name    string
	dialect sqlpage.Dialect
	db      *sql.DB
	dsn     string
}

// open opens a database that lives as long as the test.
func open(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

var memory atomic.Int64 // numbers the databases in memory

func sqlite(tb testing.TB) engine {
	tb.Helper()
	db := open(tb, "sqlite", fmt.Sprintf("file:page%d?mode=memory&cache=shared", memory.Add(1)))
	db.SetMaxOpenConns(1)
	return engine{"sqlite", sqlpage.SQLite, db, ""}
}

func postgres(tb testing.TB) engine {
	tb.Helper()
	dsn := servers.Postgres(tb).DSN
	return engine{"postgres", sqlpage.Postgres, open(tb, "pgx", dsn), dsn}
}

func mariadb(tb testing.TB) engine {
	tb.Helper()
	dsn := servers.MariaDB(tb).DSN + "?parseTime=true"
	return engine{"mariadb", sqlpage.MySQL, open(tb, "mysql", dsn), dsn}
}

// onEngines runs a test on each engine. A server that is not installed skips its part.
func onEngines(t *testing.T, test func(t *testing.T, e engine)) {
	for name, start := range map[string]func(testing.TB) engine{"sqlite": sqlite, "postgres": postgres, "mariadb": mariadb} {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// exec runs statements that must succeed.
func (e engine) exec(tb testing.TB, query string, args ...any) {
	tb.Helper()
	if e.dialect == sqlpage.Postgres {
		for n := 1; strings.Contains(query, "?"); n++ {
			query = strings.Replace(query, "?", fmt.Sprintf("$%d", n), 1)
		}
	}
	if _, err := e.db.ExecContext(context.Background(), query, args...); err != nil {
		tb.Fatalf("%.200s: %v", query, err)
	}
}

// row has few values, so that ties and NULLs are everywhere.
type row struct {
	ID int64         `db:"id"`
	A  *int64        `db:"a"`
	B  sql.NullInt64 `db:"b"`
	C  string        `db:"c"`
}

func (r row) String() string {
	a, b := "∅", "∅"
	if r.A != nil {
		a = strconv.FormatInt(*r.A, 10)
	}
	if r.B.Valid {
		b = strconv.FormatInt(r.B.Int64, 10)
	}
	return fmt.Sprintf("%d(%s,%s,%s)", r.ID, a, b, r.C)
}

// grid returns two rows for each combination of NULL, 0 and 1.
func grid() []row {
	var rows []row
	for i := range 54 {
		r := row{ID: int64((i*37)%54 + 1), C: string(rune('a' + i/2%3))}
		if v := int64(i / 6 % 3); v > 0 {
			r.A = new(v - 1)
		}
		if v := int64(i / 18 % 3); v > 0 {
			r.B = sql.NullInt64{Int64: v - 1, Valid: true}
		}
		rows = append(rows, r)
	}
	return rows
}

// create makes a table of rows, with the indexes that some orders want.
func (e engine) create(tb testing.TB, table string, rows []row) {
	tb.Helper()
	text := "TEXT"
	if e.dialect == sqlpage.MySQL {
		text = "VARCHAR(20)"
	}
	e.exec(tb, "CREATE TABLE "+table+" (id BIGINT PRIMARY KEY, a INT, b INT, c "+text+" NOT NULL)")
	for _, r := range rows {
		e.exec(tb, "INSERT INTO "+table+" VALUES (?, ?, ?, ?)", r.ID, r.A, r.B, r.C)
	}
	for _, columns := range []string{"a, b, c, id", "a DESC, b, id", "c, id"} {
		name := strings.NewReplacer(", ", "_", " ", "_").Replace(columns)
		e.exec(tb, "CREATE INDEX "+table+"_"+name+" ON "+table+" ("+columns+")")
	}
}

// keysWith returns the keys of row with NULL in the given place.
func keysWith(nulls pagination.Nulls) []pagination.Key[row] {
	return []pagination.Key[row]{
		pagination.ID("id", func(r *row) int64 { return r.ID }),
		pagination.ByNull("a", nulls, func(r *row) *int64 { return r.A }),
		pagination.ByNull("b", nulls, func(r *row) *int64 {
			if r.B.Valid {
				return &r.B.Int64
			}
			return nil
		}),
		pagination.By("c", func(r *row) string { return r.C }),
	}
}

func orderOf(tb testing.TB, sort string, nulls pagination.Nulls) *pagination.Order[row] {
	tb.Helper()
	o, err := pagination.NewOrder(sort, keysWith(nulls)...)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func ids(rows []row) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.String())
	}
	return strings.Join(out, " ")
}
