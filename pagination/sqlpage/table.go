package sqlpage

import (
	"fmt"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// New pages through a table whose columns are the db tags of T. id is its primary
// key ("id", or "order_id,line"), sort the order ("-created_at"; "" is by id).
// table and tags are trusted; a reserved word needs its quotes there. For joins,
// tenants and keys of your own, see NewSource.
func New[T any](db DB, d Dialect, table, id, sort string, o pagination.Options[T]) (*pagination.Pager[T], error) {
	keys, err := Keys[T](d, id)
	if err != nil {
		return nil, err
	}
	order, err := pagination.NewOrder(sort, keys...)
	if err != nil {
		return nil, err
	}
	source, err := NewSource(db, d, order, Query[T]{From: table})
	if err != nil {
		return nil, err
	}
	return pagination.New(source, order, o)
}

// Index returns the CREATE INDEX statement that serves the order, in both
// directions. Prefix it with the columns that Query.Where or a filter fixes by
// equality. An engine that cannot put NULL elsewhere in an index is served by
// the plain one.
func Index[T any](table string, d Dialect, o *pagination.Order[T]) string {
	cols := columnsOf(o, false)
	var name strings.Builder
	items := make([]string, len(cols))
	plain := func(s string) string {
		return strings.Map(func(c rune) rune {
			if c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
				return c
			}
			return -1
		}, s[strings.LastIndexByte(s, '.')+1:])
	}
	name.WriteString(plain(table))
	for i := range cols {
		c := &cols[i]
		name.WriteByte('_')
		name.WriteString(plain(c.expr))
		if c.desc {
			name.WriteString("_desc")
		}
		if d == Postgres && !d.native(c) { // only there an index knows about NULL
			name.WriteString("_nulls")
		}
		items[i] = c.expr[strings.LastIndexByte(c.expr, '.')+1:]
		if strings.ContainsAny(c.expr, "( ") {
			items[i] = "(" + c.expr + ")"
		}
		switch {
		case d == Postgres:
			items[i] = d.orderBy(items[i], c)
		case c.desc:
			items[i] += " DESC"
		}
	}
	return fmt.Sprintf("CREATE INDEX %s_page ON %s (%s)", name.String(), table, strings.Join(items, ", "))
}
