package pagination

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// keptIndexes bounds the permutations that a slice keeps: four bytes a row each.
const keptIndexes = 8

// NewSlice returns a source over rows in memory, in any order, that can count.
// The rows must not change afterwards. The first request in an order sorts an
// index of four bytes a row, unless the rows already stand in that order; each
// page is then two binary searches.
func NewSlice[T any](rows []T) Source[T] {
	return &slice[T]{rows: rows, indexes: make(map[*Order[T]]*index)}
}

type slice[T any] struct {
	rows []T

	mu      sync.Mutex
	indexes map[*Order[T]]*index
}

// index maps ranks to rows; a nil perm is the identity.
type index struct {
	once sync.Once
	perm []uint32
	err  error
}

// indexOf returns the order's index, which the first caller builds.
func (s *slice[T]) indexOf(o *Order[T]) (*index, error) {
	s.mu.Lock()
	ix := s.indexes[o]
	if ix == nil {
		if len(s.indexes) >= keptIndexes {
			for k := range s.indexes { // any of them: orders in use come back
				delete(s.indexes, k)
				break
			}
		}
		ix = new(index)
		s.indexes[o] = ix
	}
	s.mu.Unlock()
	ix.once.Do(func() { ix.perm, ix.err = s.build(o) })
	return ix, ix.err
}

func (s *slice[T]) build(o *Order[T]) ([]uint32, error) {
	for i := range s.rows {
		if err := o.check(&s.rows[i]); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	sorted := true
	for i := 1; i < len(s.rows) && sorted; i++ {
		sorted = o.Compare(&s.rows[i-1], &s.rows[i]) < 0
	}
	if sorted {
		return nil, nil
	}
	perm := make([]uint32, len(s.rows))
	for i := range perm {
		perm[i] = uint32(i)
	}
	slices.SortFunc(perm, func(a, b uint32) int { return o.Compare(&s.rows[a], &s.rows[b]) })
	for i := 1; i < len(perm); i++ {
		if o.Compare(&s.rows[perm[i-1]], &s.rows[perm[i]]) == 0 {
			return nil, fmt.Errorf("%w: the rows %d and %d have the same identity", ErrOrder, perm[i-1], perm[i])
		}
	}
	return perm, nil
}

func (s *slice[T]) at(ix *index, rank int) *T {
	if ix.perm != nil {
		rank = int(ix.perm[rank])
	}
	return &s.rows[rank]
}

// bounds returns the ranks between the gaps.
func (s *slice[T]) bounds(ix *index, r *Range[T]) (from, to int) {
	to = len(s.rows)
	if !r.Start.IsOpen() {
		from = s.search(ix, r.Order, r.Start, 0, to)
	}
	if !r.End.IsOpen() {
		to = s.search(ix, r.Order, r.End, from, to)
	}
	return from, to
}

// search returns the first rank in [from, to) whose row stands after the gap.
func (s *slice[T]) search(ix *index, o *Order[T], g Gap, from, to int) int {
	var stack [4]rank
	at := o.seeker(g, stack[:0])
	for from < to {
		middle := int(uint(from+to) >> 1)
		if at.beyond(s.at(ix, middle)) {
			to = middle
		} else {
			from = middle + 1
		}
	}
	return from
}

// Fetch implements Source.
func (s *slice[T]) Fetch(ctx context.Context, r Range[T]) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ix, err := s.indexOf(r.Order)
	if err != nil {
		return nil, err
	}
	ms, err := r.Order.matchers(r.Filters)
	if err != nil {
		return nil, err
	}
	from, to := s.bounds(ix, &r)
	if len(ms) > 0 {
		return s.filtered(ix, &r, ms, from, to), nil
	}
	if r.Backward {
		to -= min(r.Offset, to-from)
		from = max(from, to-r.Limit)
	} else {
		from += min(r.Offset, to-from)
		to = min(to, from+r.Limit)
	}
	if ix.perm == nil {
		return append(make([]T, 0, to-from), s.rows[from:to]...), nil
	}
	out := make([]T, to-from)
	for i := range out {
		out[i] = s.rows[ix.perm[from+i]]
	}
	return out, nil
}

// filtered collects the rows between two ranks that match.
func (s *slice[T]) filtered(ix *index, r *Range[T], ms []matcher[T], from, to int) []T {
	out := make([]T, 0, min(r.Limit, to-from))
	skip := r.Offset
	for n := range to - from {
		if len(out) == r.Limit {
			break
		}
		row := s.at(ix, from+n)
		if r.Backward {
			row = s.at(ix, to-1-n)
		}
		if !matchAll(ms, row) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		out = append(out, *row)
	}
	if r.Backward {
		slices.Reverse(out)
	}
	return out
}

// Count implements Counter.
func (s *slice[T]) Count(ctx context.Context, r Range[T], mode CountMode, limit int64) (Count, error) {
	if err := ctx.Err(); err != nil {
		return Count{}, err
	}
	ix, err := s.indexOf(r.Order)
	if err != nil {
		return Count{}, err
	}
	ms, err := r.Order.matchers(r.Filters)
	if err != nil {
		return Count{}, err
	}
	from, to := s.bounds(ix, &r)
	if mode != CountCapped {
		limit = int64(len(s.rows))
	}
	n := int64(to - from)
	if len(ms) > 0 {
		n = 0
		for i := from; i < to && n <= limit; i++ {
			n += int64(boolInt(matchAll(ms, s.at(ix, i))))
		}
	}
	return capped(n, limit), nil
}

func matchAll[T any](ms []matcher[T], row *T) bool {
	for i := range ms {
		if !ms[i].match(row) {
			return false
		}
	}
	return true
}
