package bloom

import (
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
)

// same returns ErrIncompatible unless both filters exist and have one geometry.
func (f *Filter) same(g *Filter) error {
	if g == nil || !f.layout.sameGeometry(g.layout) {
		var other Layout
		if g != nil {
			other = g.layout
		}
		return fmt.Errorf("%w: %d blocks of (%d, %d) against %d blocks of (%d, %d)", ErrIncompatible,
			f.layout.Blocks, f.layout.Words, f.layout.Bits, other.Blocks, other.Words, other.Bits)
	}
	return nil
}

// Union adds all keys of g to f. It returns ErrIncompatible, changing nothing, unless the filters have the same
// blocks, words and bits; capacity and target rate of f stay. Both filters may be in use meanwhile, and two
// filters may be united into each other at the same time: there is no lock.
func (f *Filter) Union(g *Filter) error {
	if err := f.same(g); err != nil {
		return err
	}
	for i := range f.blocks {
		from, to := &g.blocks[i], &f.blocks[i]
		for w := range to {
			m := atomic.LoadUint64(&from[w])
			if f.plain {
				to[w] |= m
			} else {
				set(to, uint64(w), m)
			}
		}
	}
	return nil
}

// Intersect keeps the bits that f and g share. Afterwards f tests true at least for the keys that are in both; its
// Stats.Keys is an upper bound. It needs exclusive use of f, and returns ErrIncompatible as Union does.
func (f *Filter) Intersect(g *Filter) error {
	if err := f.same(g); err != nil {
		return err
	}
	for i := range f.blocks {
		from, to := &g.blocks[i], &f.blocks[i]
		for w := range to {
			to[w] &= atomic.LoadUint64(&from[w])
		}
	}
	return nil
}

// Overlap holds estimated numbers of distinct keys, and their ratio.
type Overlap struct {
	Union        float64 // keys in either filter; +Inf when the union is saturated
	Intersection float64 // keys in both
	Jaccard      float64 // Intersection/Union, 0 to 1; 0 when both filters are empty
}

// Overlap estimates how many keys f and g share, by inclusion and exclusion on their union. It changes nothing and
// allocates nothing. The error of the estimate is that of three key counts, so small overlaps of large sets are vague.
// ErrIncompatible as for Union.
func (f *Filter) Overlap(g *Filter) (Overlap, error) {
	if err := f.same(g); err != nil {
		return Overlap{}, err
	}
	var inF, inG, inEither uint64
	for i := range f.blocks {
		a, b := &f.blocks[i], &g.blocks[i]
		for w := range a {
			x, y := atomic.LoadUint64(&a[w]), atomic.LoadUint64(&b[w])
			inF += uint64(bits.OnesCount64(x))
			inG += uint64(bits.OnesCount64(y))
			inEither += uint64(bits.OnesCount64(x | y))
		}
	}
	nf, ng := f.layout.keysFor(inF), f.layout.keysFor(inG)
	o := Overlap{Union: f.layout.keysFor(inEither)}
	switch {
	case o.Union == 0:
	case math.IsInf(o.Union, 1): // no estimate is left; the bounds that still hold
		o.Intersection = min(nf, ng)
		if math.IsInf(o.Intersection, 1) {
			o.Jaccard = 1
		}
	default:
		o.Intersection = min(max(0, nf+ng-o.Union), nf, ng)
		o.Jaccard = min(o.Intersection/o.Union, 1)
	}
	return o, nil
}

// Clone returns a copy of the filter with the same options. It holds every key whose Add happened before the call.
func (f *Filter) Clone() *Filter {
	if f.layout.Blocks == 0 {
		return &Filter{options: f.options, plain: f.plain}
	}
	c := makeFilter(f.layout, f.options)
	for i := range f.blocks {
		b := &f.blocks[i]
		for w := range b {
			c.blocks[i][w] = atomic.LoadUint64(&b[w])
		}
	}
	return c
}

// Equal reports whether both filters have the same geometry and bits.
func (f *Filter) Equal(g *Filter) bool {
	if f.same(g) != nil {
		return false
	}
	for i := range f.blocks {
		a, b := &f.blocks[i], &g.blocks[i]
		for w := range a {
			if atomic.LoadUint64(&a[w]) != atomic.LoadUint64(&b[w]) {
				return false
			}
		}
	}
	return true
}

// Fold returns a filter of half the blocks that holds the same keys, with half the capacity (rounded up) at the same
// target rate: for a filter that turned out too large. Folding and then uniting equals uniting and then folding.
// ErrIncompatible when the number of blocks is odd; New makes it a multiple of 8 from 1,024 blocks on.
func (f *Filter) Fold() (*Filter, error) {
	l := f.layout
	if l.Blocks == 0 || l.Blocks%2 != 0 {
		return nil, fmt.Errorf("%w: %d blocks cannot be folded, want a positive even number", ErrIncompatible, l.Blocks)
	}
	l.Blocks /= 2
	l.Capacity = l.Capacity/2 + l.Capacity%2
	h := makeFilter(l, f.options)
	// The block index is the high part of a product, so halving the number of blocks halves the index.
	for i := range f.blocks {
		from, to := &f.blocks[i], &h.blocks[i/2]
		for w := range to {
			to[w] |= atomic.LoadUint64(&from[w])
		}
	}
	return h, nil
}
