package pagination

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Request says which page. At most one of Token, After and Before, Page, Offset
// and Since positions it; none asks for the first page. Last goes with After and
// Before, or alone.
type Request struct {
	Limit         int      // rows; 0 is the default, more than MaxLimit is clamped, negative is ErrLimit
	Token         string   // Next, Prev, Last, Self or Resume of a page, or its Cursor
	After, Before string   // any token, used as a bound: rows after its row, rows before it; both make a window
	Last          bool     // the rows nearest to the far end
	Page, Offset  int      // Page counts from 1; 0 is absent
	Since         string   // a Resume token, or the text of the first key, which must ascend
	Sort          string   // "-manufacturer,+model", of Options.Sort; "" is the pager's order
	Filters       []Filter // trusted: made by Pager.Filter or NewFilter
	Resource      string   // what tokens belong to; httppage sets the path
	Principal     string   // whom tokens belong to
}

// query is a request that has been checked.
type query[T any] struct {
	order      *Order[T]
	filters    []Filter
	scope      Scope
	start, end Gap
	backward   bool
	limit      int
	offset     int
	number     int
	positioned bool // a token or bound put the near end where it is, so rows may lie behind it
	window     bool // After and Before: nothing behind the near end counts
}

func (q *query[T]) request(start, end Gap, limit int) Range[T] {
	return Range[T]{
		Order: q.order, Filters: q.filters, Start: start, End: end,
		Limit: limit, Offset: q.offset, Backward: q.backward,
	}
}

// resolve checks a request.
func (p *Pager[T]) resolve(r Request) (query[T], error) {
	q := query[T]{order: p.order, limit: r.Limit}
	if err := conflict(r); err != nil {
		return q, err
	}
	switch {
	case q.limit < 0:
		return q, &ParamError{"limit", fmt.Errorf("%w: negative", ErrLimit)}
	case q.limit == 0:
		q.limit = p.opt.Limit
	case q.limit > p.opt.MaxLimit:
		q.limit = p.opt.MaxLimit
	}
	if err := p.sort(&q, r.Sort); err != nil {
		return q, err
	}
	if len(r.Filters) > maxFilters {
		return q, &ParamError{"filter", fmt.Errorf("%w: %d filters, at most %d", ErrFilter, len(r.Filters), maxFilters)}
	}
	for i := range r.Filters {
		if err := p.order.checkFilter(&r.Filters[i]); err != nil {
			return q, err
		}
	}
	q.filters = p.settled(r.Filters)
	q.scope = Scope{r.Resource, q.order.text, canonicalFilters(r.Filters), r.Principal}
	return q, p.position(&q, r)
}

// conflict reports two positions at once.
func conflict(r Request) error {
	var set []string
	for _, c := range []struct {
		on   bool
		name string
	}{
		{r.Token != "", "cursor"},
		{r.After != "" || r.Before != "", "after or before"},
		{r.Page != 0, "page"},
		{r.Offset != 0, "offset"},
		{r.Since != "", "since"},
		{r.Last && r.After == "" && r.Before == "", "last"},
	} {
		if c.on {
			set = append(set, c.name)
		}
	}
	if len(set) > 1 {
		return &ParamError{set[1], fmt.Errorf("%w: %s and %s exclude each other", ErrParams, set[0], set[1])}
	}
	return nil
}

// sort resolves Request.Sort against Options.Sort.
func (p *Pager[T]) sort(q *query[T], text string) error {
	if text == "" {
		return nil
	}
	for item := range strings.SplitSeq(text, ",") {
		name, _ := parseItem(item)
		if name != "" && !slices.Contains(p.opt.Sort, name) {
			return &ParamError{name, fmt.Errorf("%w: no sorting by %s", ErrSort, quote(name))}
		}
	}
	sorted, err := p.order.Sort(text)
	if err == nil {
		q.order = sorted
	}
	return err
}

// position sets the ends of the range.
func (p *Pager[T]) position(q *query[T], r Request) error {
	switch {
	case r.Token != "":
		cur, err := p.decode(q, "cursor", r.Token)
		if err != nil {
			return err
		}
		q.start, q.end, q.backward = cur.Start, cur.End, cur.Backward
		q.positioned = !q.near().IsOpen()
	case r.After != "" || r.Before != "":
		q.backward = r.Last
		q.window = r.After != "" && r.Before != ""
		var err error
		if q.start, err = p.bound(q, r.After, true); err == nil {
			q.end, err = p.bound(q, r.Before, false)
		}
		q.positioned = !q.near().IsOpen()
		return err
	case r.Page != 0 || r.Offset != 0:
		return p.offset(q, r)
	case r.Since != "":
		return p.since(q, r.Since)
	}
	q.backward = q.backward || r.Last
	return nil
}

// near is the end that the page is filled from.
func (q *query[T]) near() Gap {
	if q.backward {
		return q.end
	}
	return q.start
}

// decode decodes a token, the value of a parameter, for the request's order and scope.
func (p *Pager[T]) decode(q *query[T], param, token string) (Cursor, error) {
	cur, err := p.opt.Codec.Decode(token, q.order.Kinds(), q.scope)
	if err == nil && (!q.order.accepts(cur.Start) || !q.order.accepts(cur.End)) {
		err = errTokenKind
	}
	if err != nil {
		return Cursor{}, p.refuse(param, err)
	}
	return cur, nil
}

// bound uses any token as a bound: beyond the row that it stands beside.
func (p *Pager[T]) bound(q *query[T], token string, after bool) (Gap, error) {
	if token == "" {
		return Gap{}, nil
	}
	param := "before"
	if after {
		param = "after"
	}
	cur, err := p.decode(q, param, token)
	if err != nil {
		return Gap{}, err
	}
	g := cur.Start
	if cur.Backward {
		g = cur.End
	}
	if g.IsOpen() && (cur.Backward || !after) {
		return Gap{}, p.refuse(param, errTokenOpen) // the end of the list is no row; the start of an empty list may be
	}
	return g.at(after), nil
}

// offset positions by page number or offset.
func (p *Pager[T]) offset(q *query[T], r Request) error {
	name, offset := "offset", r.Offset
	if r.Page != 0 {
		name = "page"
		if r.Page < 0 || r.Page-1 > math.MaxInt/q.limit {
			return &ParamError{name, fmt.Errorf("%w: page out of range", ErrOffset)}
		}
		offset, q.number = (r.Page-1)*q.limit, r.Page
	}
	switch {
	case p.opt.MaxOffset < 0:
		return &ParamError{name, fmt.Errorf("%w: offsets are not served", ErrOffset)}
	case offset < 0:
		return &ParamError{name, fmt.Errorf("%w: negative", ErrOffset)}
	case offset > p.opt.MaxOffset:
		return &ParamError{name, fmt.Errorf("%w: beyond the deepest offset, %d", ErrOffset, p.opt.MaxOffset)}
	}
	q.offset, q.positioned = offset, offset > 0
	return nil
}

// since positions by a Resume token, or before the group of a first key.
func (p *Pager[T]) since(q *query[T], text string) error {
	first := &q.order.terms[0]
	if first.Desc {
		return &ParamError{"since", fmt.Errorf("%w: since needs a first key that ascends, not %s", ErrParams, q.order)}
	}
	if isTokenLike(text) {
		cur, err := p.decode(q, "since", text)
		if err == nil && cur.Backward {
			err = p.refuse("since", errTokenKind) // the token of another kind of page
		}
		q.start, q.end, q.positioned = cur.Start, cur.End, !cur.Start.IsOpen()
		return err
	}
	v, ok := parseValue(first.Key.Kind, text)
	if !ok {
		return &ParamError{"since", fmt.Errorf("%w: since is neither a token nor a %s", ErrParams, first.Key.Kind)}
	}
	q.start, q.positioned = Gap{Key: []Value{v}}, true
	return nil
}

// isTokenLike tells tokens from the text of keys. A token begins with its
// version, 0001, and mode, 0000 to 0010, which base64url spells E and a letter from
// A to v; no number or time does, and other text that does must be a token, unless
// it is a UUID.
func isTokenLike(s string) bool {
	if len(s) < 8 || s[0] != 'E' || s[1] < 'A' || s[1] > 'v' || s[1] > 'Z' && s[1] < 'a' {
		return false
	}
	if _, ok := parseUUID(s); ok {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		default:
			return false
		}
	}
	return true
}
