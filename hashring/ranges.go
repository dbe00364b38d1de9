package hashring

import (
	"iter"
	"math"
	"slices"
)

// Range is a run of tokens, both ends included. It never wraps: First <= Last, so it fits SQL's BETWEEN. The
// whole ring is {0, 1<<64-1}; a region across the end of the token space is given as two ranges.
// A store with signed 64-bit columns keeps the order by storing int64(token ^ 1<<63).
type Range struct{ First, Last uint64 }

// Contains says whether the token is in the range.
func (r Range) Contains(token uint64) bool { return r.First <= token && token <= r.Last }

// Fraction returns the part of the whole ring that the range covers, in (0, 1].
func (r Range) Fraction() float64 { return math.Ldexp(float64(r.Last-r.First)+1, -64) }

// AllRanges yields the whole map in token order: ranges that cover the ring exactly, each with the first n
// nodes of its preference order. Neighbours have different lists. The yielded slice may be kept.
func (s *Snapshot[T]) AllRanges(n int) iter.Seq2[Range, []Node[T]] {
	return func(yield func(Range, []Node[T]) bool) {
		if len(s.nodes) == 0 || n <= 0 {
			return
		}
		var current []uint32
		var r Range
		for w := newSweep(s, n); ; {
			if list := w.list(); current == nil {
				current = slices.Clone(list)
			} else if !slices.Equal(list, current) {
				if !yield(r, s.resolve(current)) {
					return
				}
				current = append(current[:0], list...)
				r.First = r.Last + 1
			}
			r.Last = w.last()
			if r.Last == math.MaxUint64 {
				break
			}
			w.skip(r.Last)
		}
		yield(r, s.resolve(current))
	}
}

// Ranges returns the ranges in which the node is among the first n of the preference order: ascending,
// disjoint and maximal. n = 1 gives what it owns; an unknown ID gives nil.
func (s *Snapshot[T]) Ranges(id string, n int) []Range {
	node, ok := s.number(id)
	if !ok || n <= 0 {
		return nil
	}
	var ranges []Range
	first := uint64(0)
	for w := newSweep(s, n); ; {
		last := w.last()
		if slices.Contains(w.list(), uint32(node)) {
			if k := len(ranges); k > 0 && ranges[k-1].Last+1 == first {
				ranges[k-1].Last = last
			} else {
				ranges = append(ranges, Range{first, last})
			}
		}
		if last == math.MaxUint64 {
			return ranges
		}
		w.skip(last)
		first = last + 1
	}
}

// resolve turns numbers into nodes, in a fresh slice.
func (s *Snapshot[T]) resolve(list []uint32) []Node[T] {
	nodes := make([]Node[T], len(list))
	for i, o := range list {
		nodes[i] = s.nodes[o]
	}
	return nodes
}

// sweep goes through the token space of a placement in ascending order. Between two boundaries, the points of
// p.own, the preference order of all tokens is the same.
type sweep struct {
	p     *placement
	nodes int
	n     int
	own   int // position in p.own of the first point at or after the current token; len past the last
	ring  int // the same in p.ring
	buf   []uint32
}

func newSweep[T any](s *Snapshot[T], n int) sweep {
	return sweep{p: &s.placement, nodes: len(s.nodes), n: min(n, len(s.nodes))}
}

// last is the last token with the same preference order as the current one.
func (w *sweep) last() uint64 {
	if w.own == w.p.own.len() {
		return math.MaxUint64
	}
	return w.p.own.tokens[w.own]
}

// skip moves to the token after the given one, which is not before the current one.
func (w *sweep) skip(token uint64) {
	for own := &w.p.own; w.own < own.len() && own.tokens[w.own] <= token; {
		w.own++
	}
	for ring := &w.p.ring; w.ring < ring.len() && ring.tokens[w.ring] <= token; {
		w.ring++
	}
}

// list returns the first n nodes of the current preference order, valid until the next call.
func (w *sweep) list() []uint32 {
	if w.nodes == 0 {
		return nil
	}
	if w.n == 1 {
		w.buf = append(w.buf[:0], w.p.own.owners[w.own])
		return w.buf
	}
	w.buf = w.p.first(w.buf[:0], w.nodes, w.n, w.last())
	return w.buf
}
