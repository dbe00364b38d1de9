package pagination

import (
	"math"
	"testing"
	"time"
)

// TestRanksOrderAsValuesDo compares every pair of awkward values of each kind, by
// value and by rank, in both directions and with NULL in every place.
func TestRanksOrderAsValuesDo(t *testing.T) {
	type cell struct{ v Value }
	at := func(s int64, n int) Value { return TimeValue(time.Unix(s, int64(n))) }
	kinds := map[Kind][]Value{
		KindBool: {BoolValue(false), BoolValue(true)},
		KindInt:  {IntValue(math.MinInt64), IntValue(-1), IntValue(0), IntValue(1), IntValue(math.MaxInt64)},
		KindUint: {UintValue(0), UintValue(1), UintValue(math.MaxUint64)},
		KindFloat: {
			FloatValue(math.Inf(-1)), FloatValue(-2), FloatValue(-1), FloatValue(-math.SmallestNonzeroFloat64), FloatValue(0),
			FloatValue(math.SmallestNonzeroFloat64), FloatValue(1), FloatValue(math.Inf(1)),
		},
		KindString: {
			StringValue(""), StringValue("\x01"), StringValue("a"), StringValue("ab"), StringValue("abcdefgh"), StringValue("abcdefghi"),
			StringValue("abcdefghijklmnop"), StringValue("abcdefghijklmnopq"), StringValue("abcdefghijklmnopr"), StringValue("é"),
		},
		KindBytes:   {BytesValue([]byte{}), BytesValue([]byte{0}), BytesValue([]byte{0, 0}), BytesValue([]byte{1}), BytesValue([]byte{255})},
		KindTime:    {at(-62135596800, 0), at(-1, 999999999), at(0, 0), at(0, 1), at(1, 0), at(253402300799, 999999999)},
		KindUUID:    {UUIDValue([16]byte{}), UUIDValue([16]byte{15: 1}), UUIDValue([16]byte{1}), UUIDValue([16]byte{255})},
		KindDecimal: {DecimalValue("-10"), DecimalValue("-9.5"), DecimalValue("0"), DecimalValue("9"), DecimalValue("9.01"), DecimalValue("10")},
	}
	length := func(a, b Value) int { return len(a.s) - len(b.s) }
	for kind, values := range kinds {
		for _, nulls := range []Nulls{NotNull, NullsLow, NullsHigh, NullsFirst, NullsLast} {
			for _, desc := range []bool{false, true} {
				for _, compare := range []func(a, b Value) int{nil, length} {
					key := Key[cell]{Name: "v", Kind: kind, Nulls: nulls, Of: func(c *cell) Value { return c.v }, Compare: compare}
					o := &Order[cell]{terms: []Term[cell]{{key, desc}}}
					all := values
					if nulls != NotNull {
						all = append([]Value{{}}, values...)
					}
					for _, a := range all {
						for _, b := range all {
							x, y := cell{a}, cell{b}
							want := o.Compare(&x, &y)
							if got := o.compareRanked(&x, &y, o.ranks(nil, &x), o.ranks(nil, &y)); sign(got) != sign(want) {
								t.Fatalf("%s, nulls %d, desc %v: %v against %v is %d by rank, %d by value", kind, nulls, desc, a.Any(), b.Any(), got, want)
							}
							for _, after := range []bool{false, true} {
								g := Gap{Key: []Value{b}, After: after}
								s := o.seeker(g, nil)
								if got := s.beyond(&x); got != (o.compareGap(&x, g) > 0) {
									t.Fatalf("%s, nulls %d, desc %v: %v beyond %v, after %v: %v", kind, nulls, desc, a.Any(), b.Any(), after, got)
								}
							}
						}
					}
				}
			}
		}
	}
}

func sign(c int) int {
	switch {
	case c < 0:
		return -1
	case c > 0:
		return 1
	}
	return 0
}
