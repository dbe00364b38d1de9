package pagination

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is the kind of a [Value]; the zero Kind is that of NULL.
type Kind uint8

// The kinds. Their numbers are part of the token format.
const (
	KindBool Kind = iota + 1
	KindInt
	KindUint
	KindFloat
	KindString
	KindBytes
	KindTime
	KindUUID
	KindDecimal
)

// String returns the kind's name, such as "time".
func (k Kind) String() string {
	names := [...]string{"null", "bool", "int", "uint", "float", "string", "bytes", "time", "uuid", "decimal"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Decimal is an exact number as text, such as "-12.50": an optional sign, digits,
// and an optional point with digits. It is a kind of its own because neither
// float64 nor the order of text compares such numbers.
type Decimal string

// Value is one key of a row: a kind and a plain union, so that no row is boxed.
// The zero Value is NULL. Values of one kind are equal exactly when == says so.
type Value struct {
	s    string // string, bytes, decimal
	n    uint64 // bool, int, uint, bits of a float, seconds of a time, first half of a UUID
	m    uint64 // nanoseconds of a time, second half of a UUID
	kind Kind
}

// BoolValue holds a bool; false is less than true.
func BoolValue(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.n = 1
	}
	return v
}

// IntValue holds a signed integer.
func IntValue(i int64) Value { return Value{kind: KindInt, n: uint64(i)} }

// UintValue holds an unsigned integer.
func UintValue(u uint64) Value { return Value{kind: KindUint, n: u} }

// FloatValue holds a floating-point number; −0 becomes +0. NaN has no position.
func FloatValue(f float64) Value {
	if f == 0 {
		f = 0 // −0 equals +0, and one position has one token
	}
	return Value{kind: KindFloat, n: math.Float64bits(f)}
}

// StringValue holds text, compared bytewise.
func StringValue(s string) Value { return Value{kind: KindString, s: s} }

// BytesValue holds a copy of b.
func BytesValue(b []byte) Value { return Value{kind: KindBytes, s: string(b)} }

// TimeValue holds an instant with nanoseconds; location and monotonic reading are dropped.
func TimeValue(t time.Time) Value {
	return Value{kind: KindTime, n: uint64(t.Unix()), m: uint64(t.Nanosecond())}
}

// UUIDValue holds sixteen bytes, compared bytewise.
func UUIDValue(u [16]byte) Value {
	return Value{kind: KindUUID, n: binary.BigEndian.Uint64(u[:8]), m: binary.BigEndian.Uint64(u[8:])}
}

// DecimalValue holds an exact number in its canonical text: "+007.50" becomes
// "7.5". Text that is no decimal is kept and has no position.
func DecimalValue(d Decimal) Value {
	s, ok := canonicalDecimal(string(d))
	if !ok {
		s = string(d)
	}
	return Value{kind: KindDecimal, s: s}
}

// Kind returns the value's kind, 0 for NULL.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.kind == 0 }

// Any returns the value as bool, int64, uint64, float64, string, []byte, time.Time
// (in UTC), [16]byte or Decimal; nil for NULL.
func (v Value) Any() any {
	switch v.kind {
	case KindBool:
		return v.n == 1
	case KindInt:
		return int64(v.n)
	case KindUint:
		return v.n
	case KindFloat:
		return math.Float64frombits(v.n)
	case KindString:
		return v.s
	case KindBytes:
		return []byte(v.s)
	case KindTime:
		return v.time()
	case KindUUID:
		return v.uuid()
	case KindDecimal:
		return Decimal(v.s)
	default:
		return nil
	}
}

func (v Value) time() time.Time { return time.Unix(int64(v.n), int64(v.m)).UTC() }

func (v Value) uuid() (u [16]byte) {
	binary.BigEndian.PutUint64(u[:8], v.n)
	binary.BigEndian.PutUint64(u[8:], v.m)
	return u
}

// Compare returns −1, 0 or +1. NULL is below all; values of different kinds are
// ordered by kind, so that Compare is a total order. NaN is below other floats.
func (v Value) Compare(w Value) int {
	if v.kind != w.kind {
		return cmp.Compare(v.kind, w.kind)
	}
	switch v.kind { // the others compare as their halves
	case KindInt:
		return cmp.Compare(int64(v.n), int64(w.n))
	case KindFloat:
		return cmp.Compare(math.Float64frombits(v.n), math.Float64frombits(w.n))
	case KindString, KindBytes:
		return strings.Compare(v.s, w.s)
	case KindDecimal:
		return compareDecimal(v.s, w.s)
	case KindTime:
		if v.n != w.n {
			return cmp.Compare(int64(v.n), int64(w.n))
		}
		return cmp.Compare(v.m, w.m)
	default: // bool, uint, UUID, NULL
		if v.n != w.n {
			return cmp.Compare(v.n, w.n)
		}
		return cmp.Compare(v.m, w.m)
	}
}

// The seconds of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59Z: no engine
// stores years outside, and RFC 3339 cannot write them.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// hasPosition reports whether v, not NULL, can stand in a token and be compared
// by a database: see ErrNullKey.
func (v Value) hasPosition() bool {
	switch v.kind { // all values of the others have one
	case KindFloat:
		return !math.IsNaN(math.Float64frombits(v.n))
	case KindString:
		return utf8.ValidString(v.s) && strings.IndexByte(v.s, 0) < 0
	case KindTime:
		return int64(v.n) >= minSeconds && int64(v.n) <= maxSeconds
	case KindDecimal:
		s, ok := canonicalDecimal(v.s)
		return ok && s == v.s
	default:
		return true
	}
}

// canonicalDecimal drops a plus sign, leading zeros, trailing zeros of the
// fraction, and the sign of zero.
func canonicalDecimal(s string) (string, bool) {
	digits := s
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		digits = s[1:]
	}
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" && fraction == "" || point && fraction == "" && whole == "" {
		return "", false
	}
	for _, part := range [2]string{whole, fraction} {
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return "", false
			}
		}
	}
	whole = strings.TrimLeft(whole, "0")
	fraction = strings.TrimRight(fraction, "0")
	if whole == "" {
		whole = "0"
	}
	if whole == "0" && fraction == "" {
		return "0", true
	}
	out := whole
	if fraction != "" {
		out += "." + fraction
	}
	if negative {
		out = "-" + out
	}
	return out, true
}

// compareDecimal compares canonical decimals as numbers; other text bytewise, after them.
func compareDecimal(a, b string) int {
	_, okA := canonicalDecimal(a)
	_, okB := canonicalDecimal(b)
	if !okA || !okB {
		if okA != okB {
			return cmp.Compare(boolInt(okB), boolInt(okA))
		}
		return bytes.Compare([]byte(a), []byte(b))
	}
	negA, negB := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	if negA != negB {
		return cmp.Compare(boolInt(negB), boolInt(negA))
	}
	if negA {
		a, b = b[1:], a[1:]
	}
	wholeA, fractionA, _ := strings.Cut(a, ".")
	wholeB, fractionB, _ := strings.Cut(b, ".")
	if c := cmp.Compare(len(wholeA), len(wholeB)); c != 0 {
		return c
	}
	if c := strings.Compare(wholeA, wholeB); c != 0 {
		return c
	}
	return strings.Compare(fractionA, fractionB)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
