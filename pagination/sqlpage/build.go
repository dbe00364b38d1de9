package sqlpage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// build writes the statement of a range.
func (s *Source[T]) build(r *pagination.Range[T], low, high pagination.Gap) (statement, error) {
	cols := columnsOf(r.Order, r.Backward)
	positions := make([]int, len(cols))
	for i := range cols {
		if positions[i] = slices.Index(s.selects, cols[i].expr) + 1; positions[i] == 0 {
			return statement{}, fmt.Errorf("%w: Query.Select lacks %q, a key of the order %s", pagination.ErrInvalid, cols[i].expr, r.Order)
		}
	}
	if err := checkFilters(r.Order, r.Filters); err != nil {
		return statement{}, err
	}
	w := &writer{dialect: s.dialect}
	if s.dialect == Postgres {
		w.first = 1
	}
	strategy := choose(s.q.Strategy, s.dialect, cols, low, high)
	var arms []arm
	if strategy != RowValue {
		split := s.dialect
		if strategy == Or {
			split = 0 // no engine's NULLs are read apart
		}
		arms = decompose(split, cols, low, high)
	}
	switch {
	case strategy != RowValue && len(arms) == 1: // one range is one condition in either form
		s.plain(w, r, func() bool { return w.arm(cols, high, &arms[0]) }, armOrder(s.dialect, cols, &arms[0]))
	case strategy == Arms && len(arms) > 1:
		s.union(w, r, cols, positions, high, arms)
	default:
		s.plain(w, r, func() bool { return w.condition(strategy, cols, low, high) }, exprOrder(s.dialect, cols))
	}
	return statement{string(w.text), w.operands}, nil
}

// condition writes what lies between the gaps as one condition.
func (w *writer) condition(strategy Strategy, cols []columnOf, low, high pagination.Gap) (wrote bool) {
	if low.IsOpen() && high.IsOpen() {
		return false
	}
	if strategy != RowValue {
		w.or(cols, high, decompose(0, cols, low, high))
		return true
	}
	if !low.IsOpen() {
		w.between(cols, low, fromLow)
	}
	if !high.IsOpen() {
		if !low.IsOpen() {
			w.write(" AND ")
		}
		w.between(cols, high, fromHigh)
	}
	return true
}

// plain writes one SELECT.
func (s *Source[T]) plain(w *writer, r *pagination.Range[T], between func() bool, order string) {
	w.write("SELECT ", s.list)
	s.tail(w, r, between)
	w.write(" ORDER BY ", order, " LIMIT ", strconv.Itoa(r.Limit))
	if r.Offset > 0 {
		w.write(" OFFSET ", strconv.Itoa(r.Offset))
	}
}

// tail writes FROM, WHERE and GROUP BY. The caller's condition stands in
// parentheses: an OR in it cannot free the rest.
func (s *Source[T]) tail(w *writer, r *pagination.Range[T], between func() bool) {
	w.write(" FROM ", s.q.From)
	and := " WHERE "
	if strings.TrimSpace(s.q.Where) != "" {
		w.write(and, "(")
		w.template(s.where, 0)
		w.write(")")
		and = " AND "
	}
	for i := range r.Filters {
		k, _ := r.Order.Key(r.Filters[i].Name)
		w.write(and)
		w.filter(i, &r.Filters[i], k.Column, k.Cast)
		and = " AND "
	}
	if between != nil {
		before := len(w.text)
		if w.write(and); !between() {
			w.text = w.text[:before]
		}
	}
	if strings.TrimSpace(s.q.GroupBy) != "" {
		w.write(" GROUP BY ")
		w.template(s.groupBy, s.where.values())
	}
}

// template writes the caller's text with its parameters, numbered from first.
func (w *writer) template(t template, first int) {
	for i, part := range t {
		if i > 0 {
			w.write(w.placeholder(operand{from: fromCaller, i: first + i - 1}))
		}
		w.write(part)
	}
}

// union writes the arms, joined by UNION ALL and sorted again. No arm reads more
// than the page needs.
func (s *Source[T]) union(w *writer, r *pagination.Range[T], cols []columnOf, positions []int, high pagination.Gap, arms []arm) {
	limit := strconv.Itoa(r.Limit + r.Offset)
	list, open, end := s.list, "(", " LIMIT "+limit+")"
	order := make([]string, len(cols))
	for i := range cols {
		order[i] = s.dialect.orderBy(strconv.Itoa(positions[i]), &cols[i])
	}
	switch s.dialect {
	case SQLite: // merges arms that it reads in this order, as far as the outer LIMIT wants; its arms have none of their own
		open, end = "", ""
	case MySQL: // allows expressions after UNION around it only, and wants distinct names there
		names := make([]string, len(s.selects))
		aliased := make([]string, len(s.selects))
		for i, column := range s.selects {
			names[i] = "c" + strconv.Itoa(i+1)
			aliased[i] = column + " AS " + names[i]
		}
		list = strings.Join(aliased, ", ")
		w.write("SELECT ", strings.Join(names, ", "), " FROM (")
		for i := range cols {
			order[i] = s.dialect.orderBy(names[positions[i]-1], &cols[i])
		}
	case Postgres:
	}
	for i := range arms {
		if i > 0 {
			w.write(" UNION ALL ")
		}
		w.write(open, "SELECT ", list)
		s.tail(w, r, func() bool { return w.arm(cols, high, &arms[i]) })
		if s.dialect != SQLite {
			w.write(" ORDER BY ", armOrder(s.dialect, cols, &arms[i]))
		}
		w.write(end)
	}
	if s.dialect == MySQL {
		w.write(") AS page")
	}
	w.write(" ORDER BY ", strings.Join(order, ", "), " LIMIT ", strconv.Itoa(r.Limit))
	if r.Offset > 0 {
		w.write(" OFFSET ", strconv.Itoa(r.Offset))
	}
}

// exprOrder is the ORDER BY list.
func exprOrder(d Dialect, cols []columnOf) string {
	items := make([]string, len(cols))
	for i := range cols {
		items[i] = d.orderBy(cols[i].expr, &cols[i])
	}
	return strings.Join(items, ", ")
}

// armOrder is the ORDER BY list of one arm. On MySQL the place of NULL is left out
// where the arm decides it: an expression would keep the index from being used.
// The others find that out by themselves, and PostgreSQL merges arms only if all of
// them are sorted by the same list.
func armOrder(d Dialect, cols []columnOf, a *arm) string {
	if d != MySQL {
		return exprOrder(d, cols)
	}
	decided := slices.Clone(cols)
	for _, p := range a.predicates {
		decided[p.term].nullable = false
	}
	return exprOrder(d, decided)
}

// checkFilters guards the statement against filters of another order.
func checkFilters[T any](o *pagination.Order[T], filters []pagination.Filter) error {
	for _, f := range filters {
		if _, ok := o.Key(f.Name); !ok {
			return fmt.Errorf("%w: unknown key %q", pagination.ErrFilter, f.Name)
		}
		if len(f.Values) != 1 && f.Op != pagination.In {
			return fmt.Errorf("%w: %d values for the key %q, want one", pagination.ErrFilter, len(f.Values), f.Name)
		}
		if f.Op&(f.Op-1) != 0 || f.Op == 0 || f.Op > pagination.IsNull {
			return fmt.Errorf("%w: not one operator for the key %q", pagination.ErrFilter, f.Name)
		}
	}
	return nil
}
