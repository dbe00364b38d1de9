package pagination

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxFilters = 32  // per request
	maxIn      = 100 // values of one In
)

// Op is a filter operator, or a mask of several.
type Op uint16

// The operators. NULL satisfies none of the comparisons, Ne included.
const (
	Eq Op = 1 << iota
	Ne
	Lt
	Le
	Gt
	Ge
	In
	IsNull // one bool: true asks for NULL, false for anything else
)

const comparisons = Eq | Ne | Lt | Le | Gt | Ge | In

// Filter is a condition on one key: the key's name, one operator, and one value,
// or several for In. Filters that a request names are made by [Pager.Filter],
// those of the program by [NewFilter].
type Filter struct {
	Name   string
	Op     Op
	Values []Value
}

// NewFilter returns a filter made by the program, not by a request.
func NewFilter[V Scalar](name string, op Op, values ...V) Filter {
	_, value := converter[V]()
	f := Filter{Name: name, Op: op, Values: make([]Value, len(values))}
	for i, v := range values {
		f.Values[i] = value(v)
	}
	return f
}

// opsOf returns the operators that suit a key.
func opsOf[T any](k *Key[T]) Op {
	if k.Ops != 0 {
		return k.Ops
	}
	ops := comparisons
	if k.Kind == KindBool {
		ops = Eq | Ne | In
	}
	if k.Nulls != NotNull {
		ops |= IsNull
	}
	return ops
}

// checkFilter reports what is wrong with a filter for the keys of the order.
func (o *Order[T]) checkFilter(f *Filter) error {
	k, ok := o.Key(f.Name)
	if !ok {
		return &ParamError{f.Name, fmt.Errorf("%w: unknown key %s", ErrFilter, quote(f.Name))}
	}
	kind := k.Kind
	if f.Op == IsNull {
		kind = KindBool
	}
	switch {
	case bits.OnesCount16(uint16(f.Op)) != 1 || f.Op > IsNull:
		return &ParamError{f.Name, fmt.Errorf("%w: not exactly one operator", ErrFilter)}
	case f.Op != In && len(f.Values) != 1:
		return &ParamError{f.Name, fmt.Errorf("%w: %d values, want one", ErrFilter, len(f.Values))}
	case len(f.Values) > maxIn:
		return &ParamError{f.Name, fmt.Errorf("%w: %d values, at most %d", ErrFilter, len(f.Values), maxIn)}
	}
	for _, v := range f.Values {
		if !v.IsNull() && (v.kind != kind || !v.hasPosition()) || v.IsNull() && f.Op == IsNull {
			return &ParamError{f.Name, fmt.Errorf("%w: a value is not a %s", ErrFilter, kind)}
		}
	}
	return nil
}

// parseFilter makes a filter of untrusted text.
func parseFilter[T any](k *Key[T], op Op, texts []string) (Filter, error) {
	bad := func(format string, args ...any) (Filter, error) {
		return Filter{}, &ParamError{k.Name, fmt.Errorf("%w: "+format, append([]any{ErrFilter}, args...)...)}
	}
	switch {
	case bits.OnesCount16(uint16(op)) != 1 || opsOf(k)&op == 0:
		return bad("this operator is not allowed")
	case op != In && len(texts) != 1:
		return bad("%d values, want one", len(texts))
	case len(texts) == 0 || len(texts) > maxIn:
		return bad("%d values, want 1 to %d", len(texts), maxIn)
	}
	kind := k.Kind
	if op == IsNull {
		kind = KindBool
	}
	f := Filter{Name: k.Name, Op: op, Values: make([]Value, len(texts))}
	for i, text := range texts {
		v, ok := parseValue(kind, text)
		if !ok {
			return bad("the value is not a %s", kind)
		}
		f.Values[i] = v
	}
	return f, nil
}

// parseValue reads the text of a value: RFC 3339 or a date for times, hexadecimal
// with or without dashes for UUIDs, unpadded base64url for bytes.
func parseValue(kind Kind, text string) (v Value, ok bool) {
	var err error
	switch kind {
	case KindBool:
		switch text {
		case "true", "1":
			return BoolValue(true), true
		case "false", "0":
			return BoolValue(false), true
		}
		return Value{}, false
	case KindInt:
		var i int64
		i, err = strconv.ParseInt(text, 10, 64)
		v = IntValue(i)
	case KindUint:
		var u uint64
		u, err = strconv.ParseUint(text, 10, 64)
		v = UintValue(u)
	case KindFloat:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v = FloatValue(f)
	case KindString:
		v = StringValue(text)
	case KindBytes:
		var b []byte
		b, err = base64.RawURLEncoding.DecodeString(text)
		v = BytesValue(b)
	case KindTime:
		var t time.Time
		if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
			t, err = time.Parse(time.DateOnly, text)
		}
		v = TimeValue(t)
	case KindUUID:
		return parseUUID(text)
	case KindDecimal:
		v = DecimalValue(Decimal(text))
	}
	return v, err == nil && !v.IsNull() && v.hasPosition()
}

// parseUUID reads 32 hexadecimal digits, or 36 characters with dashes.
func parseUUID(text string) (Value, bool) {
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		text = text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	}
	var u [16]byte
	if len(text) != 32 {
		return Value{}, false
	}
	if _, err := hex.Decode(u[:], []byte(text)); err != nil {
		return Value{}, false
	}
	return UUIDValue(u), true
}

// canonicalFilters is the fingerprint's text of a set of filters: sorted and
// length-prefixed, so that neither order nor concatenation makes two sets equal
// or one set two. The values of an In are a set as well.
func canonicalFilters(filters []Filter) string {
	if len(filters) == 0 {
		return ""
	}
	items := make([][]byte, len(filters))
	for i, f := range filters {
		b := appendText(nil, f.Name)
		b = append(b, byte(f.Op>>8), byte(f.Op))
		values := make([][]byte, len(f.Values))
		for j, v := range f.Values {
			values[j] = appendValue(nil, v)
		}
		slices.SortFunc(values, bytes.Compare)
		values = slices.CompactFunc(values, bytes.Equal)
		for _, v := range values {
			b = append(b, v...)
		}
		items[i] = b
	}
	slices.SortFunc(items, bytes.Compare)
	items = slices.CompactFunc(items, bytes.Equal)
	var out strings.Builder
	for _, b := range items {
		out.Write(appendText(nil, string(b)))
	}
	return out.String()
}

// matcher is a filter with its key, for sources that compare in memory.
type matcher[T any] struct {
	key    Key[T]
	filter Filter
}

// matchers resolves the filters of a range.
func (o *Order[T]) matchers(filters []Filter) ([]matcher[T], error) {
	ms := make([]matcher[T], len(filters))
	for i := range filters {
		if err := o.checkFilter(&filters[i]); err != nil {
			return nil, err
		}
		k, _ := o.Key(filters[i].Name)
		ms[i] = matcher[T]{k, filters[i]}
	}
	return ms, nil
}

// match reports whether a row satisfies the filter.
func (m *matcher[T]) match(row *T) bool {
	v := m.key.Of(row)
	if m.filter.Op == IsNull {
		return v.IsNull() == (m.filter.Values[0].n == 1)
	}
	if v.IsNull() {
		return false
	}
	for _, w := range m.filter.Values {
		if !w.IsNull() && satisfies(m.compare(v, w), m.filter.Op) {
			return true
		}
	}
	return false
}

func (m *matcher[T]) compare(v, w Value) int {
	if m.key.Compare != nil {
		return m.key.Compare(v, w)
	}
	return v.Compare(w)
}

func satisfies(c int, op Op) bool {
	switch op { // IsNull was answered before
	case Eq, In:
		return c == 0
	case Ne:
		return c != 0
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	case Gt:
		return c > 0
	default:
		return c >= 0
	}
}
