package pagination

import (
	"context"
	"fmt"
)

// Page is one page, in the order of the request.
type Page[T any] struct {
	Items []T // never nil
	// Next, Prev and Last are the tokens of the following, the previous and the
	// last page; "" means that there is none.
	Next, Prev, Last string
	Self             string // this page again, its first row included; "" if the page is empty and has no position
	Resume           string // never "": the rows that come after this page, now or later
	Limit            int    // effective
	Offset, Number   int    // only for offset and page requests
	Count            *Count // nil unless Options.Count asks for it

	order *Order[T]
	codec *Codec
	scope Scope
	rows  batch[T]
}

// Cursor returns the token of Items[i], which stands just after it. It is encoded
// when asked for.
func (p *Page[T]) Cursor(i int) (string, error) {
	if i < 0 || i >= len(p.rows.rows) {
		return "", fmt.Errorf("%w: Cursor(%d) of %d rows", ErrInvalid, i, len(p.rows.rows))
	}
	g, err := p.rows.beside(p.order, i, true)
	if err != nil {
		return "", err
	}
	return p.codec.Encode(Cursor{Start: g}, p.scope)
}

// reading is what a page consists of.
type reading[T any] struct {
	kept batch[T]
	more bool // rows lie beyond the far end of kept, or may
	far  *Gap // where the next page starts; nil: beside the last kept row
}

// read reads a page's rows: once, or until enough are kept.
func (p *Pager[T]) read(ctx context.Context, q *query[T]) (reading[T], error) {
	if p.opt.Keep != nil {
		return p.readKept(ctx, q)
	}
	b, err := p.fetch(ctx, q.request(q.start, q.end, q.limit+1))
	if err != nil {
		return reading[T]{}, err
	}
	return q.trim(b), nil
}

// trim takes off the row beyond the page.
func (q *query[T]) trim(b batch[T]) reading[T] {
	n := len(b.rows)
	switch {
	case n <= q.limit:
		return reading[T]{kept: b}
	case q.backward:
		return reading[T]{kept: b.slice(n-q.limit, n), more: true}
	default:
		return reading[T]{kept: b.slice(0, q.limit), more: true}
	}
}

// readKept reads until the page is full of rows that Keep lets through, the
// range is exhausted, or MaxExamined rows were read.
func (p *Pager[T]) readKept(ctx context.Context, q *query[T]) (reading[T], error) {
	kept := batch[T]{rows: []T{}}
	examined, budget := 0, p.opt.MaxExamined
	if budget == 0 {
		budget = defaultExamined * q.limit
	}
	var far *Gap // just beyond the last row examined
	rng := q.request(q.start, q.end, 0)
	for examined < budget && len(kept.rows) <= q.limit {
		if examined > 0 {
			p.refills.Add(1)
		}
		rng.Limit = min(q.limit+1, budget-examined)
		b, err := p.fetch(ctx, rng)
		if err != nil {
			return reading[T]{}, err
		}
		n := len(b.rows)
		examined += n
		if n > 0 {
			if far, err = p.advance(q, &rng, b); err != nil {
				return reading[T]{}, err
			}
			if kept, err = p.keep(ctx, q, kept, b); err != nil {
				return reading[T]{}, err
			}
		}
		if n < rng.Limit {
			read := q.trim(kept) // exhausted
			if !read.more {
				read.far = far
			}
			return read, nil
		}
	}
	if len(kept.rows) >= q.limit {
		full := q.trim(kept)
		full.more = true
		return full, nil
	}
	return reading[T]{kept: kept, more: true, far: far}, nil
}

// advance moves the near end of rng beyond a batch and returns that gap.
func (p *Pager[T]) advance(q *query[T], rng *Range[T], b batch[T]) (*Gap, error) {
	i := len(b.rows) - 1
	if q.backward {
		i = 0
	}
	g, err := b.beside(q.order, i, !q.backward)
	if q.backward {
		rng.End = g
	} else {
		rng.Start = g
	}
	rng.Offset = 0
	return &g, err
}

// keep adds the rows of a batch that Keep lets through.
func (p *Pager[T]) keep(ctx context.Context, q *query[T], kept, b batch[T]) (batch[T], error) {
	ok, err := p.opt.Keep(ctx, b.rows)
	if err != nil {
		return kept, err
	}
	if len(ok) != len(b.rows) {
		return kept, fmt.Errorf("%w: Options.Keep returned %d answers for %d rows", ErrInvalid, len(ok), len(b.rows))
	}
	var some batch[T]
	for i, yes := range ok {
		if yes {
			some.rows = append(some.rows, b.rows[i])
			if b.shards != nil {
				some.shards = append(some.shards, b.shards[i])
			}
		}
	}
	if q.backward {
		kept, some = some, kept
	}
	kept.rows = append(kept.rows, some.rows...)
	kept.shards = append(kept.shards, some.shards...)
	return kept, nil
}

// assemble makes the page and its tokens.
func (p *Pager[T]) assemble(ctx context.Context, q *query[T], read reading[T]) (*Page[T], error) {
	page := &Page[T]{
		Items: read.kept.rows, Limit: q.limit, Offset: q.offset, Number: q.number,
		order: q.order, codec: p.opt.Codec, scope: q.scope, rows: read.kept,
	}
	if page.Items == nil {
		page.Items = []T{}
	}
	before, after, err := q.edges(read)
	if err != nil {
		return nil, err
	}
	next, prev, err := p.ends(ctx, q, read, before, after)
	if err != nil {
		return nil, err
	}
	// The bound that a page moves toward stays in its tokens; the one behind it
	// is where the walk began, and the way back leads beyond it.
	ahead, behind := q.end, Gap{}
	if q.backward {
		ahead, behind = Gap{}, q.start
	}
	if q.window {
		behind, ahead = q.start, q.end
	}
	encode := func(on bool, into *string, cur Cursor) {
		if on && err == nil {
			*into, err = p.opt.Codec.Encode(cur, q.scope)
		}
	}
	encode(next, &page.Next, Cursor{Start: after, End: ahead})
	encode(prev, &page.Prev, Cursor{Start: behind, End: before, Backward: true})
	encode(next, &page.Last, Cursor{End: ahead, Backward: true})
	encode(len(page.Items) > 0 || q.positioned, &page.Self, q.self(page, before, ahead))
	page.Resume = page.Next
	encode(!next, &page.Resume, Cursor{Start: after, End: ahead})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// self is the page's own position, its first row included.
func (q *query[T]) self(page *Page[T], before, ahead Gap) Cursor {
	if len(page.Items) == 0 && q.backward {
		return Cursor{Start: q.start, End: q.end, Backward: true}
	}
	return Cursor{Start: before, End: ahead}
}

// edges returns the gaps just before and just after the page. An empty page has
// both where the request stood.
func (q *query[T]) edges(read reading[T]) (before, after Gap, err error) {
	before, after = q.near(), q.near()
	if n := len(read.kept.rows); n > 0 {
		if before, err = read.kept.beside(q.order, 0, false); err == nil {
			after, err = read.kept.beside(q.order, n-1, true)
		}
	}
	if read.far != nil {
		if q.backward {
			before = *read.far
		} else {
			after = *read.far
		}
	}
	return before, after, err
}

// ends decides whether there is a next and a previous page. The far side is
// known from the row beyond the page; the near side is assumed to have rows if
// the request was positioned, or probed.
func (p *Pager[T]) ends(ctx context.Context, q *query[T], read reading[T], before, after Gap) (next, prev bool, err error) {
	behind := q.positioned && !q.window
	if behind && p.opt.ExactEnds {
		probe := Range[T]{Order: q.order, Filters: q.filters, Limit: 1}
		if q.backward {
			probe.Start = after
		} else {
			probe.End, probe.Backward = before, true
		}
		b, err := p.fetch(ctx, probe)
		if err != nil {
			return false, false, err
		}
		behind = len(b.rows) > 0
	}
	if q.backward {
		return behind, read.more, nil
	}
	return read.more, behind, nil
}
