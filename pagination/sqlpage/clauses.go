package sqlpage

import (
	"fmt"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// Clauses is for query builders and ORMs: a parenthesised condition for WHERE,
// the ORDER BY list, and the values of the condition in their order. firstArg
// numbers $n from there; 0 writes ?. Ask for r.Limit rows, and turn them round if
// r.Backward.
//
// It is one condition, a row value where PostgreSQL can use it, else an OR: what
// fits into a statement of somebody else. A [Source] reads less in the cases that
// need several SELECTs.
func Clauses[T any](d Dialect, r pagination.Range[T], firstArg int) (where, orderBy string, args []any, err error) {
	if err := d.check(); err != nil {
		return "", "", nil, err
	}
	if r.Order == nil || firstArg < 0 {
		return "", "", nil, fmt.Errorf("%w: Clauses needs an Order and a firstArg of at least 0", pagination.ErrInvalid)
	}
	if err := checkFilters(r.Order, r.Filters); err != nil {
		return "", "", nil, err
	}
	cols := columnsOf(r.Order, r.Backward)
	low, high := reading(&r)
	strategy := choose(Auto, d, cols, low, high)
	if strategy == Arms {
		strategy = Or
	}
	w := &writer{dialect: d, first: firstArg}
	w.write("(")
	wrote := false
	for i := range r.Filters {
		if wrote {
			w.write(" AND ")
		}
		k, _ := r.Order.Key(r.Filters[i].Name)
		w.filter(i, &r.Filters[i], k.Column, k.Cast)
		wrote = true
	}
	before := len(w.text)
	if wrote {
		w.write(" AND ")
	}
	if !w.condition(strategy, cols, low, high) {
		w.text = w.text[:before]
		if !wrote {
			w.write("1 = 1")
		}
	}
	w.write(")")
	return strings.TrimSpace(string(w.text)), exprOrder(d, cols), arguments(d, w.operands, low, high, r.Filters, nil), nil
}
