package pagination_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	sqlitedriver "modernc.org/sqlite"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

const (
	deepRows = 500_000
	perPage  = 20
)

// deep is a row of a table with ties, a two-valued column, and many NULLs.
type deep struct {
	ID int64  `db:"id"`
	A  int64  `db:"a"` // 500 rows have the same
	S  int64  `db:"s"` // 0 or 1
	N  *int64 `db:"n"` // half of them NULL
	Z  int64  `db:"z"` // generated: 1 where n is NULL
}

// deepAt is the row with an id.
func deepAt(id int64) *deep {
	d := &deep{ID: id, A: id / 500, S: id / (deepRows / 2), Z: 1}
	if id%2 == 1 {
		d.N, d.Z = new(id/10), 0
	}
	return d
}

// createDeep makes the table with one statement.
func (e engine) createDeep(tb testing.TB) {
	tb.Helper()
	id, from, div := "BIGINT", fmt.Sprintf("generate_series(0, %d) AS q(i)", deepRows-1), "/"
	switch e.dialect {
	case sqlpage.MySQL:
		from, div = fmt.Sprintf("(SELECT seq AS i FROM seq_0_to_%d) AS q", deepRows-1), "DIV"
	case sqlpage.SQLite: // there, only INTEGER PRIMARY KEY is the rowid
		id, from = "INTEGER", fmt.Sprintf("(WITH RECURSIVE q(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM q WHERE i < %d) SELECT i FROM q) AS q", deepRows-1)
	case sqlpage.Postgres:
	}
	e.exec(tb, "CREATE TABLE deep (id "+id+" PRIMARY KEY, a INT NOT NULL, s INT NOT NULL, n INT, z INT GENERATED ALWAYS AS (CASE WHEN n IS NULL THEN 1 ELSE 0 END) STORED)")
	e.exec(tb, fmt.Sprintf("INSERT INTO deep (id, a, s, n) SELECT i, i %[1]s 500, i %[1]s %[2]d, CASE WHEN i %% 2 = 1 THEN i %[1]s 10 END FROM %[3]s", div, deepRows/2, from))
}

func (e engine) analyze(tb testing.TB) {
	tb.Helper()
	if e.dialect == sqlpage.MySQL {
		e.exec(tb, "ANALYZE TABLE deep")
	} else {
		e.exec(tb, "ANALYZE deep")
	}
}

func deepOrder(tb testing.TB, sort string, nulls pagination.Nulls) *pagination.Order[deep] {
	tb.Helper()
	o, err := pagination.NewOrder(sort,
		pagination.ID("id", func(d *deep) int64 { return d.ID }),
		pagination.By("a", func(d *deep) int64 { return d.A }),
		pagination.By("s", func(d *deep) int64 { return d.S }),
		pagination.By("z", func(d *deep) int64 { return d.Z }),
		pagination.ByNull("n", nulls, func(d *deep) *int64 { return d.N }))
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// touchedCase is an index, as sqlpage.Index prints it for the first of the orders
// that it serves.
type touchedCase struct {
	name   string
	orders []deepSort
}

type deepSort struct {
	sort  string
	nulls pagination.Nulls
}

// touchedCases are those of the table in the package comment. Only PostgreSQL has
// indexes that know where NULL stands; elsewhere a generated column says it where
// NULL is no matter of the first key.
func touchedCases(d sqlpage.Dialect) []touchedCase {
	const low, high, first, last = pagination.NullsLow, pagination.NullsHigh, pagination.NullsFirst, pagination.NullsLast
	cases := []touchedCase{
		{"one key", []deepSort{{"", low}, {"-id", low}}},
		{"ties", []deepSort{{"a", low}, {"-a", low}}},
		{"two-valued, mixed", []deepSort{{"s,-id", low}}},
		{"mixed", []deepSort{{"-a,id", low}}},
	}
	if d == sqlpage.Postgres {
		return append(cases, touchedCase{"nullable, native", []deepSort{{"n", high}, {"-n", first}}},
			touchedCase{"nullable, other", []deepSort{{"n", low}, {"-n", last}}},
			touchedCase{"nullable second, native", []deepSort{{"s,n", high}}},
			touchedCase{"nullable second, other", []deepSort{{"s,n", low}}})
	}
	return append(cases, touchedCase{"nullable, native", []deepSort{{"n", low}, {"-n", last}}},
		touchedCase{"nullable, other", []deepSort{{"n", high}, {"-n", first}}},
		touchedCase{"nullable second, native", []deepSort{{"s,n", low}}},
		touchedCase{"nullable second, other", []deepSort{{"s,z,n", low}}})
}

// TestRowsTouchedDoNotGrowWithDepth counts, with the engine's own counters, what
// it reads for a page near the start, in the middle and near the end, in both
// directions, for each case of the table in the package comment; and beside it
// what an offset reads. The indexes of all cases are there at the end, so that
// the engine also has to choose.
func TestRowsTouchedDoNotGrowWithDepth(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		e.createDeep(t)
		indexes := map[string]bool{}
		for _, c := range touchedCases(e.dialect) {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				create := sqlpage.Index("deep", e.dialect, deepOrder(t, c.orders[0].sort, c.orders[0].nulls))
				if c.orders[0].sort != "" && !indexes[create] {
					indexes[create] = true
					e.exec(t, create)
				}
				e.analyze(t)
				for i, o := range c.orders {
					checkTouched(t, e, deepOrder(t, o.sort, o.nulls), e.query("deep", ""), i == 0)
				}
			})
		}
		for _, c := range touchedCases(e.dialect) {
			t.Run("all_indexes/"+strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				for _, o := range c.orders {
					checkTouched(t, e, deepOrder(t, o.sort, o.nulls), e.query("deep", ""), false)
				}
			})
		}
		t.Run("tenant_of_half_the_table", func(t *testing.T) {
			e.exec(t, "CREATE INDEX deep_tenant ON deep (s, a, id)")
			e.analyze(t)
			from := "deep"
			if e.dialect == sqlpage.MySQL {
				from += " FORCE INDEX (deep_tenant)"
			}
			for s := range 2 {
				checkTouched(t, e, deepOrder(t, "a", pagination.NullsLow), e.query(from, "s = ?", s), false)
				checkTouched(t, e, deepOrder(t, "-a", pagination.NullsLow), e.query(from, "s = ?", s), false)
			}
		})
	})
}

// query is what is selected; SQLite's rows are counted by a function in the condition.
func (e engine) query(from, where string, args ...any) sqlpage.Query[deep] {
	q := sqlpage.Query[deep]{From: from, Where: where}
	if len(args) > 0 {
		q.Args = func(context.Context) ([]any, error) { return args, nil }
	}
	if e.dialect == sqlpage.SQLite {
		q.Where = strings.TrimSuffix("touched() = 1 AND "+where, " AND ")
	}
	return q
}

// positions are near both ends, at quarters and beside them: in the groups of both
// values of s, of NULL (even) and of values (odd).
func positions() []int64 {
	return []int64{5_000, 5_001, 125_000, 125_001, 249_995, 249_998, 250_002, 250_003, 374_998, 374_999, 495_000, 495_001}
}

func checkTouched(t *testing.T, e engine, order *pagination.Order[deep], q sqlpage.Query[deep], control bool) {
	t.Helper()
	source, err := sqlpage.NewSource(e.db, e.dialect, order, q)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, id := range positions() {
		gap, err := order.After(deepAt(id))
		if err != nil {
			t.Fatal(err)
		}
		for _, backward := range []bool{false, true} {
			r := pagination.Range[deep]{Order: order, Limit: perPage + 1, Start: gap}
			if backward {
				r.Start, r.End, r.Backward = pagination.Gap{}, gap, true
			}
			query, args, err := source.Statement(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			touched := e.touched(t, source, r)
			most = max(most, touched)
			if bound := e.bound(query); touched > bound {
				t.Errorf("after %d, backward %v: %d rows touched for a page of %d, want at most %d\n%s %v", id, backward, touched, perPage, bound, query, args)
			}
		}
	}
	t.Logf("%s: at most %d", order, most)
	if !control {
		return
	}
	offset := e.touched(t, source, pagination.Range[deep]{Order: order, Limit: perPage + 1, Offset: deepRows / 2})
	t.Logf("%s: by offset %d", order, offset)
	if offset < deepRows/2 {
		t.Errorf("the control, an offset, touched %d rows: the counter does not count", offset)
	}
}

// bound is what a page may touch: its rows and one more, and one entry beyond the
// end of each range. MariaDB reads a page for each arm of a union into a table of its
// own, then that table once, and its rows in their order.
func (e engine) bound(query string) int {
	arms := strings.Count(query, " UNION ALL ") + 1
	ranges := arms + strings.Count(query, " OR ")
	if e.dialect == sqlpage.MySQL && arms > 1 {
		return arms*(perPage+1) + ranges + arms*(perPage+1) + 1 + perPage + 1
	}
	return perPage + 1 + ranges
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

// handlerReads is the difference of the session's counters of index entries and
// rows read, with those that a condition pushed down to the index refused.
func handlerReads(tb testing.TB, db *sql.DB, query string, args []any) int {
	tb.Helper()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	read := func() (sum int) {
		rows, err := conn.QueryContext(ctx, "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_first', 'Handler_read_key', 'Handler_read_last', 'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd', 'Handler_read_rnd_next', 'Handler_icp_attempts', 'Handler_icp_match')")
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
			if name == "Handler_icp_match" { // counted as read_next
				n = -n
			}
			sum += n
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		return sum
	}
	_, _ = conn.ExecContext(ctx, "SELECT COUNT(*) FROM deep WHERE id = 1") // what a new table costs its first reader
	own := -read() + read()                                                // what reading the counters costs
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
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
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
		gap, err := order.After(deepAt(250_000))
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
		e.analyze(t)
		plan, err = source.Explain(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Sort || plan.FullScan || plan.Suggest != "" || len(plan.Indexes) != 1 {
			t.Fatalf("with the index: %+v", plan)
		}
	})
}
