package sqlpage

import (
	"slices"

	"github.com/sysblocks/sysblocks/pagination"
)

// comparison is what an arm asks of one column.
type comparison uint8

const (
	equal comparison = iota
	beyond
	beyondOrEqual
	short
	shortOrEqual
	isNull
	notNull
)

// operand names a value of a range, so that a cached statement can find its
// arguments in the next range of the same shape.
type operand struct {
	from  side
	i, j  int // term of a gap; or filter and its value; or argument of the caller
	value pagination.Value
}

type side uint8

const (
	fromLow side = iota // the gap where reading begins
	fromHigh
	fromFilter
	fromCaller
)

// predicate is one comparison with a column, or of the columns from term on with
// the rest of a gap, as one row.
type predicate struct {
	term int
	op   comparison
	operand
	row []pagination.Value // from operand.i on; nil: one column
}

// fixes reports whether the predicate leaves one value.
func (p *predicate) fixes() bool { return p.op == equal || p.op == isNull }

// arm is a range of rows that one seek finds: leading columns fixed, at most one
// bounded. The guard, if not negative, is the term from which the rows must also be
// compared with the far gap in full.
type arm struct {
	predicates []predicate
	guard      int
}

// open reports whether the arm does not begin with a fixed column.
func (a arm) open() bool { return len(a.predicates) == 0 || !a.predicates[0].fixes() }

// decomposition cuts what lies between two gaps into arms, disjoint and in
// reading order.
//
//	after (v1, v2, v3):   k1 = v1, k2 = v2, k3 > v3
//	                      k1 = v1, k2 > v2
//	                      k1 > v1
//
// A nullable column adds an arm for its NULLs, before or after the others. A
// common prefix of both gaps becomes an equality. On PostgreSQL, columns at the end
// that share a direction are compared as one row, which its indexes find:
//
//	after (v1, v2, v3):   k1 = v1, (k2, k3) > (v2, v3)
//	                      k1 > v1
type decomposition struct {
	dialect   Dialect
	cols      []columnOf
	low, high pagination.Gap
	guard     int
	arms      []arm
}

// decompose returns the arms between low and high, which are in reading direction.
func decompose(d Dialect, cols []columnOf, low, high pagination.Gap) []arm {
	x := decomposition{dialect: d, cols: cols, low: low, high: high, guard: -1}
	x.walk(0, nil, !low.IsOpen(), !high.IsOpen())
	return x.arms
}

// shortOf returns the arms of the rows short of high, from term i on.
func shortOf(d Dialect, cols []columnOf, high pagination.Gap, i int) []arm {
	x := decomposition{dialect: d, cols: cols, high: high, guard: -1}
	x.walk(i, nil, false, true)
	return x.arms
}

// with appends to a prefix that other arms share.
func with(prefix []predicate, ps ...predicate) []predicate {
	return append(slices.Clip(prefix), ps...)
}

// fix is the predicate that term i has value v.
func fix(i int, v pagination.Value, from side) predicate {
	p := predicate{term: i, op: equal, operand: operand{from: from, i: i, value: v}}
	if v.IsNull() {
		p.op = isNull
	}
	return p
}

// walk handles the rows whose columns before i are fixed by prefix; low and high
// say which gaps still bound them.
func (x *decomposition) walk(i int, prefix []predicate, low, high bool) {
	if !low && !high {
		x.open(i, prefix)
		return
	}
	var a, b pagination.Value
	lastLow, lastHigh := false, false
	if low {
		a, lastLow = x.low.Key[i], i == len(x.low.Key)-1
	}
	if high {
		b, lastHigh = x.high.Key[i], i == len(x.high.Key)-1
	}
	end := bound{set: high, value: b, inclusive: lastHigh && x.high.After}
	if low && high {
		switch {
		case a == b:
			if lastLow && x.low.After || lastHigh && !x.high.After {
				return // the gaps stand at one side of this group
			}
			x.walk(i+1, with(prefix, fix(i, a, fromLow)), !lastLow, !lastHigh)
			return
		case a.Kind() == pagination.KindString && b.Kind() == pagination.KindString:
			// The collation may hold them for equal: only the engine can tell.
			x.guard = i
			high, end.inclusive = false, true
		case x.cols[i].compare(a, b) > 0:
			return // the gaps are crossed
		}
	}
	start := bound{set: low, value: a, inclusive: lastLow && !x.low.After}
	if low && !lastLow {
		if x.comparable(i, x.low.Key) {
			start.row, start.inclusive = x.low.Key[i:], !x.low.After
		} else {
			x.walk(i+1, with(prefix, fix(i, a, fromLow)), true, false)
		}
	}
	if high && !lastHigh && x.comparable(i, x.high.Key) {
		end.row, end.inclusive = x.high.Key[i:], x.high.After
	}
	x.middle(i, prefix, start, end)
	if high && !lastHigh && end.row == nil {
		x.walk(i+1, with(prefix, fix(i, b, fromHigh)), false, true)
	}
}

// comparable reports whether the columns of a key from i on compare as one row,
// which rows with NULL behind column i would not.
func (x *decomposition) comparable(i int, key []pagination.Value) bool {
	if x.dialect != Postgres || key[i].IsNull() {
		return false
	}
	for j := i + 1; j < len(key); j++ {
		if x.cols[j].nullable || x.cols[j].desc != x.cols[i].desc {
			return false
		}
	}
	return true
}

// bound is one end of the values of a column, or of the row that begins with it.
type bound struct {
	set       bool
	value     pagination.Value
	row       []pagination.Value // nil: the column alone
	inclusive bool
}

// middle handles the rows whose column i lies between two bounds.
func (x *decomposition) middle(i int, prefix []predicate, low, high bound) {
	c := &x.cols[i]
	values, nulls := true, c.nullable
	var ps []predicate
	for _, end := range [2]struct {
		bound
		from   side
		op     comparison
		beyond bool // NULL lies on the kept side of every value
	}{
		{low, fromLow, beyond, !c.nullsFirst},
		{high, fromHigh, short, c.nullsFirst},
	} {
		switch {
		case !end.set:
		case end.value.IsNull():
			nulls = nulls && end.inclusive
			values = values && !end.beyond // beyond the last group, or short of the first, is no value
		default:
			nulls = nulls && end.beyond
			op := end.op
			if end.inclusive {
				op++
			}
			ps = append(ps, predicate{term: i, op: op, operand: operand{from: end.from, i: i, value: end.value}, row: end.row})
		}
	}
	if values && nulls && len(ps) == 0 {
		x.open(i, prefix)
		return
	}
	if nulls && c.nullsFirst {
		x.open(i+1, with(prefix, predicate{term: i, op: isNull}))
	}
	if values {
		if len(ps) == 0 && c.nullable {
			ps = append(ps, predicate{term: i, op: notNull})
		}
		x.emit(with(prefix, ps...))
	}
	if nulls && !c.nullsFirst {
		x.open(i+1, with(prefix, predicate{term: i, op: isNull}))
	}
}

// open handles all rows of a prefix. MySQL cannot order by an index if NULL
// stands elsewhere than it wants, unless NULL is read apart.
func (x *decomposition) open(i int, prefix []predicate) {
	if x.dialect != MySQL || i >= len(x.cols) || x.dialect.native(&x.cols[i]) {
		x.emit(prefix)
		return
	}
	c := &x.cols[i]
	if c.nullsFirst {
		x.open(i+1, with(prefix, predicate{term: i, op: isNull}))
	}
	x.emit(with(prefix, predicate{term: i, op: notNull}))
	if !c.nullsFirst {
		x.open(i+1, with(prefix, predicate{term: i, op: isNull}))
	}
}

func (x *decomposition) emit(ps []predicate) { x.arms = append(x.arms, arm{ps, x.guard}) }

// compare orders two different values in reading direction.
func (c *columnOf) compare(a, b pagination.Value) int {
	if a.IsNull() || b.IsNull() {
		if a.IsNull() == c.nullsFirst {
			return -1
		}
		return 1
	}
	if c.desc {
		return b.Compare(a)
	}
	return a.Compare(b)
}
