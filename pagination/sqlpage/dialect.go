package sqlpage

import (
	"fmt"
	"strconv"

	"github.com/sysblocks/sysblocks/pagination"
)

// Dialect is the SQL that a database speaks.
type Dialect uint8

// The dialects. The zero Dialect is refused.
const (
	Postgres Dialect = iota + 1
	MySQL            // and MariaDB
	SQLite
)

// String returns the name of the dialect.
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "Postgres"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	default:
		return "no dialect"
	}
}

func (d Dialect) check() error {
	if d < Postgres || d > SQLite {
		return fmt.Errorf("%w: the dialect is %d, want Postgres, MySQL or SQLite", pagination.ErrInvalid, d)
	}
	return nil
}

// nulls is where the engine puts NULL by itself.
func (d Dialect) nulls() pagination.Nulls {
	if d == Postgres {
		return pagination.NullsHigh
	}
	return pagination.NullsLow
}

// columnOf is what a statement needs to know of a term, in reading direction.
type columnOf struct {
	expr       string
	cast       string
	kind       pagination.Kind
	nullable   bool
	desc       bool
	nullsFirst bool
}

// native reports whether the engine puts NULL where the column wants it, so that
// an ordinary index serves.
func (d Dialect) native(c *columnOf) bool {
	return !c.nullable || c.nullsFirst == d.nulls().First(c.desc)
}

// columnsOf returns the terms in reading direction.
func columnsOf[T any](o *pagination.Order[T], backward bool) []columnOf {
	terms := o.Terms()
	cols := make([]columnOf, len(terms))
	for i, t := range terms {
		cols[i] = columnOf{
			expr: t.Key.Column, cast: t.Key.Cast, kind: t.Key.Kind, nullable: t.Key.Nulls != pagination.NotNull,
			desc: t.Desc != backward, nullsFirst: t.Key.Nulls.First(t.Desc) != backward,
		}
	}
	return cols
}

// orderBy is the ORDER BY item of a column, named by name: an expression, or the
// number of an output column where the engine needs no expression.
func (d Dialect) orderBy(name string, c *columnOf) string {
	item, prefix := name, ""
	if c.desc {
		item += " DESC"
	}
	if !d.native(c) {
		switch {
		case d == MySQL && c.nullsFirst:
			prefix = name + " IS NULL DESC, "
		case d == MySQL:
			prefix = name + " IS NULL, "
		case c.nullsFirst:
			item += " NULLS FIRST"
		default:
			item += " NULLS LAST"
		}
	}
	return prefix + item
}

// parameter is the placeholder of a value, cast where the engine must not guess.
//
// PostgreSQL would give the parameter the column's type, and refuse, as an error
// of the server, an integer from a token or a filter that is too big for it: so
// integers and floats are widened, which its indexes allow. MySQL would compare a
// decimal with text as floating-point numbers.
func (d Dialect) parameter(placeholder, cast string, v pagination.Value) string {
	switch {
	case v.IsNull():
	case cast != "":
	case d == Postgres && v.Kind() == pagination.KindInt:
		cast = "bigint"
	case d == Postgres && v.Kind() == pagination.KindUint && isBig(v):
		cast = "numeric"
	case d == Postgres && v.Kind() == pagination.KindUint:
		cast = "bigint"
	case d == Postgres && v.Kind() == pagination.KindFloat:
		cast = "double precision"
	case d == MySQL && v.Kind() == pagination.KindDecimal:
		cast = "DECIMAL(65,30)"
	}
	if cast == "" {
		return placeholder
	}
	return "CAST(" + placeholder + " AS " + cast + ")"
}

// isBig reports whether an unsigned integer is beyond int64, which no
// bigint column holds and some drivers do not bind.
func isBig(v pagination.Value) bool {
	u, ok := v.Any().(uint64)
	return ok && u > 1<<63-1
}

// bind is the driver's argument for a value.
func (d Dialect) bind(v pagination.Value) any {
	switch a := v.Any().(type) {
	case uint64:
		switch {
		case a <= 1<<63-1:
			return int64(a)
		case d == Postgres:
			return strconv.FormatUint(a, 10)
		case d == SQLite:
			return float64(a) // above every integer that SQLite stores, as it should be
		}
		return a
	case [16]byte:
		if d == Postgres {
			return fmt.Sprintf("%x-%x-%x-%x-%x", a[:4], a[4:6], a[6:8], a[8:10], a[10:])
		}
		return a[:]
	case pagination.Decimal:
		return string(a)
	default:
		return a
	}
}
