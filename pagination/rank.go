package pagination

import (
	"cmp"
	"encoding/binary"
	"math"
)

// rank is a key in a form that three comparisons of integers order, in the term's
// direction: what merging and searching compare instead of values.
type rank struct {
	hi, lo uint64
	place  uint8 // of NULL before and after the values
}

const (
	nullBefore uint8 = iota
	notNull
	nullAfter
)

// rank returns the rank of a value of the term's key.
func (t *Term[T]) rank(v *Value) rank {
	r := rank{place: notNull}
	switch v.kind {
	case 0:
		if t.nullsFirst() {
			return rank{place: nullBefore}
		}
		return rank{place: nullAfter}
	case KindInt, KindTime:
		r.hi, r.lo = v.n^1<<63, v.m // signed, the sign turned
	case KindFloat:
		if r.hi = v.n | 1<<63; math.Signbit(math.Float64frombits(v.n)) {
			r.hi = ^v.n // negative floats descend with their bits
		}
	case KindString, KindBytes:
		r.hi, r.lo = prefix(v.s)
	case KindDecimal: // has no short form
	default:
		r.hi, r.lo = v.n, v.m
	}
	if t.Key.Compare != nil {
		r.hi, r.lo = 0, 0
	}
	if t.Desc {
		r.hi, r.lo = ^r.hi, ^r.lo
	}
	return r
}

// prefix is the beginning of a text as a number, filled up with zeros: a smaller
// one begins a smaller text.
func prefix(s string) (hi, lo uint64) {
	if len(s) >= 16 {
		return binary.BigEndian.Uint64([]byte(s[:8])), binary.BigEndian.Uint64([]byte(s[8:16]))
	}
	var b [16]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// partial reports whether equal ranks of the term may hide different values.
func (t *Term[T]) partial() bool {
	switch t.Key.Kind {
	case KindString, KindBytes, KindDecimal:
		return true
	default:
		return t.Key.Compare != nil
	}
}

func (r *rank) compare(s *rank) int {
	switch {
	case r.hi != s.hi && r.place == s.place:
		return cmp.Compare(r.hi, s.hi)
	case r.place != s.place:
		return cmp.Compare(r.place, s.place)
	default:
		return cmp.Compare(r.lo, s.lo)
	}
}

// ranks appends the ranks of a row, one per term.
func (o *Order[T]) ranks(to []rank, row *T) []rank {
	for i := range o.terms {
		v := o.terms[i].Key.Of(row)
		to = append(to, o.terms[i].rank(&v))
	}
	return to
}

// compareRanked is Compare for rows whose ranks are known.
func (o *Order[T]) compareRanked(a, b *T, ra, rb []rank) int {
	for i := range ra {
		c := ra[i].compare(&rb[i])
		if t := &o.terms[i]; c == 0 && ra[i].place == notNull && t.partial() {
			c = t.compare(t.Key.Of(a), t.Key.Of(b))
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// seeker finds a gap among rows.
type seeker[T any] struct {
	order *Order[T]
	gap   Gap
	ranks []rank
}

func (o *Order[T]) seeker(g Gap, ranks []rank) seeker[T] {
	for i := range g.Key {
		ranks = append(ranks, o.terms[i].rank(&g.Key[i]))
	}
	return seeker[T]{o, g, ranks}
}

// beyond reports whether a row stands after the gap.
func (s *seeker[T]) beyond(row *T) bool {
	for i := range s.ranks {
		t := &s.order.terms[i]
		v := t.Key.Of(row)
		r := t.rank(&v)
		c := r.compare(&s.ranks[i])
		if c == 0 && r.place == notNull && t.partial() {
			c = t.compare(v, s.gap.Key[i])
		}
		if c != 0 {
			return c > 0
		}
	}
	return !s.gap.After
}
