package httppage

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// maxFilters bounds the work of hostile queries before the pager looks at them.
const maxFilters = 32

// Parse reads the request's query in the accepted conventions, with sort, filters
// and fields, sets Resource to the path, and calls Options.Prepare. Its errors are
// those of the request, for [WriteError], or that of Prepare.
func Parse[T any](r *http.Request, p *pagination.Pager[T], o Options) (pagination.Request, error) {
	q := pagination.Request{Resource: r.URL.Path}
	pairs, err := splitQuery(r.URL.RawQuery)
	if err != nil {
		return q, err
	}
	at, err := readPositional(pairs, &o)
	if err != nil {
		return q, err
	}
	if err := at.place(&q); err != nil {
		return q, err
	}
	if sort, ok := at.values["sort"]; ok {
		if strings.TrimSpace(sort) == "" {
			return q, badParam("sort", pagination.ErrSort, "empty")
		}
		q.Sort = sort
	}
	if _, err := fieldNames(at.values, &o); err != nil {
		return q, err
	}
	if q.Filters, err = readFilters(pairs, p); err != nil {
		return q, err
	}
	if at.has("since") && q.Since == "" { // from the first row; the pager checks the others
		order := p.Order()
		if q.Sort != "" {
			if order, err = order.Sort(q.Sort); err != nil {
				return q, err
			}
		}
		if order.Terms()[0].Desc {
			return q, badParam("since", pagination.ErrParams, "since needs a first key that ascends")
		}
	}
	if o.Prepare != nil {
		if err := o.Prepare(r, &q); err != nil {
			return q, err
		}
	}
	return q, nil
}

// place sets position and limit.
func (p *positional) place(q *pagination.Request) (err error) {
	number := func(name string, kind error) (n int) {
		if text, ok := p.values[name]; ok && err == nil {
			n, err = parseNumber(name, text, kind)
		}
		return n
	}
	for _, name := range []string{"limit", "per_page", "first", "last", "page[size]", "page[limit]"} {
		q.Limit += number(name, pagination.ErrLimit) // at most one is there
	}
	q.Offset = number("offset", pagination.ErrOffset) + number("page[offset]", pagination.ErrOffset)
	for _, name := range []string{"page", "page[number]"} {
		if !p.has(name) {
			continue
		}
		if q.Page = number(name, pagination.ErrOffset); q.Page == 0 && err == nil {
			err = badParam(name, pagination.ErrOffset, "pages count from one")
		}
	}
	if err != nil {
		return err
	}
	q.Token, q.Since = p.values["cursor"], p.values["since"]
	q.After = p.values["after"] + p.values["page[after]"]
	q.Before = p.values["before"] + p.values["page[before]"]
	for _, name := range []string{"cursor", "after", "before", "page[after]", "page[before]"} {
		if text, ok := p.values[name]; ok && text == "" {
			return badParam(name, pagination.ErrToken, "empty")
		}
	}
	switch p.style {
	case PageNumber:
		if q.Page == 0 {
			q.Page = 1
		}
	case Relay:
		q.Last = p.has("last")
	default:
		q.Last = q.Before != "" && q.After == "" // the rows just before, as its readers expect
	}
	return nil
}

// parseNumber reads digits, or a minus sign, of which the error is more telling.
func parseNumber(name, text string, kind error) (int, error) {
	n, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, badParam(name, kind, "out of range")
	case err != nil || text[0] == '+':
		return 0, badParam(name, kind, "not a number")
	case n < 0:
		return 0, badParam(name, kind, "negative")
	}
	return n, nil
}

// fieldNames returns the fields that the request asks for, nil for all.
func fieldNames(values map[string]string, o *Options) ([]string, error) {
	text, ok := values["fields"]
	if !ok {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(o.Fields, name) || name == "" {
			return nil, badParam("fields", pagination.ErrFields, "unknown field "+quote(name))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.QuoteToASCII(s)
}

// readFilters makes filters of the parameters that name a filterable key.
func readFilters[T any](pairs []pair, p *pagination.Pager[T]) ([]pagination.Filter, error) {
	allowed := p.Filterable()
	if len(allowed) == 0 {
		return nil, nil
	}
	var filters []pagination.Filter
	for i := range pairs {
		if role, _ := roleOf(pairs[i].name); role != roleNone {
			continue
		}
		c, err := parseCondition(&pairs[i])
		if !slices.Contains(allowed, c.name) {
			continue // a parameter of somebody else
		}
		if err != nil {
			return nil, err
		}
		f, err := p.Filter(c.name, c.op, c.texts...)
		if err != nil {
			return nil, err
		}
		if filters = append(filters, f); len(filters) > maxFilters {
			return nil, badParam(c.name, pagination.ErrFilter, "more than 32 filters")
		}
	}
	return filters, nil
}

// condition is a filter as it was written.
type condition struct {
	name  string
	op    pagination.Op
	texts []string
}

// parseCondition reads color=red, seats<=2, seats<2, seats!=2 and seats[lte]=2. A
// query is cut at its first equals sign, so that "seats<=2" is the name "seats<"
// with the value 2, and "seats<2" a name without a value.
func parseCondition(p *pair) (condition, error) {
	name := p.name
	if i := strings.IndexAny(name, "<>"); i >= 0 {
		c := condition{name: name[:i], op: pagination.Lt}
		if name[i] == '>' {
			c.op = pagination.Gt
		}
		value, err := p.value()
		text := name[i+1:]
		if p.hasValue {
			text += "=" + value
		}
		if rest, ok := strings.CutPrefix(text, "="); ok { // escaped or not
			c.op <<= 1 // Lt to Le, Gt to Ge
			text = rest
		}
		c.texts = []string{text}
		return c, err
	}
	if i := strings.IndexByte(name, '['); i >= 0 && strings.HasSuffix(name, "]") {
		return bracketed(p, name[:i], name[i+1:len(name)-1])
	}
	c := condition{name: name, op: pagination.Eq}
	if rest, ok := strings.CutSuffix(name, "!"); ok && p.hasValue {
		c.name, c.op = rest, pagination.Ne
	}
	value, err := p.value()
	c.texts = []string{value}
	return c, err
}

// bracketed reads name[op]=value. The commas of in are those that were not escaped.
func bracketed(p *pair, name, op string) (condition, error) {
	ops := map[string]pagination.Op{
		"eq": pagination.Eq, "ne": pagination.Ne, "lt": pagination.Lt, "lte": pagination.Le,
		"gt": pagination.Gt, "gte": pagination.Ge, "in": pagination.In, "null": pagination.IsNull,
	}
	c := condition{name: name, op: ops[op]}
	if c.op == 0 {
		return c, badParam(name, pagination.ErrFilter, "unknown operator")
	}
	values := []string{p.rawValue}
	if c.op == pagination.In {
		values = strings.Split(p.rawValue, ",")
	}
	for _, raw := range values {
		text, err := url.QueryUnescape(raw)
		if err != nil {
			return c, badParam(name, pagination.ErrParams, "malformed escape")
		}
		c.texts = append(c.texts, text)
	}
	return c, nil
}
