package pagination

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

func TestFiltersSelect(t *testing.T) {
	rows := []item{{ID: 1, A: new(int64(1)), C: "x"}, {ID: 2, A: new(int64(2)), C: "y"}, {ID: 3, C: "y"}}
	p := pagerOf(t, rows, "", Options[item]{Filter: []string{"a", "c"}})
	for _, c := range []struct {
		name  string
		op    Op
		texts []string
		want  []int64
	}{
		{"a", Eq, []string{"1"}, []int64{1}},
		{"a", Ne, []string{"1"}, []int64{2}}, // NULL satisfies nothing
		{"a", Lt, []string{"2"}, []int64{1}},
		{"a", Le, []string{"2"}, []int64{1, 2}},
		{"a", Gt, []string{"1"}, []int64{2}},
		{"a", Ge, []string{"1"}, []int64{1, 2}},
		{"a", In, []string{"1", "2", "9"}, []int64{1, 2}},
		{"a", IsNull, []string{"true"}, []int64{3}},
		{"a", IsNull, []string{"false"}, []int64{1, 2}},
		{"c", Eq, []string{"y"}, []int64{2, 3}},
	} {
		f, err := p.Filter(c.name, c.op, c.texts...)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		page := mustPage(t, p, Request{Filters: []Filter{f}})
		if got := ids(page.Items); len(got) != len(c.want) || got[0] != c.want[0] || got[len(got)-1] != c.want[len(c.want)-1] {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for _, c := range []struct {
		name  string
		op    Op
		texts []string
	}{
		{"b", Eq, []string{"1"}},                   // exists, not allowed
		{"x", Eq, []string{"1"}},                   // does not exist
		{"a", Eq, []string{"one"}},                 // does not parse
		{"a", Eq, []string{"9223372036854775808"}}, // beyond int64
		{"a", Eq, nil},
		{"a", Eq, []string{"1", "2"}}, // not one value
		{"a", In, nil},
		{"a", In, make([]string, 101)},
		{"a", 0, []string{"1"}},
		{"a", Eq | Lt, []string{"1"}},
		{"a", 1 << 12, []string{"1"}},
		{"c", IsNull, []string{"true"}}, // is never NULL
		{"c", Eq, []string{"a\x00"}},
		{"c", Eq, []string{"\xff"}},
	} {
		_, err := p.Filter(c.name, c.op, c.texts...)
		var param *ParamError
		if !errors.Is(err, ErrFilter) || !errors.As(err, &param) || param.Param != c.name {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestFilterTextsOfAllKinds(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		text string
		want Value
	}{
		{KindBool, "true", BoolValue(true)},
		{KindBool, "TRUE", Value{}},
		{KindInt, "-5", IntValue(-5)},
		{KindInt, "0x10", Value{}},
		{KindUint, "18446744073709551615", UintValue(1<<64 - 1)},
		{KindUint, "-1", Value{}},
		{KindFloat, "1e3", FloatValue(1000)},
		{KindFloat, "NaN", Value{}},
		{KindBytes, "AP8", BytesValue([]byte{0, 255})},
		{KindBytes, "A", Value{}},
		{KindTime, "2026-11-24T05:44:06.5+01:00", TimeValue(time.Date(2026, 11, 24, 4, 44, 6, 5e8, time.UTC))},
		{KindTime, "2026-11-24", TimeValue(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))},
		{KindTime, "24.11.2026", Value{}},
		{KindUUID, "018f0000-0000-0000-0000-0000000000FF", UUIDValue([16]byte{0x01, 0x8f, 15: 0xff})},
		{KindUUID, "018f00000000000000000000000000ff", UUIDValue([16]byte{0x01, 0x8f, 15: 0xff})},
		{KindUUID, "018f", Value{}},
		{KindDecimal, "01.50", DecimalValue("1.5")},
		{KindDecimal, "1,5", Value{}},
	} {
		if v, ok := parseValue(c.kind, c.text); ok != !c.want.IsNull() || ok && v != c.want {
			t.Errorf("%s %q: %v, %v", c.kind, c.text, v.Any(), ok)
		}
	}
}

// TestFilterSetsHaveOneFingerprint permutes, repeats and splits filters.
func TestFilterSetsHaveOneFingerprint(t *testing.T) {
	set := []Filter{NewFilter("a", In, 1, 2, 3), NewFilter("c", Eq, "x"), NewFilter("a", Lt, 9)}
	want := canonicalFilters(set)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		other := append([]Filter{NewFilter("a", In, 3, 1, 2, 1)}, set[1:]...)
		other = append(other, set[rnd.IntN(3)])
		rnd.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		if canonicalFilters(other) != want {
			t.Fatalf("%v has another fingerprint", other)
		}
	}
	for _, other := range [][]Filter{
		set[:2],
		{NewFilter("a", In, 1, 2), NewFilter("c", Eq, "x"), NewFilter("a", Lt, 9)},
		{NewFilter("a", In, 1, 2, 3), NewFilter("c", Ne, "x"), NewFilter("a", Lt, 9)},
		{NewFilter("a", In, 1, 2, 3), NewFilter("c", Eq, "x"), NewFilter("b", Lt, 9)},
		{NewFilter("a", In, 1, 2, 3), NewFilter("c", Eq, "x"), NewFilter("a", Lt, uint(9))},
	} {
		if canonicalFilters(other) == want {
			t.Errorf("%v has the same fingerprint", other)
		}
	}
	if canonicalFilters([]Filter{NewFilter("a", Eq, "bc")}) == canonicalFilters([]Filter{NewFilter("ab", Eq, "c")}) {
		t.Error("parts run together")
	}
}
