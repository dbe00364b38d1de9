package pagination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Pager serves pages of one source. It is immutable for the caller and safe for
// concurrent use.
type Pager[T any] struct {
	source Source[T]
	order  *Order[T]
	opt    Options[T]

	// Counters: every call adds with Add, Stats reads with Load. They order nothing.
	pages, returned, examined, refills, bad, foreign, expired atomic.Uint64
}

// New returns a pager of the rows of s in the order o. It returns ErrInvalid for
// a field of opt out of range, and ErrUnsupported if s cannot count but should.
func New[T any](s Source[T], o *Order[T], opt Options[T]) (*Pager[T], error) {
	if s == nil || o == nil {
		return nil, fmt.Errorf("%w: New needs a Source and an Order", ErrInvalid)
	}
	if err := opt.check(o, s); err != nil {
		return nil, err
	}
	opt.Sort, opt.Filter = slices.Clone(opt.Sort), slices.Clone(opt.Filter)
	return &Pager[T]{source: s, order: o, opt: opt}, nil
}

// Stats counts since New.
type Stats struct {
	Pages         uint64 // pages served
	Returned      uint64 // rows in them
	Examined      uint64 // rows that the source returned for them
	Refills       uint64 // further reads because Keep hid rows
	BadTokens     uint64 // refused as damaged or forged
	ForeignTokens uint64 // refused because of their scope
	ExpiredTokens uint64
}

// Stats returns a snapshot; its numbers need not be of one instant.
func (p *Pager[T]) Stats() Stats {
	return Stats{
		Pages: p.pages.Load(), Returned: p.returned.Load(), Examined: p.examined.Load(), Refills: p.refills.Load(),
		BadTokens: p.bad.Load(), ForeignTokens: p.foreign.Load(), ExpiredTokens: p.expired.Load(),
	}
}

// Order returns the order that requests without a Sort have.
func (p *Pager[T]) Order() *Order[T] { return p.order }

// Filterable returns the names that Filter accepts.
func (p *Pager[T]) Filterable() []string { return slices.Clone(p.opt.Filter) }

// Filter makes a filter of untrusted text. A name outside Options.Filter, an
// operator that the key's kind or Ops exclude, or a value that does not parse is
// a ParamError with ErrFilter. In takes up to 100 values, IsNull "true" or
// "false", a time RFC 3339 or a date, bytes unpadded base64url.
func (p *Pager[T]) Filter(name string, op Op, texts ...string) (Filter, error) {
	k, ok := p.order.Key(name)
	if !ok || !slices.Contains(p.opt.Filter, name) {
		return Filter{}, &ParamError{name, fmt.Errorf("%w: no filter on %s", ErrFilter, quote(name))}
	}
	return parseFilter(&k, op, texts)
}

// Page returns the page that the request asks for. Errors of the request are
// ParamErrors, or Is ErrToken; a bad token is never page one.
func (p *Pager[T]) Page(ctx context.Context, r Request) (*Page[T], error) {
	q, err := p.resolve(r)
	if err != nil {
		return nil, err
	}
	read, err := p.read(ctx, &q)
	if err != nil {
		return nil, err
	}
	page, err := p.assemble(ctx, &q, read)
	if err != nil {
		return nil, err
	}
	if p.opt.Count != CountNone {
		all := Range[T]{Order: q.order, Filters: q.filters}
		count, err := p.source.(Counter[T]).Count(ctx, all, p.opt.Count, p.opt.CountLimit)
		if err != nil {
			return nil, err
		}
		page.Count = &count
	}
	p.pages.Add(1)
	p.returned.Add(uint64(len(page.Items)))
	return page, nil
}

// fetch reads from the source, with the shards of the rows if it has shards.
func (p *Pager[T]) fetch(ctx context.Context, r Range[T]) (batch[T], error) {
	var b batch[T]
	var err error
	if s, ok := p.source.(sharded[T]); ok {
		b, err = s.fetchSharded(ctx, r)
	} else {
		b.rows, err = p.source.Fetch(ctx, r)
	}
	if err != nil {
		return batch[T]{}, err
	}
	if len(b.rows) > r.Limit {
		return batch[T]{}, fmt.Errorf("%w: the source returned %d rows, asked for %d", ErrOrder, len(b.rows), r.Limit)
	}
	p.examined.Add(uint64(len(b.rows)))
	return b, nil
}

// batch is a run of rows in forward order. shards, if not nil, has the number of
// the row's shard where another shard has an equal row, else 0.
type batch[T any] struct {
	rows   []T
	shards []int
}

func (b batch[T]) slice(from, to int) batch[T] {
	b.rows = b.rows[from:to]
	if b.shards != nil {
		b.shards = b.shards[from:to]
	}
	return b
}

// beside returns the gap before or after row i.
func (b batch[T]) beside(o *Order[T], i int, after bool) (Gap, error) {
	g, err := o.beside(&b.rows[i], after)
	if err == nil && b.shards != nil {
		g.Shard = b.shards[i]
	}
	return g, err
}

// sharded is a source whose rows may be equal, told apart by their shard.
type sharded[T any] interface {
	fetchSharded(ctx context.Context, r Range[T]) (batch[T], error)
}

// refuse counts why a token was refused, and names its parameter.
func (p *Pager[T]) refuse(param string, err error) error {
	switch {
	case errors.Is(err, ErrTokenScope):
		p.foreign.Add(1)
	case errors.Is(err, ErrTokenExpired):
		p.expired.Add(1)
	default:
		p.bad.Add(1)
	}
	return &ParamError{param, err}
}

// settled appends the condition that hides young rows. It is no part of the
// scope: it changes with the clock, and not with the request.
func (p *Pager[T]) settled(filters []Filter) []Filter {
	if p.opt.Settle == 0 {
		return filters
	}
	old := time.Now().Add(-p.opt.Settle)
	return append(slices.Clip(filters), Filter{Name: p.order.terms[0].Key.Name, Op: Le, Values: []Value{TimeValue(old)}})
}
