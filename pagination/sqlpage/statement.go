package sqlpage

import (
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
	w.write(c.expr)
	switch p.op {
	case isNull:
		w.write(" IS NULL")
		return
	case notNull:
		w.write(" IS NOT NULL")
		return
	case equal:
		w.write(" = ")
	case beyond, beyondOrEqual, short, shortOrEqual:
		sign := " < "
		if (p.op == beyond || p.op == beyondOrEqual) != c.desc {
			sign = " > "
		}
		if p.op == beyondOrEqual || p.op == shortOrEqual {
			sign = sign[:2] + "= "
		}
		w.write(sign)
	}
	w.value(p.operand, c.cast)
}

// arm writes the predicates of one arm, and nothing for an arm without any.
func (w *writer) arm(cols []columnOf, high pagination.Gap, a *arm) (wrote bool) {
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
		if !w.arm(cols, high, &arms[i]) {
			w.write("1 = 1")
		}
	}
	w.write(")")
}

// rowValue writes one gap as a comparison of rows.
func (w *writer) rowValue(cols []columnOf, g pagination.Gap, from side) {
	n := len(g.Key)
	list := func(write func(i int)) {
		if n > 1 {
			w.write("(")
		}
		for i := range n {
			if i > 0 {
				w.write(", ")
			}
			write(i)
		}
		if n > 1 {
			w.write(")")
		}
	}
	list(func(i int) { w.write(cols[i].expr) })
	sign := "<"
	if (from == fromLow) != cols[0].desc {
		sign = ">"
	}
	if g.After == (from == fromHigh) {
		sign += "="
	}
	w.write(" ", sign, " ")
	list(func(i int) { w.value(operand{from: from, i: i, value: g.Key[i]}, cols[i].cast) })
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
