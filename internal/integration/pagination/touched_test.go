package pagination_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	sqlitedriver "modernc.org/sqlite"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

const (
	deepRows = 60_000
	perPage  = 20
)

// deep is a row of a table with ties, a two-valued column, and many NULLs.
type deep struct {
	ID int64  `db:"id"`
	A  int64  `db:"a"` // 500 rows have the same
	S  int64  `db:"s"` // 0 or 1
	N  *int64 `db:"n"` // half of them NULL
}

func (e engine) createDeep(tb testing.TB) {
	tb.Helper()
	e.exec(tb, "CREATE TABLE deep (id BIGINT PRIMARY KEY, a INT NOT NULL, s INT NOT NULL, n INT)")
	if e.dialect == sqlpage.SQLite { // there, only INTEGER PRIMARY KEY is the rowid
		e.exec(tb, "DROP TABLE deep")
		e.exec(tb, "CREATE TABLE deep (id INTEGER PRIMARY KEY, a INT NOT NULL, s INT NOT NULL, n INT)")
	}
	const step = 2000
	for from := 0; from < deepRows; from += step {
		var values []string
		for id := from; id < from+step; id++ {
			n := "NULL"
			if id%2 == 1 {
				n = strconv.Itoa(id / 10)
			}
			values = append(values, fmt.Sprintf("(%d, %d, %d, %s)", id, id/500, id/(deepRows/2), n))
		}
		e.exec(tb, "INSERT INTO deep VALUES "+strings.Join(values, ", "))
	}
}

func deepOrder(tb testing.TB, sort string, nulls pagination.Nulls) *pagination.Order[deep] {
	tb.Helper()
	o, err := pagination.NewOrder(sort,
		pagination.ID("id", func(d *deep) int64 { return d.ID }),
		pagination.By("a", func(d *deep) int64 { return d.A }),
		pagination.By("s", func(d *deep) int64 { return d.S }),
		pagination.ByNull("n", nulls, func(d *deep) *int64 { return d.N }))
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// TestRowsTouchedDoNotGrowWithDepth counts, with the engine's own counters, what
// it reads for a page near the start, in the middle and near the end, in both
// directions, for each case of the table in the package comment; and beside it
// what an offset reads.
func TestRowsTouchedDoNotGrowWithDepth(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		e.createDeep(t)
		native := pagination.NullsLow
		other := pagination.NullsHigh
		if e.dialect == sqlpage.Postgres {
			native, other = other, native
		}
		for _, c := range []struct {
			name  string
			sort  string
			nulls pagination.Nulls
		}{
			{"one key", "", native},
			{"ties", "a", native},
			{"ties, descending", "-a", native},
			{"two-valued, mixed", "s,-id", native},
			{"mixed", "-a,id", native},
			{"nullable, native", "n", native},
			{"nullable, other", "n", other},
			{"nullable, first", "-n", pagination.NullsFirst},
			{"nullable, last", "-n", pagination.NullsLast},
			{"nullable second", "s,n", native},
		} {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				order := deepOrder(t, c.sort, c.nulls)
				create := sqlpage.Index("deep", e.dialect, order)
				if _, err := e.db.ExecContext(t.Context(), create); err != nil && !strings.Contains(err.Error(), "already exists") && !strings.Contains(err.Error(), "Duplicate key name") {
					t.Fatalf("%s: %v", create, err)
				}
				switch e.dialect {
				case sqlpage.MySQL:
					e.exec(t, "ANALYZE TABLE deep")
				default:
					e.exec(t, "ANALYZE deep")
				}
				checkTouched(t, e, order)
			})
		}
	})
}

func checkTouched(t *testing.T, e engine, order *pagination.Order[deep]) {
	t.Helper()
	source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[deep]{From: "deep"})
	if err != nil {
		t.Fatal(err)
	}
	counted := source
	if e.dialect == sqlpage.SQLite { // its rows are counted by a function in the condition
		counted, err = sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[deep]{From: "deep", Where: "touched() = 1"})
		if err != nil {
			t.Fatal(err)
		}
	}
	var report []string
	for _, depth := range []int{1, 50, 99} {
		at, err := source.Fetch(t.Context(), pagination.Range[deep]{Order: order, Limit: 1, Offset: deepRows / 100 * depth})
		if err != nil || len(at) != 1 {
			t.Fatal(at, err)
		}
		gap, err := order.After(&at[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, backward := range []bool{false, true} {
			r := pagination.Range[deep]{Order: order, Limit: perPage + 1, Start: gap}
			if backward {
				r.Start, r.End, r.Backward = pagination.Gap{}, gap, true
			}
			touched := e.touched(t, counted, r)
			report = append(report, strconv.Itoa(touched))
			// A page, one more row where a range ends, and where an engine prefers to
			// read the primary key, the rows between that do not match, here every other one.
			bound := 2*(perPage+1) + 10
			if query, _, _ := source.Statement(t.Context(), r); e.dialect == sqlpage.MySQL && strings.Contains(query, " UNION ALL ") {
				bound = 3*2*(perPage+1) + 10 // each arm reads a page, and MariaDB reads it twice again to sort it
				if backward || strings.Contains(query, "DESC, c1") {
					bound += deepRows / 100 // it may read the NULLs by ref, and then the whole group up to the position
				}
			}
			if touched > bound {
				query, args, _ := source.Statement(t.Context(), r)
				t.Errorf("depth %d%%, backward %v: %d rows touched for a page of %d\n%s %v", depth, backward, touched, perPage, query, args)
			}
		}
	}
	offset := e.touched(t, counted, pagination.Range[deep]{Order: order, Limit: perPage + 1, Offset: deepRows / 2})
	t.Logf("%s: %s; by offset %d", order, strings.Join(report, " "), offset)
	if offset < deepRows/2 {
		t.Errorf("the control, an offset, touched %d rows: the counter does not count", offset)
	}
}

// touched runs the statement and returns how many rows, or index entries, were read.
func (e engine) touched(tb testing.TB, s *sqlpage.Source[deep], r pagination.Range[deep]) int {
	tb.Helper()
	ctx := context.Background()
	query, args, err := s.Statement(ctx, r)
	if err != nil {
		tb.Fatal(err)
	}
	switch e.dialect {
	case sqlpage.Postgres:
		var text []byte
		if err := e.db.QueryRowContext(ctx, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+query, args...).Scan(&text); err != nil {
			tb.Fatal(err)
		}
		var plans []struct{ Plan planNode }
		if err := json.Unmarshal(text, &plans); err != nil {
			tb.Fatal(err)
		}
		return plans[0].Plan.touched()
	case sqlpage.MySQL:
		return handlerReads(tb, e.db, query, args)
	default:
		before := evaluated.Load()
		drain(tb, e.db, query, args)
		return int(evaluated.Load() - before)
	}
}

type planNode struct {
	Type    string  `json:"Node Type"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Recheck float64 `json:"Rows Removed by Index Recheck"`
	Plans   []planNode
}

// touched adds up the rows of the scans; a bitmap counts what its index returned.
func (n planNode) touched() int {
	sum := 0
	if strings.Contains(n.Type, "Scan") && n.Type != "Subquery Scan" && n.Type != "Bitmap Heap Scan" {
		sum = int((n.Rows + n.Removed + n.Recheck) * n.Loops)
	}
	for _, child := range n.Plans {
		sum += child.touched()
	}
	return sum
}

// handlerReads is the difference of the session's counters of rows read.
func handlerReads(tb testing.TB, db *sql.DB, query string, args []any) int {
	tb.Helper()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	read := func() (sum int) {
		rows, err := conn.QueryContext(ctx, "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_first', 'Handler_read_key', 'Handler_read_last', 'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd', 'Handler_read_rnd_next')")
		if err != nil {
			tb.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var n int
			if err := rows.Scan(&name, &n); err != nil {
				tb.Fatal(err)
			}
			sum += n
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		return sum
	}
	own := -read() + read() // what reading the counters costs
	before := read()
	drain(tb, conn, query, args)
	return read() - before - own
}

func drain(tb testing.TB, db sqlpage.DB, query string, args []any) {
	tb.Helper()
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	if n == 0 {
		tb.Fatal("the page is empty")
	}
}

// evaluated counts how often a condition was evaluated on SQLite, which has no
// counters of its own here: once per row that the indexes led to.
var evaluated atomic.Int64

func TestMain(m *testing.M) {
	err := sqlitedriver.RegisterScalarFunction("touched", 0, func(*sqlitedriver.FunctionContext, []driver.Value) (driver.Value, error) {
		evaluated.Add(1)
		return int64(1), nil
	})
	if err != nil {
		panic(errors.Join(errors.New("sqlite"), err))
	}
	m.Run()
}

// TestExplainNamesTheMissingIndex drops the index, is told to create it, and
// obeys.
func TestExplainNamesTheMissingIndex(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		e.createDeep(t)
		order := deepOrder(t, "-a,s", pagination.NullsLow)
		source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[deep]{From: "deep"})
		if err != nil {
			t.Fatal(err)
		}
		gap, err := order.After(&deep{ID: 30_000, A: 60, S: 1})
		if err != nil {
			t.Fatal(err)
		}
		r := pagination.Range[deep]{Order: order, Limit: 21, Start: gap}
		plan, err := source.Explain(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if !plan.Sort && !plan.FullScan || plan.Suggest == "" {
			t.Fatalf("%+v", plan)
		}
		e.exec(t, plan.Suggest)
		if e.dialect == sqlpage.MySQL {
			e.exec(t, "ANALYZE TABLE deep")
		} else {
			e.exec(t, "ANALYZE deep")
		}
		plan, err = source.Explain(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Sort || plan.FullScan || plan.Suggest != "" || len(plan.Indexes) != 1 {
			t.Fatalf("with the index: %+v", plan)
		}
	})
}
