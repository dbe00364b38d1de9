package idgen

import (
	"fmt"
	"math/bits"
)

// Stride is the sequence Offset, Offset+Increment, …; 1 <= Offset <= Increment.
type Stride struct{ Offset, Increment int64 }

func (s Stride) valid() bool { return s.Offset >= 1 && s.Offset <= s.Increment }

func (s Stride) validate() error {
	if !s.valid() {
		return fmt.Errorf("%w: Stride{%d, %d}, want 1 <= Offset <= Increment", ErrInvalid, s.Offset, s.Increment)
	}
	return nil
}

// At returns element k of the sequence, k >= 0. A negative k is ErrRange, a result above 63 bits ErrOverflow.
func (s Stride) At(k int64) (ID, error) {
	if err := s.validate(); err != nil {
		return 0, err
	}
	if k < 0 {
		return 0, fmt.Errorf("%w: element %d of a stride, at least 0", ErrRange, k)
	}
	hi, lo := bits.Mul64(uint64(k), uint64(s.Increment))
	lo, carry := bits.Add64(lo, uint64(s.Offset), 0)
	if hi+carry != 0 || lo > maxID {
		return 0, fmt.Errorf("%w: element %d of Stride{%d, %d}", ErrOverflow, k, s.Offset, s.Increment)
	}
	return ID(lo), nil
}

// Index is the inverse of At; ok is false for an ID that is not in the sequence.
func (s Stride) Index(id ID) (k int64, ok bool) {
	d := int64(id) - s.Offset
	if !s.valid() || d < 0 || d%s.Increment != 0 {
		return 0, false
	}
	return d / s.Increment, true
}

// Disjoint reports that no ID is in both sequences. That is so exactly when the offsets differ modulo the gcd of the
// increments: two progressions meet where Offset1 + a*Increment1 = Offset2 + b*Increment2, and by Bézout a*Increment1 -
// b*Increment2 takes every multiple of the gcd and nothing else. (A common element beyond 63 bits counts as common.)
// Invalid strides are never disjoint.
func (s Stride) Disjoint(t Stride) bool {
	if !s.valid() || !t.valid() {
		return false
	}
	a, b := s.Increment, t.Increment
	for b != 0 {
		a, b = b, a%b
	}
	return (s.Offset-t.Offset)%a != 0
}

// Strides returns one stride per server, pairwise disjoint. most is the increment, the most servers there will ever be:
// a server added later takes the next offset and no number of the others moves. 1 <= servers <= most, at most 65535
// (the limit of auto_increment_increment); else ErrInvalid.
func Strides(servers, most int) ([]Stride, error) {
	if servers < 1 || most < servers || most > 65535 {
		return nil, fmt.Errorf("%w: servers is %d and the most %d, want 1 <= servers <= most <= 65535",
			ErrInvalid, servers, most)
	}
	out := make([]Stride, servers)
	for i := range out {
		out[i] = Stride{Offset: int64(i) + 1, Increment: int64(most)}
	}
	return out, nil
}
