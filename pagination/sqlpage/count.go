package sqlpage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// Count implements pagination.Counter. An exact count reads every row that
// matches, a capped one at most limit+1. An estimate is the planner's number of
// rows; SQLite has none, and counts.
func (s *Source[T]) Count(ctx context.Context, r pagination.Range[T], mode pagination.CountMode, limit int64) (pagination.Count, error) {
	caller, err := s.callerArgs(ctx)
	if err != nil {
		return pagination.Count{}, err
	}
	if err := checkFilters(r.Order, r.Filters); err != nil {
		return pagination.Count{}, err
	}
	r.Backward = false
	w := &writer{dialect: s.dialect}
	if s.dialect == Postgres {
		w.first = 1
	}
	estimate := mode == pagination.CountEstimated && s.dialect != SQLite
	switch {
	case estimate && s.dialect == Postgres:
		w.write("EXPLAIN (FORMAT JSON) ")
	case estimate:
		w.write("EXPLAIN ")
	}
	inner := mode == pagination.CountCapped || strings.TrimSpace(s.q.GroupBy) != ""
	switch {
	case estimate:
		w.write("SELECT 1")
	case inner:
		w.write("SELECT COUNT(*) FROM (SELECT 1")
	default:
		w.write("SELECT COUNT(*)")
	}
	cols := columnsOf(r.Order, false)
	s.tail(w, &r, func() bool {
		return w.condition(choose(Or, s.dialect, cols, r.Start, r.End), cols, r.Start, r.End)
	})
	if inner && !estimate {
		if mode == pagination.CountCapped {
			w.write(" LIMIT ", strconv.FormatInt(limit+1, 10))
		}
		w.write(") AS matches")
	}
	args := arguments(s.dialect, w.operands, r.Start, r.End, r.Filters, caller)
	if estimate {
		return s.estimate(ctx, string(w.text), args)
	}
	var n int64
	if err := each(ctx, s.db, string(w.text), args, func(rows *sql.Rows) error { return rows.Scan(&n) }); err != nil {
		return pagination.Count{}, err
	}
	if mode == pagination.CountCapped && n > limit {
		return pagination.Count{N: limit, AtLeast: true}, nil
	}
	return pagination.Count{N: n, Exact: true}, nil
}

// estimate reads the number of rows from a plan.
func (s *Source[T]) estimate(ctx context.Context, query string, args []any) (pagination.Count, error) {
	if s.dialect == Postgres {
		var text []byte
		if err := each(ctx, s.db, query, args, func(rows *sql.Rows) error { return rows.Scan(&text) }); err != nil {
			return pagination.Count{}, err
		}
		var plans []struct {
			Plan struct {
				Rows float64 `json:"Plan Rows"`
			}
		}
		if err := json.Unmarshal(text, &plans); err != nil || len(plans) == 0 {
			return pagination.Count{}, fmt.Errorf("%w: the plan has no number of rows", pagination.ErrUnsupported)
		}
		return pagination.Count{N: int64(plans[0].Plan.Rows)}, nil
	}
	total := 1.0 // MySQL: the product of the joined tables
	err := each(ctx, s.db, query, args, func(rows *sql.Rows) error {
		fields, err := byName(rows)
		if err != nil {
			return err
		}
		if n, err := strconv.ParseFloat(fields["rows"], 64); err == nil {
			total *= n
		}
		if percent, err := strconv.ParseFloat(fields["filtered"], 64); err == nil {
			total *= percent / 100
		}
		return nil
	})
	return pagination.Count{N: int64(total)}, err
}

// byName reads the current row as text by column.
func byName(rows *sql.Rows) (map[string]string, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.NullString, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(names))
	for i, name := range names {
		fields[strings.ToLower(name)] = values[i].String
	}
	return fields, nil
}
