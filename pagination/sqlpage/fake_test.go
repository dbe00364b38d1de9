package sqlpage_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
)

// fake is a database that answers every query with rows 1…n of one column, and
// can break in every place.
type fake struct {
	mu         sync.Mutex
	queries    []string
	args       [][]any
	n          int // rows
	failQuery  error
	failAfter  int // rows after which reading fails with failRows
	failRows   error
	closedRows int
}

func (f *fake) open(tb testing.TB) *sql.DB {
	tb.Helper()
	db := sql.OpenDB(connector{f})
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

type connector struct{ f *fake }

func (c connector) Connect(context.Context) (driver.Conn, error) { return conn(c), nil }
func (c connector) Driver() driver.Driver                        { return nil }

type conn struct{ f *fake }

func (c conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }
func (c conn) Close() error                        { return nil }
func (c conn) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }

func (c conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	var values []any
	for _, a := range args {
		values = append(values, a.Value)
	}
	c.f.queries, c.f.args = append(c.f.queries, query), append(c.f.args, values)
	return &fakeRows{f: c.f}, c.f.failQuery
}

type fakeRows struct {
	f  *fake
	at int
}

func (r *fakeRows) Columns() []string { return []string{"id"} }

func (r *fakeRows) Close() error {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.f.closedRows++
	return nil
}

func (r *fakeRows) Next(dest []driver.Value) error {
	if r.f.failRows != nil && r.at == r.f.failAfter {
		return r.f.failRows
	}
	if r.at == r.f.n {
		return io.EOF
	}
	r.at++
	dest[0] = int64(r.at)
	return nil
}

func (f *fake) statements() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.queries)
}
