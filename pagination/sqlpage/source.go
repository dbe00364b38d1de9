package sqlpage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sysblocks/sysblocks/pagination"
)

// DB is what a source asks of a database: *sql.DB, *sql.Tx or *sql.Conn.
type DB interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Query is what a source selects. All of its texts are trusted: no part of a
// request is ever written into them.
type Query[T any] struct {
	From    string   // table, view or join; required
	Select  []string // column expressions; nil selects the db tags of T. Must hold the Column of every key
	Where   string   // condition, ? for values, ?? for a question mark
	GroupBy string   // may go on with HAVING
	// Args returns the values of Where, then of GroupBy, for this call: the place
	// for a tenant. It is in every page, count and walk, and no handler can forget it.
	Args func(ctx context.Context) ([]any, error)
	// Scan reads the selected columns into a row. It may be nil only with a nil Select.
	Scan     func(rows *sql.Rows, row *T) error
	Strategy Strategy // Auto, unless the engine only speaks the dialect
}

// maxPrepared bounds the rows for which room is made before they are read.
const maxPrepared = 8192

// cachedStatements bounds the statements of a source: their number depends on
// requests, through orders and filters.
const cachedStatements = 256

// Source reads pages from a database. It is a pagination.Source and a
// pagination.Counter, safe for concurrent use.
type Source[T any] struct {
	db      DB
	dialect Dialect
	q       Query[T]
	where   template
	groupBy template
	selects []string // without aliases
	list    string   // the select list
	fields  []field  // with a nil Query.Scan

	mu    sync.Mutex
	cache map[string]*cached[T]
}

type cached[T any] struct {
	order *pagination.Order[T] // two orders may have one text
	statement
}

// NewSource returns a source of the rows of q, for o and the orders that o.Sort
// returns. It returns ErrInvalid for a query that cannot work.
func NewSource[T any](db DB, d Dialect, o *pagination.Order[T], q Query[T]) (*Source[T], error) {
	bad := func(format string, args ...any) (*Source[T], error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{pagination.ErrInvalid}, args...)...)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	switch {
	case db == nil || o == nil:
		return bad("NewSource needs a DB and an Order")
	case strings.TrimSpace(q.From) == "":
		return bad("Query.From is empty")
	case q.Select == nil && q.Scan != nil, q.Select != nil && q.Scan == nil:
		return bad("Query.Select and Query.Scan go together")
	case q.Strategy > Arms:
		return bad("Query.Strategy is %d, want one of the strategies", q.Strategy)
	}
	s := &Source[T]{db: db, dialect: d, q: q, cache: make(map[string]*cached[T])}
	if q.Select == nil {
		fields, err := fieldsOf[T]()
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			s.q.Select = append(s.q.Select, f.column)
		}
		s.fields = fields
	}
	s.q.Select = slices.Clone(s.q.Select)
	for _, column := range s.q.Select {
		s.selects = append(s.selects, withoutAlias(column))
	}
	s.list = strings.Join(s.q.Select, ", ")
	for _, k := range o.Keys() {
		if !slices.Contains(s.selects, k.Column) {
			return bad("Query.Select lacks %q, the Column of the key %s", k.Column, k.Name)
		}
	}
	var err error
	if s.where, err = parseTemplate(d, q.Where); err != nil {
		return nil, err
	}
	if s.groupBy, err = parseTemplate(d, q.GroupBy); err != nil {
		return nil, err
	}
	if n := s.where.values() + s.groupBy.values(); n > 0 && q.Args == nil {
		return bad("Query.Where and GroupBy have %d placeholders, but Query.Args is nil", n)
	}
	return s, nil
}

// withoutAlias drops "AS name" from a column expression.
func withoutAlias(column string) string {
	column = strings.TrimSpace(column)
	fields := strings.Fields(column)
	if n := len(fields); n > 2 && strings.EqualFold(fields[n-2], "AS") {
		return strings.TrimSpace(column[:strings.LastIndex(strings.ToUpper(column), " AS ")])
	}
	return column
}

// Fetch implements pagination.Source with one statement.
func (s *Source[T]) Fetch(ctx context.Context, r pagination.Range[T]) ([]T, error) {
	query, args, err := s.Statement(ctx, r)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, min(r.Limit, maxPrepared))
	scan := s.q.Scan
	if scan == nil {
		scan = scanner[T](s.fields)
	}
	err = each(ctx, s.db, query, args, func(rows *sql.Rows) error {
		var row T
		out = append(out, row)
		return scan(rows, &out[len(out)-1])
	})
	if err != nil {
		return nil, err
	}
	if r.Backward {
		slices.Reverse(out)
	}
	return out, nil
}

// each runs a query and hands on its rows. Rows that end early because the
// connection broke are an error, never a short page.
func each(ctx context.Context, db DB, query string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("sqlpage: query: %w", err)
	}
	defer func() {
		if closed := rows.Close(); err == nil && closed != nil {
			err = fmt.Errorf("sqlpage: close rows: %w", closed)
		}
	}()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("sqlpage: scan: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("sqlpage: read rows: %w", err)
	}
	return nil
}

// Statement returns the statement that Fetch runs for a range, and its arguments:
// for EXPLAIN and for logs. The text is cached by the shape of the range.
func (s *Source[T]) Statement(ctx context.Context, r pagination.Range[T]) (query string, args []any, err error) {
	if r.Limit < 1 || r.Offset < 0 || r.Order == nil {
		return "", nil, fmt.Errorf("%w: a Range needs an Order, a Limit of at least 1, and no negative Offset", pagination.ErrInvalid)
	}
	caller, err := s.callerArgs(ctx)
	if err != nil {
		return "", nil, err
	}
	low, high := reading(&r)
	var shape [256]byte
	key := appendShape(shape[:0], &r, low, high)
	s.mu.Lock()
	st := s.cache[string(key)]
	s.mu.Unlock()
	if st == nil || st.order != r.Order {
		built, err := s.build(&r, low, high)
		if err != nil {
			return "", nil, err
		}
		st = &cached[T]{r.Order, built}
		s.mu.Lock()
		if len(s.cache) >= cachedStatements {
			for k := range s.cache { // any of them: those in use come back
				delete(s.cache, k)
				break
			}
		}
		s.cache[string(key)] = st
		s.mu.Unlock()
	}
	return st.query, arguments(s.dialect, st.operands, low, high, r.Filters, caller), nil
}

// arguments looks up the operands of a statement in a range.
func arguments(d Dialect, operands []operand, low, high pagination.Gap, filters []pagination.Filter, caller []any) []any {
	args := make([]any, len(operands))
	for n := range operands {
		o := &operands[n]
		switch o.from {
		case fromLow:
			args[n] = d.bind(low.Key[o.i])
		case fromHigh:
			args[n] = d.bind(high.Key[o.i])
		case fromFilter:
			args[n] = d.bind(filters[o.i].Values[o.j])
		case fromCaller:
			args[n] = caller[o.i]
		}
	}
	return args
}

func (s *Source[T]) callerArgs(ctx context.Context) ([]any, error) {
	if s.q.Args == nil {
		return nil, nil
	}
	args, err := s.q.Args(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlpage: Query.Args: %w", err)
	}
	if want := s.where.values() + s.groupBy.values(); len(args) != want {
		return nil, fmt.Errorf("%w: Query.Args returned %d values for %d placeholders", pagination.ErrInvalid, len(args), want)
	}
	return args, nil
}

// appendShape appends all of a range that its statement's text depends on.
func appendShape[T any](b []byte, r *pagination.Range[T], low, high pagination.Gap) []byte {
	b = append(b, r.Order.String()...)
	b = append(b, 0, boolByte(r.Backward))
	b = strconv.AppendInt(b, int64(r.Limit), 36)
	b = append(b, '+')
	b = strconv.AppendInt(b, int64(r.Offset), 36)
	for _, g := range [2]*pagination.Gap{&low, &high} {
		b = append(b, '|', boolByte(g.After))
		for i := range g.Key {
			b = append(b, valueShape(g.Key[i]))
		}
	}
	b = append(b, '|')
	for i := range min(len(low.Key), len(high.Key)) {
		c := low.Key[i].Compare(high.Key[i])
		if b = append(b, byte(c+1)); c != 0 {
			break
		}
	}
	for i := range r.Filters {
		f := &r.Filters[i]
		b = append(b, '|', byte(f.Op), byte(f.Op>>8))
		b = append(b, f.Name...)
		b = append(b, 0)
		for _, v := range f.Values {
			shape := valueShape(v)
			if f.Op == pagination.IsNull && v == pagination.BoolValue(true) {
				shape = 'n'
			}
			b = append(b, shape)
		}
	}
	return b
}

func valueShape(v pagination.Value) byte {
	if v.Kind() == pagination.KindUint && isBig(v) {
		return 'b'
	}
	return byte(v.Kind())
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
