package sqlpage

import (
	"slices"
	"strconv"

	"github.com/sysblocks/sysblocks/pagination"
)

// Strategy is how a statement says "beyond this row". Auto knows what each engine
// reads least for; the others are for engines that only speak a dialect, and for
// measuring.
type Strategy uint8

// The strategies. RowValue is used where it is correct, which is for keys
// without NULL in one direction; elsewhere it means Or.
const (
	Auto     Strategy = iota
	RowValue          // (k1, k2) > (?, ?)
	Or                // k1 > ? OR k1 = ? AND k2 > ?
	Arms              // one SELECT per range, joined by UNION ALL
)

// statement is the text of a page and where its arguments come from.
type statement struct {
	query    string
	operands []operand
}

// writer builds a statement.
type writer struct {
	dialect  Dialect
	text     []byte
	operands []operand
	first    int // of $n; 0 writes ?
}

func (w *writer) write(parts ...string) {
	for _, p := range parts {
		w.text = append(w.text, p...)
	}
}

// value writes the parameter of an operand. Numbered parameters are shared by all
// places that want the same value.
func (w *writer) value(o operand, cast string) {
	w.write(w.dialect.parameter(w.placeholder(o), cast, o.value))
}

func (w *writer) placeholder(o operand) string {
	if w.first > 0 {
		for n, other := range w.operands {
			if other.from == o.from && other.i == o.i && other.j == o.j {
				return "$" + strconv.Itoa(w.first+n)
			}
		}
	}
	w.operands = append(w.operands, o)
	if w.first > 0 {
		return "$" + strconv.Itoa(w.first+len(w.operands)-1)
	}
	return "?"
}

// predicate writes one comparison.
func (w *writer) predicate(cols []columnOf, p *predicate) {
	c := &cols[p.term]
	switch p.op {
	case isNull:
		w.write(c.expr, " IS NULL")
	case notNull:
		w.write(c.expr, " IS NOT NULL")
	case equal:
		w.write(c.expr, " = ")
		w.value(p.operand, c.cast)
	case beyond, beyondOrEqual, short, shortOrEqual:
		sign := "<"
		if (p.op == beyond || p.op == beyondOrEqual) != c.desc {
			sign = ">"
		}
		if p.op == beyondOrEqual || p.op == shortOrEqual {
			sign += "="
		}
		row := p.row
		if row == nil {
			row = []pagination.Value{p.value}
		}
		w.rowValue(cols[p.term:], sign, p.from, p.i, row)
	}
}

// arm writes the predicates of one arm that stands alone, and nothing for an arm
// without any.
//
// Engines would rather leave the index of the order: where a column is fixed, another
// index (often the primary key) seems to have the order of the rest, or the group of
// the fixed column seems small enough to filter. Either reads far too much if the
// column's value depends on the rest, as a status does on the age of a row. So the
// first fixed column is written in a way that leaves nothing to guess.
func (w *writer) arm(cols []columnOf, high pagination.Gap, a *arm) (wrote bool) {
	if a.open() {
		return w.bare(cols, high, a)
	}
	first, rest := a.predicates[0], arm{a.predicates[1:], a.guard}
	c := &cols[first.term]
	switch {
	case w.dialect == MySQL: // it reads what an equality finds, by ref, but not one in an OR
		w.write("(")
		w.bare(cols, high, a)
		w.hold(c)
		w.write(")")
		return true
	case w.dialect == SQLite: // estimates nothing where it is told
		w.write("likelihood(")
		w.predicate(cols, &first)
		w.write(", 0.000001)")
	case first.op == equal: // PostgreSQL takes the column out of ORDER BY, but not for a list
		w.write(c.expr, " IN (")
		w.value(first.operand, c.cast)
		w.write(", ")
		w.value(first.operand, c.cast)
		w.write(")")
	default:
		w.predicate(cols, &first)
	}
	if len(rest.predicates) > 0 || rest.guard >= 0 {
		w.write(" AND ")
		w.bare(cols, high, &rest)
	}
	return true
}

// hold adds a condition that no row meets, for MariaDB.
func (w *writer) hold(c *columnOf) { w.write(" OR ", c.expr, " < NULL") }

// bare writes the predicates of one arm.
func (w *writer) bare(cols []columnOf, high pagination.Gap, a *arm) (wrote bool) {
	for i := range a.predicates {
		if i > 0 {
			w.write(" AND ")
		}
		w.predicate(cols, &a.predicates[i])
	}
	if a.guard >= 0 {
		if len(a.predicates) > 0 {
			w.write(" AND ")
		}
		w.or(cols, high, shortOf(w.dialect, cols, high, a.guard))
		return true
	}
	return len(a.predicates) > 0
}

// or writes arms as one parenthesised condition, whose first operator is OR.
func (w *writer) or(cols []columnOf, high pagination.Gap, arms []arm) {
	w.write("(")
	if len(arms) == 0 {
		w.write("1 = 0")
	}
	for i := range arms {
		if i > 0 {
			w.write(" OR ")
		}
		if !w.bare(cols, high, &arms[i]) {
			w.write("1 = 1")
		}
	}
	if w.dialect == MySQL && len(arms) > 0 && !slices.ContainsFunc(arms, arm.open) {
		w.hold(&cols[arms[0].predicates[0].term])
	}
	w.write(")")
}

// between writes what lies beyond a gap as a comparison of rows.
func (w *writer) between(cols []columnOf, g pagination.Gap, from side) {
	sign := "<"
	if (from == fromLow) != cols[0].desc {
		sign = ">"
	}
	if g.After == (from == fromHigh) {
		sign += "="
	}
	w.rowValue(cols, sign, from, 0, g.Key)
}

// rowValue compares columns with values, those of a gap from its value number first on.
func (w *writer) rowValue(cols []columnOf, sign string, from side, first int, values []pagination.Value) {
	list := func(write func(i int)) {
		if len(values) > 1 {
			w.write("(")
		}
		for i := range values {
			if i > 0 {
				w.write(", ")
			}
			write(i)
		}
		if len(values) > 1 {
			w.write(")")
		}
	}
	list(func(i int) { w.write(cols[i].expr) })
	w.write(" ", sign, " ")
	list(func(i int) { w.value(operand{from: from, i: first + i, value: values[i]}, cols[i].cast) })
}

// canRowValue reports whether the leading n columns compare as one row.
func canRowValue(cols []columnOf, n int) bool {
	for i := range n {
		if cols[i].nullable || cols[i].desc != cols[0].desc {
			return false
		}
	}
	return true
}

// filter writes one filter.
func (w *writer) filter(i int, f *pagination.Filter, column, cast string) {
	ops := map[pagination.Op]string{
		pagination.Eq: " = ", pagination.Ne: " <> ", pagination.Lt: " < ", pagination.Le: " <= ", pagination.Gt: " > ", pagination.Ge: " >= ",
	}
	switch {
	case f.Op == pagination.IsNull && f.Values[0] == pagination.BoolValue(true):
		w.write(column, " IS NULL")
	case f.Op == pagination.IsNull:
		w.write(column, " IS NOT NULL")
	case f.Op == pagination.In && len(f.Values) == 0:
		w.write("1 = 0")
	case f.Op == pagination.In:
		w.write(column, " IN (")
		for j, v := range f.Values {
			if j > 0 {
				w.write(", ")
			}
			w.value(operand{fromFilter, i, j, v}, cast)
		}
		w.write(")")
	default:
		w.write(column, ops[f.Op])
		w.value(operand{fromFilter, i, 0, f.Values[0]}, cast)
	}
}

// reading turns a range into reading direction: the gap where reading begins, and
// the one where it ends.
func reading[T any](r *pagination.Range[T]) (low, high pagination.Gap) {
	low, high = r.Start, r.End
	if r.Backward {
		low, high = r.End, r.Start
		low.After, high.After = !low.After, !high.After
	}
	return low, high
}

// choose resolves Auto: see the package comment for what was measured.
func choose(s Strategy, d Dialect, cols []columnOf, low, high pagination.Gap) Strategy {
	n := max(len(low.Key), len(high.Key))
	rows := canRowValue(cols, n)
	switch {
	case s == RowValue && !rows:
		return Or
	case s != Auto:
		return s
	case d == Postgres && rows:
		return RowValue
	case d == MySQL:
		for i := range cols {
			if !d.native(&cols[i]) {
				return Arms
			}
		}
		return Or
	}
	return Arms
}
