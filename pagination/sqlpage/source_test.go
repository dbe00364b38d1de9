package sqlpage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

type numbered struct {
	ID int64 `db:"id"`
}

// TestStatementsPerPage counts them: one, one more with ExactEnds, one more with a count.
func TestStatementsPerPage(t *testing.T) {
	for _, c := range []struct {
		opt  pagination.Options[numbered]
		want int
	}{
		{pagination.Options[numbered]{}, 1},
		{pagination.Options[numbered]{ExactEnds: true}, 2},
		{pagination.Options[numbered]{Count: pagination.CountExact}, 2},
	} {
		f := &fake{n: 1}
		p, err := sqlpage.New(f.open(t), sqlpage.SQLite, "t", "id", "", c.opt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Page(t.Context(), pagination.Request{Since: "1"}); err != nil {
			t.Fatal(err)
		}
		if got := f.statements(); len(got) != c.want || f.closedRows != c.want {
			t.Errorf("%+v: %d results closed of %q", c.opt, f.closedRows, got)
		}
	}
}

// TestErrorsAreNeverAShortPage breaks the database at every row.
func TestErrorsAreNeverAShortPage(t *testing.T) {
	broken := errors.New("connection lost")
	for after := range 22 {
		f := &fake{n: 21, failAfter: after, failRows: broken}
		p, err := sqlpage.New(f.open(t), sqlpage.Postgres, "t", "id", "", pagination.Options[numbered]{})
		if err != nil {
			t.Fatal(err)
		}
		if page, err := p.Page(t.Context(), pagination.Request{}); !errors.Is(err, broken) {
			t.Errorf("broken after %d rows: %v, %v", after, page, err)
		}
		if f.closedRows != 1 {
			t.Errorf("%d results closed", f.closedRows)
		}
	}
	f := &fake{failQuery: broken}
	p, err := sqlpage.New(f.open(t), sqlpage.MySQL, "t", "id", "", pagination.Options[numbered]{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Page(t.Context(), pagination.Request{}); !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Page(ctx, pagination.Request{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f = &fake{n: 2}
	order, err := pagination.NewOrder("", pagination.ID("id", func(n *numbered) int64 { return n.ID }))
	if err != nil {
		t.Fatal(err)
	}
	source, err := sqlpage.NewSource(f.open(t), sqlpage.SQLite, order, sqlpage.Query[numbered]{
		From: "t", Select: []string{"id"}, Scan: func(*sql.Rows, *numbered) error { return broken },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Fetch(t.Context(), pagination.Range[numbered]{Order: order, Limit: 1}); !errors.Is(err, broken) || f.closedRows != 1 {
		t.Errorf("%v, %d results closed", err, f.closedRows)
	}
}

// TestTenantCannotEscape puts hostile and awkward texts into Where.
func TestTenantCannotEscape(t *testing.T) {
	for _, c := range []struct {
		dialect sqlpage.Dialect
		where   string
		want    string
		values  int
	}{
		{sqlpage.Postgres, "tenant = ? OR public", "(tenant = $1 OR public)", 1},
		{sqlpage.Postgres, "note <> '?' AND tenant = ?", "(note <> '?' AND tenant = $1)", 1},
		{sqlpage.Postgres, "note <> 'it''s ?' AND tenant = ?", "(note <> 'it''s ?' AND tenant = $1)", 1},
		{sqlpage.Postgres, `note <> E'\'?' AND tenant = ?`, `(note <> E'\'?' AND tenant = $1)`, 1},
		{sqlpage.Postgres, `note <> '\' AND tenant = ?`, `(note <> '\' AND tenant = $1)`, 1},
		{sqlpage.Postgres, "note <> $$?$$ AND note <> $x$ ? $$ $x$ AND tenant = ?", "(note <> $$?$$ AND note <> $x$ ? $$ $x$ AND tenant = $1)", 1},
		{sqlpage.Postgres, `"odd?" = ? /* ? */ AND data ?? 'k'`, `("odd?" = $1 /* ? */ AND data ? 'k')`, 1},
		{sqlpage.Postgres, "tenant = ? -- ?\nAND x = ?", "(tenant = $1 -- ?\nAND x = $2)", 2},
		{sqlpage.MySQL, "note <> 'it\\'s ?' AND `odd?` = ? # ?\n", "(note <> 'it\\'s ?' AND `odd?` = ? # ?\n)", 1},
		// The end of the text: the quote is doubled, and the backslash still escapes.
		{sqlpage.Postgres, `tenant = ? AND note <> E'a''\'?'`, `(tenant = $1 AND note <> E'a''\'?')`, 1},
		{sqlpage.SQLite, "[odd?] = ?", "([odd?] = ?)", 1},
	} {
		f := &fake{}
		order, err := pagination.NewOrder("", pagination.ID("id", func(n *numbered) int64 { return n.ID }))
		if err != nil {
			t.Fatal(err)
		}
		source, err := sqlpage.NewSource(f.open(t), c.dialect, order, sqlpage.Query[numbered]{
			From: "t", Where: c.where, Args: func(context.Context) ([]any, error) { return []any{"a", "b"}[:c.values], nil },
		})
		if err != nil {
			t.Errorf("%s: %v", c.where, err)
			continue
		}
		query, args, err := source.Statement(t.Context(), pagination.Range[numbered]{
			Order: order, Limit: 2, Start: pagination.Gap{Key: []pagination.Value{pagination.IntValue(7)}, After: true},
		})
		if err != nil || !strings.Contains(query, " WHERE "+c.want+" AND id > ") || len(args) != c.values+1 || args[c.values] != int64(7) {
			t.Errorf("%s: %s %v, %v", c.where, query, args, err)
		}
	}
}

func TestBadQueriesAreRefused(t *testing.T) {
	order, err := pagination.NewOrder("", pagination.ID("id", func(n *numbered) int64 { return n.ID }))
	if err != nil {
		t.Fatal(err)
	}
	db := (&fake{}).open(t)
	scan := func(*sql.Rows, *numbered) error { return nil }
	args := func(context.Context) ([]any, error) { return nil, nil }
	for name, c := range map[string]struct {
		d sqlpage.Dialect
		q sqlpage.Query[numbered]
	}{
		"dialect":       {0, sqlpage.Query[numbered]{From: "t"}},
		"dialect 9":     {9, sqlpage.Query[numbered]{From: "t"}},
		"no From":       {sqlpage.MySQL, sqlpage.Query[numbered]{From: " "}},
		"no Scan":       {sqlpage.MySQL, sqlpage.Query[numbered]{From: "t", Select: []string{"id"}}},
		"no Select":     {sqlpage.MySQL, sqlpage.Query[numbered]{From: "t", Scan: scan}},
		"key missing":   {sqlpage.MySQL, sqlpage.Query[numbered]{From: "t", Select: []string{"x.id"}, Scan: scan}},
		"no Args":       {sqlpage.MySQL, sqlpage.Query[numbered]{From: "t", Where: "a = ?"}},
		"open literal":  {sqlpage.MySQL, sqlpage.Query[numbered]{From: "t", Where: "a = 'x"}},
		"open comment":  {sqlpage.MySQL, sqlpage.Query[numbered]{From: "t", Where: "a = 1 /*"}},
		"line comment":  {sqlpage.Postgres, sqlpage.Query[numbered]{From: "t", Where: "a = 1 -- all"}},
		"open quote":    {sqlpage.Postgres, sqlpage.Query[numbered]{From: "t", Where: "a = $q$ x"}},
		"open group by": {sqlpage.Postgres, sqlpage.Query[numbered]{From: "t", GroupBy: "a /*"}},
		"strategy":      {sqlpage.Postgres, sqlpage.Query[numbered]{From: "t", Strategy: 9}},
	} {
		if _, err := sqlpage.NewSource(db, c.d, order, c.q); !errors.Is(err, pagination.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	source, err := sqlpage.NewSource(db, sqlpage.MySQL, order, sqlpage.Query[numbered]{From: "t", Where: "a = ?", Args: args})
	if err != nil {
		t.Fatal(err)
	}
	good := pagination.Range[numbered]{Order: order, Limit: 1}
	if _, _, err := source.Statement(t.Context(), good); !errors.Is(err, pagination.ErrInvalid) {
		t.Errorf("too few values: %v", err)
	}
	if _, err := source.Fetch(t.Context(), pagination.Range[numbered]{Order: order}); !errors.Is(err, pagination.ErrInvalid) {
		t.Errorf("no limit: %v", err)
	}
	if _, err := sqlpage.New(db, sqlpage.SQLite, "t", "uid", "", pagination.Options[numbered]{}); !errors.Is(err, pagination.ErrOrder) {
		t.Errorf("no such identity: %v", err)
	}
	if _, err := sqlpage.New(db, sqlpage.SQLite, "t", "id", "", pagination.Options[int]{}); !errors.Is(err, pagination.ErrInvalid) {
		t.Errorf("no struct: %v", err)
	}
	if _, err := sqlpage.Keys[struct{ ID int }](sqlpage.SQLite, "id"); !errors.Is(err, pagination.ErrInvalid) {
		t.Errorf("no tags: %v", err)
	}
}

type base struct {
	ID int32 `db:"id"`
}

type everything struct {
	base
	B    bool               `db:"b"`
	U    uint64             `db:"u"`
	F    *float32           `db:"f"`
	S    sql.NullString     `db:"s,omitempty"`
	N    sql.Null[int16]    `db:"n"`
	T    *time.Time         `db:"t"`
	Raw  []byte             `db:"raw"`
	UUID [16]byte           `db:"uuid"`
	D    pagination.Decimal `db:"d"`
	Tags []string           `db:"tags"` // no key
	Skip int                `db:"-"`
	None int
}

func TestKeysFollowFromTheTags(t *testing.T) {
	keys, err := sqlpage.Keys[everything](sqlpage.Postgres, "id, uuid")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	row := everything{
		base: base{-5}, B: true, U: 1 << 63, F: new(float32(1.5)), S: sql.NullString{String: "x", Valid: true},
		T: &now, Raw: []byte{1}, UUID: [16]byte{2}, D: "1.50",
	}
	want := map[string]pagination.Value{
		"id": pagination.IntValue(-5), "b": pagination.BoolValue(true), "u": pagination.UintValue(1 << 63), "f": pagination.FloatValue(1.5),
		"s": pagination.StringValue("x"), "n": {}, "t": pagination.TimeValue(now), "raw": pagination.BytesValue([]byte{1}),
		"uuid": pagination.UUIDValue([16]byte{2}), "d": pagination.DecimalValue("1.5"),
	}
	if len(keys) != len(want) {
		t.Errorf("%d keys, want %d", len(keys), len(want))
	}
	for _, k := range keys {
		if got := k.Of(&row); got != want[k.Name] {
			t.Errorf("%s is %v, want %v", k.Name, got.Any(), want[k.Name].Any())
		}
		nullable := slices.Contains([]string{"f", "s", "n", "t"}, k.Name)
		if (k.Nulls == pagination.NullsHigh) != nullable || k.ID != (k.Name == "id" || k.Name == "uuid") {
			t.Errorf("%s: nulls %d, identity %v", k.Name, k.Nulls, k.ID)
		}
	}
	if v := keys[3].Of(&everything{}); !v.IsNull() {
		t.Errorf("a nil pointer is %v", v.Any())
	}
}

// TestStatementsAreStable shows the text of each strategy on each engine.
func TestStatementsAreStable(t *testing.T) {
	type row struct {
		ID int64  `db:"id"`
		A  int64  `db:"a"`
		N  *int64 `db:"n"`
	}
	key := func(vs ...pagination.Value) pagination.Gap { return pagination.Gap{Key: vs, After: true} }
	one, two := pagination.IntValue(1), pagination.IntValue(2)
	for _, c := range []struct {
		d    sqlpage.Dialect
		sort string
		r    pagination.Range[row]
		want string
		args []any
	}{
		{sqlpage.Postgres, "a", pagination.Range[row]{Start: key(one, two)}, "SELECT id, a, n FROM t WHERE (a, id) > (CAST($1 AS bigint), CAST($2 AS bigint)) ORDER BY a, id LIMIT 3", []any{int64(1), int64(2)}},
		{sqlpage.Postgres, "a", pagination.Range[row]{End: key(one, two), Backward: true}, "SELECT id, a, n FROM t WHERE (a, id) <= (CAST($1 AS bigint), CAST($2 AS bigint)) ORDER BY a DESC, id DESC LIMIT 3", []any{int64(1), int64(2)}},
		{sqlpage.Postgres, "-a,id", pagination.Range[row]{Start: key(one, two)}, "(SELECT id, a, n FROM t WHERE a IN (CAST($1 AS bigint), CAST($1 AS bigint)) AND id > CAST($2 AS bigint) ORDER BY a DESC, id LIMIT 3) UNION ALL (SELECT id, a, n FROM t WHERE a < CAST($1 AS bigint) ORDER BY a DESC, id LIMIT 3) ORDER BY 2 DESC, 1 LIMIT 3", []any{int64(1), int64(2)}},
		{sqlpage.MySQL, "a", pagination.Range[row]{Start: key(one, two), Offset: 4}, "SELECT id, a, n FROM t WHERE (a = ? AND id > ? OR a > ?) ORDER BY a, id LIMIT 3 OFFSET 4", []any{int64(1), int64(2), int64(1)}},
		{sqlpage.MySQL, "n", pagination.Range[row]{End: key(pagination.Value{}, two), Backward: true}, "SELECT id, a, n FROM t WHERE (n IS NULL AND id <= ? OR n < NULL) ORDER BY n DESC, id DESC LIMIT 3", []any{int64(2)}},
		{sqlpage.MySQL, "a", pagination.Range[row]{Start: key(one, two), End: key(one)}, "SELECT id, a, n FROM t WHERE (a = ? AND id > ? OR a < NULL) ORDER BY a, id LIMIT 3", []any{int64(1), int64(2)}},
		{sqlpage.Postgres, "n,a", pagination.Range[row]{Start: key(one, two, two)}, "(SELECT id, a, n FROM t WHERE (n, a, id) > (CAST($1 AS bigint), CAST($2 AS bigint), CAST($3 AS bigint)) ORDER BY n, a, id LIMIT 3) UNION ALL (SELECT id, a, n FROM t WHERE n IS NULL ORDER BY n, a, id LIMIT 3) ORDER BY 3, 2, 1 LIMIT 3", []any{int64(1), int64(2), int64(2)}},
		{sqlpage.Postgres, "a,n", pagination.Range[row]{Start: key(one, two, two)}, "(SELECT id, a, n FROM t WHERE a IN (CAST($1 AS bigint), CAST($1 AS bigint)) AND (n, id) > (CAST($2 AS bigint), CAST($3 AS bigint)) ORDER BY a, n, id LIMIT 3) UNION ALL (SELECT id, a, n FROM t WHERE a IN (CAST($1 AS bigint), CAST($1 AS bigint)) AND n IS NULL ORDER BY a, n, id LIMIT 3) UNION ALL (SELECT id, a, n FROM t WHERE a > CAST($1 AS bigint) ORDER BY a, n, id LIMIT 3) ORDER BY 2, 3, 1 LIMIT 3", []any{int64(1), int64(2), int64(2)}},
		{sqlpage.Postgres, "n", pagination.Range[row]{Start: pagination.Gap{Key: []pagination.Value{one, two}}, End: key(two, one)}, "SELECT id, a, n FROM t WHERE (n, id) >= (CAST($1 AS bigint), CAST($2 AS bigint)) AND (n, id) <= (CAST($3 AS bigint), CAST($4 AS bigint)) ORDER BY n, id LIMIT 3", []any{int64(1), int64(2), int64(2), int64(1)}},
		{sqlpage.Postgres, "-a,n", pagination.Range[row]{Start: key(one, two, two)}, "(SELECT id, a, n FROM t WHERE a IN (CAST($1 AS bigint), CAST($1 AS bigint)) AND (n, id) > (CAST($2 AS bigint), CAST($3 AS bigint)) ORDER BY a DESC, n, id LIMIT 3) UNION ALL (SELECT id, a, n FROM t WHERE a IN (CAST($1 AS bigint), CAST($1 AS bigint)) AND n IS NULL ORDER BY a DESC, n, id LIMIT 3) UNION ALL (SELECT id, a, n FROM t WHERE a < CAST($1 AS bigint) ORDER BY a DESC, n, id LIMIT 3) ORDER BY 2 DESC, 3, 1 LIMIT 3", []any{int64(1), int64(2), int64(2)}},
		{sqlpage.MySQL, "n", pagination.Range[row]{Start: key(pagination.Value{}, two)}, "SELECT id, a, n FROM t WHERE (n IS NULL AND id > ? OR n IS NOT NULL) ORDER BY n, id LIMIT 3", []any{int64(2)}},
		{sqlpage.SQLite, "a", pagination.Range[row]{Start: key(one)}, "SELECT id, a, n FROM t WHERE a > ? ORDER BY a, id LIMIT 3", []any{int64(1)}},
		{sqlpage.SQLite, "a", pagination.Range[row]{Start: key(one, two), End: key(one, pagination.IntValue(9))}, "SELECT id, a, n FROM t WHERE likelihood(a = ?, 0.000001) AND id > ? AND id <= ? ORDER BY a, id LIMIT 3", []any{int64(1), int64(2), int64(9)}},
		{sqlpage.SQLite, "a", pagination.Range[row]{Start: key(two), End: key(one)}, "SELECT id, a, n FROM t WHERE (1 = 0) ORDER BY a, id LIMIT 3", []any{}},
		{sqlpage.SQLite, "-n", pagination.Range[row]{Filters: []pagination.Filter{pagination.NewFilter("a", pagination.In, 1, 2), pagination.NewFilter("n", pagination.IsNull, false)}}, "SELECT id, a, n FROM t WHERE a IN (?, ?) AND n IS NOT NULL ORDER BY n DESC, id DESC LIMIT 3", []any{int64(1), int64(2)}},
	} {
		keys, err := sqlpage.Keys[row](c.d, "id")
		if err != nil {
			t.Fatal(err)
		}
		if c.r.Order, err = pagination.NewOrder(c.sort, keys...); err != nil {
			t.Fatal(err)
		}
		source, err := sqlpage.NewSource((&fake{}).open(t), c.d, c.r.Order, sqlpage.Query[row]{From: "t"})
		if err != nil {
			t.Fatal(err)
		}
		c.r.Limit = 3
		for range 2 { // built, and from the cache
			query, args, err := source.Statement(t.Context(), c.r)
			if err != nil || query != c.want || !reflect.DeepEqual(args, c.args) {
				t.Errorf("%v %s:\ngot  %s %v, %v\nwant %s %v", c.d, c.sort, query, args, err, c.want, c.args)
			}
		}
	}
}

// TestStatementCacheIsBounded asks for more shapes than are kept.
func TestStatementCacheIsBounded(t *testing.T) {
	order, err := pagination.NewOrder("", pagination.ID("id", func(n *numbered) int64 { return n.ID }))
	if err != nil {
		t.Fatal(err)
	}
	source, err := sqlpage.NewSource((&fake{}).open(t), sqlpage.Postgres, order, sqlpage.Query[numbered]{From: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit < 2000; limit++ {
		query, _, err := source.Statement(t.Context(), pagination.Range[numbered]{Order: order, Limit: limit})
		if err != nil || !strings.HasSuffix(query, fmt.Sprint(" LIMIT ", limit)) {
			t.Fatal(query, err)
		}
	}
	if n := sqlpage.CachedStatements(source); n > 256 {
		t.Errorf("%d statements kept", n)
	}
	r := pagination.Range[numbered]{Order: order, Limit: 20, Start: pagination.Gap{Key: []pagination.Value{pagination.IntValue(1)}}}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = source.Statement(context.Background(), r) }); n > 3 {
		t.Errorf("a cached statement allocates %v times", n)
	}
}

// TestBindKeepsValues covers what drivers do not take by themselves.
func TestBindKeepsValues(t *testing.T) {
	type row struct {
		U uint64             `db:"u"`
		X [16]byte           `db:"x"`
		D pagination.Decimal `db:"d"`
		F float64            `db:"f"`
	}
	gap := pagination.Gap{Key: []pagination.Value{pagination.DecimalValue("1.5"), pagination.UUIDValue([16]byte{0xab, 15: 1}), pagination.FloatValue(2), pagination.UintValue(1<<64 - 1)}, After: true}
	for d, want := range map[sqlpage.Dialect]string{
		sqlpage.Postgres: "(d, x, f, u) > ($1, $2, CAST($3 AS double precision), CAST($4 AS numeric)) [1.5 ab000000-0000-0000-0000-000000000001 2 18446744073709551615]",
		sqlpage.MySQL:    "d = CAST(? AS DECIMAL(65,30)) AND x = ? AND f = ? AND u > ?",
		sqlpage.SQLite:   "1.8446744073709552e+19",
	} {
		keys, err := sqlpage.Keys[row](d, "u")
		if err != nil {
			t.Fatal(err)
		}
		order, err := pagination.NewOrder("d,x,f", keys...)
		if err != nil {
			t.Fatal(err)
		}
		source, err := sqlpage.NewSource((&fake{}).open(t), d, order, sqlpage.Query[row]{From: "t"})
		if err != nil {
			t.Fatal(err)
		}
		query, args, err := source.Statement(t.Context(), pagination.Range[row]{Order: order, Limit: 1, Start: gap})
		if got := fmt.Sprint(query, " ", args); err != nil || !strings.Contains(strings.ReplaceAll(got, " ORDER BY d, x, f, u LIMIT 1", ""), want) {
			t.Errorf("%v: %s, %v; want %s", d, got, err, want)
		}
	}
}
