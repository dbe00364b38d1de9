package pagination

import (
	"context"
	"fmt"
	"iter"
)

const (
	// minBatch is how many rows All asks for at first, at least: the cost of a
	// round trip spread over a thousand rows hardly shows.
	minBatch = 1000
	// maxBatch is what batches grow to, doubled each time, for those who stay.
	maxBatch = 8000
)

// All returns all rows from the request's position on, in batches of MaxLimit or
// 1000 rows, whichever is more, which grow up to 8000, at most one batch ahead of the loop. The
// request's Limit has no meaning here. A position that reads backward (Last, or
// the token Prev or Last of a page) is ErrParams. The first error ends the loop.
func (p *Pager[T]) All(ctx context.Context, r Request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		r.Limit = 0
		q, err := p.resolve(r)
		if err == nil && q.backward {
			err = &ParamError{"last", fmt.Errorf("%w: All reads forward", ErrParams)}
		}
		if err != nil {
			yield(zero, err)
			return
		}
		inner, cancel := context.WithCancel(ctx)
		ahead := p.ahead(inner, &q)
		defer func() {
			cancel()
			for range ahead { // the goroutine closes it as its last act
			}
		}()
		for got := range ahead {
			if err := context.Cause(ctx); err != nil { // a batch that came in time says nothing of the loop's context
				yield(zero, err)
				return
			}
			for i := range got.rows {
				if !yield(got.rows[i], nil) {
					return
				}
			}
			if got.err != nil {
				yield(zero, got.err)
			}
			if got.done {
				return
			}
		}
		yield(zero, context.Cause(ctx)) // ahead ends early only with the context
	}
}

type fetched[T any] struct {
	rows []T
	done bool
	err  error
}

// ahead reads batches until the range ends, an error, or the end of the context.
// The channel has no room, so that one batch waits while another is consumed.
func (p *Pager[T]) ahead(ctx context.Context, q *query[T]) <-chan fetched[T] {
	out := make(chan fetched[T])
	rng := q.request(q.start, q.end, max(p.opt.MaxLimit, minBatch))
	go func() {
		defer close(out)
		for done := false; !done; {
			var got fetched[T]
			got.rows, got.done, got.err = p.nextBatch(ctx, q, &rng)
			done = got.done
			select {
			case out <- got:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// nextBatch reads one batch and moves the range beyond it.
func (p *Pager[T]) nextBatch(ctx context.Context, q *query[T], rng *Range[T]) (rows []T, done bool, err error) {
	b, err := p.fetch(ctx, *rng)
	if err != nil || len(b.rows) == 0 {
		return nil, true, err
	}
	done = len(b.rows) < rng.Limit
	if !done {
		rng.Limit = max(rng.Limit, min(2*rng.Limit, maxBatch))
		if _, err = p.advance(q, rng, b); err != nil {
			return nil, true, err
		}
	}
	if p.opt.Keep != nil {
		if b, err = p.keep(ctx, q, batch[T]{}, b); err != nil {
			return nil, true, err
		}
	}
	return b.rows, done, nil
}
