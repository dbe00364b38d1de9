package pagination

import (
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// Key describes one column: how it is named, found in a row, and compared. Make
// keys with [ID], [By] and [ByNull], and set the other fields where needed.
type Key[T any] struct {
	// Name is what requests call the key. Default: the last part of Column,
	// "manufacturer" for "m.manufacturer", without quotes.
	Name string
	// Column is SQL. It is trusted: it never comes from a request.
	Column string
	// Kind is the kind of the values; Of returns it or NULL.
	Kind Kind
	// Nulls says whether the key may be NULL, and where NULL then stands.
	Nulls Nulls
	// ID marks a key that is part of what identifies a row. It must be NotNull.
	ID bool
	// Of returns the key of a row.
	Of func(*T) Value
	// Compare replaces the bytewise comparison of text, where memory and merge
	// must follow another collation. Neither argument is NULL.
	Compare func(a, b Value) int
	// Cast is the SQL type to which the parameter is cast, such as "DECIMAL(38,10)".
	Cast string
	// Ops are the filter operators allowed; 0 allows all that suit the kind.
	Ops Op
}

// Nulls says where NULL stands.
type Nulls uint8

// The places of NULL. NullsLow and NullsHigh turn with the direction, as the
// engines do by themselves (PostgreSQL: high; MySQL, MariaDB and SQLite: low),
// and are served by an ordinary index. NullsFirst and NullsLast stay.
const (
	NotNull Nulls = iota // a NULL is ErrNullKey
	NullsLow
	NullsHigh
	NullsFirst
	NullsLast
)

// Scalar are the types of keys. A [Decimal] is a decimal; every other string type is text.
type Scalar interface {
	~bool | ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64 | ~string | ~[]byte | ~[16]byte | time.Time
}

// ID is a key that identifies a row; several identify it together.
func ID[T any, V Scalar](column string, of func(*T) V) Key[T] {
	k := By(column, of)
	k.ID = true
	return k
}

// By is a key that is never NULL.
func By[T any, V Scalar](column string, of func(*T) V) Key[T] {
	kind, value := converter[V]()
	return Key[T]{Name: lastPart(column), Column: column, Kind: kind, Of: func(row *T) Value { return value(of(row)) }}
}

// ByNull is a key that may be NULL: of returns nil then.
func ByNull[T any, V Scalar](column string, nulls Nulls, of func(*T) *V) Key[T] {
	kind, value := converter[V]()
	return Key[T]{Name: lastPart(column), Column: column, Kind: kind, Nulls: nulls, Of: func(row *T) Value {
		if v := of(row); v != nil {
			return value(*v)
		}
		return Value{}
	}}
}

// lastPart is the column's own name: "x" for `a."x"`.
func lastPart(column string) string {
	return strings.Trim(column[strings.LastIndexByte(column, '.')+1:], "`\"[]")
}

// converter chooses the conversion of V once, so that rows are not boxed. The
// pointer conversions are those between types with one underlying type, which
// the reflected kind has established; no generic expression can say so.
func converter[V Scalar]() (Kind, func(V) Value) {
	t := reflect.TypeFor[V]()
	switch {
	case t == reflect.TypeFor[time.Time]():
		return KindTime, func(v V) Value { return TimeValue(*(*time.Time)(unsafe.Pointer(&v))) }
	case t == reflect.TypeFor[Decimal]():
		return KindDecimal, func(v V) Value { return DecimalValue(*(*Decimal)(unsafe.Pointer(&v))) }
	}
	switch t.Kind() { // the constraint admits no other kind
	case reflect.Bool:
		return KindBool, func(v V) Value { return BoolValue(*(*bool)(unsafe.Pointer(&v))) }
	case reflect.Int:
		return KindInt, func(v V) Value { return IntValue(int64(*(*int)(unsafe.Pointer(&v)))) }
	case reflect.Int8:
		return KindInt, func(v V) Value { return IntValue(int64(*(*int8)(unsafe.Pointer(&v)))) }
	case reflect.Int16:
		return KindInt, func(v V) Value { return IntValue(int64(*(*int16)(unsafe.Pointer(&v)))) }
	case reflect.Int32:
		return KindInt, func(v V) Value { return IntValue(int64(*(*int32)(unsafe.Pointer(&v)))) }
	case reflect.Int64:
		return KindInt, func(v V) Value { return IntValue(*(*int64)(unsafe.Pointer(&v))) }
	case reflect.Uint:
		return KindUint, func(v V) Value { return UintValue(uint64(*(*uint)(unsafe.Pointer(&v)))) }
	case reflect.Uint8:
		return KindUint, func(v V) Value { return UintValue(uint64(*(*uint8)(unsafe.Pointer(&v)))) }
	case reflect.Uint16:
		return KindUint, func(v V) Value { return UintValue(uint64(*(*uint16)(unsafe.Pointer(&v)))) }
	case reflect.Uint32:
		return KindUint, func(v V) Value { return UintValue(uint64(*(*uint32)(unsafe.Pointer(&v)))) }
	case reflect.Uint64:
		return KindUint, func(v V) Value { return UintValue(*(*uint64)(unsafe.Pointer(&v))) }
	case reflect.Float32:
		return KindFloat, func(v V) Value { return FloatValue(float64(*(*float32)(unsafe.Pointer(&v)))) }
	case reflect.Float64:
		return KindFloat, func(v V) Value { return FloatValue(*(*float64)(unsafe.Pointer(&v))) }
	case reflect.String:
		return KindString, func(v V) Value { return StringValue(*(*string)(unsafe.Pointer(&v))) }
	case reflect.Slice:
		return KindBytes, func(v V) Value {
			if b := *(*[]byte)(unsafe.Pointer(&v)); b != nil {
				return BytesValue(b)
			}
			return Value{} // nil is how drivers scan NULL into bytes
		}
	default: // reflect.Array
		return KindUUID, func(v V) Value { return UUIDValue(*(*[16]byte)(unsafe.Pointer(&v))) }
	}
}
