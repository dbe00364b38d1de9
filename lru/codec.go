package lru

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// A Codec turns values into bytes and back. Append adds the bytes of v to b. Decode gets exactly the bytes that Append
// added, must not keep them, and must return an error for bytes that it did not write, whatever they are.
type Codec[T any] interface {
	Append(b []byte, v T) ([]byte, error)
	Decode(b []byte) (T, error)
}

// Encoding is a pair of codecs. A nil codec is DefaultCodec. Equal keys must have equal bytes.
type Encoding[K comparable, V any] struct {
	Key   Codec[K]
	Value Codec[V]
}

// DefaultCodec returns the codec that stands for nil in an Encoding:
//
//	encoding.BinaryMarshaler and BinaryUnmarshaler   where T, or *T, has both
//	string, []byte and types made from them          as they are
//	integers, floats, bool                           little endian, in their size; int, uint and uintptr in 8 bytes
//	arrays of bytes                                  as they are
//	everything else                                  JSON
func DefaultCodec[T any]() Codec[T] {
	if binaryCodes[T]() {
		return binaryCodec[T]{}
	}
	t := reflect.TypeFor[T]()
	switch kind := t.Kind(); kind { //nolint:exhaustive // all other kinds are JSON
	case reflect.String:
		return stringCodec[T]{}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesCodec[T]{}
		}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return arrayCodec[T]{}
		}
	case reflect.Bool, reflect.Int8, reflect.Uint8, reflect.Int16, reflect.Uint16, reflect.Int32, reflect.Uint32,
		reflect.Int64, reflect.Uint64, reflect.Float32, reflect.Float64, reflect.Int, reflect.Uint, reflect.Uintptr:
		return numberCodec[T]{kind}
	}
	return jsonCodec[T]{}
}

// resolve puts the default where a codec is nil.
func (e Encoding[K, V]) resolve() Encoding[K, V] {
	if e.Key == nil {
		e.Key = DefaultCodec[K]()
	}
	if e.Value == nil {
		e.Value = DefaultCodec[V]()
	}
	return e
}

// id names the encoding, so that bytes of another one are recognised.
func (e Encoding[K, V]) id() string {
	return fmt.Sprintf("%v %v; %T %T", reflect.TypeFor[K](), reflect.TypeFor[V](), e.Key, e.Value)
}

func badLength[T any](b []byte, want int) error {
	return fmt.Errorf("%w: %d bytes for a %v, want %d", ErrCorrupt, len(b), reflect.TypeFor[T](), want)
}

// The codecs of one kind hold the fact that T has this kind, on which their conversions stand.
type (
	stringCodec[T any] struct{}
	bytesCodec[T any]  struct{}
	arrayCodec[T any]  struct{}
	numberCodec[T any] struct{ kind reflect.Kind }
	binaryCodec[T any] struct{}
	jsonCodec[T any]   struct{}
)

func (stringCodec[T]) Append(b []byte, v T) ([]byte, error) {
	return append(b, *(*string)(unsafe.Pointer(&v))...), nil
}

func (stringCodec[T]) Decode(b []byte) (v T, err error) {
	*(*string)(unsafe.Pointer(&v)) = string(b)
	return v, nil
}

func (bytesCodec[T]) Append(b []byte, v T) ([]byte, error) {
	return append(b, *(*[]byte)(unsafe.Pointer(&v))...), nil
}

func (bytesCodec[T]) Decode(b []byte) (v T, err error) {
	*(*[]byte)(unsafe.Pointer(&v)) = append([]byte{}, b...)
	return v, nil
}

func (arrayCodec[T]) Append(b []byte, v T) ([]byte, error) {
	return append(b, unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...), nil
}

func (arrayCodec[T]) Decode(b []byte) (v T, err error) {
	if len(b) != int(unsafe.Sizeof(v)) {
		return v, badLength[T](b, int(unsafe.Sizeof(v)))
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v)), b)
	return v, nil
}

// width is the number of bytes of an encoded number.
func (c numberCodec[T]) width() int {
	switch c.kind { //nolint:exhaustive // numbers only
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		return 8
	}
	return int(unsafe.Sizeof(*new(T)))
}

func (c numberCodec[T]) Append(b []byte, v T) ([]byte, error) {
	p := unsafe.Pointer(&v)
	switch c.kind { //nolint:exhaustive // the others by their width
	case reflect.Int:
		return binary.LittleEndian.AppendUint64(b, uint64(*(*int)(p))), nil
	case reflect.Uint, reflect.Uintptr:
		return binary.LittleEndian.AppendUint64(b, uint64(*(*uint)(p))), nil
	}
	switch c.width() {
	case 1:
		return append(b, *(*uint8)(p)), nil
	case 2:
		return binary.LittleEndian.AppendUint16(b, *(*uint16)(p)), nil
	case 4:
		return binary.LittleEndian.AppendUint32(b, *(*uint32)(p)), nil
	default:
		return binary.LittleEndian.AppendUint64(b, *(*uint64)(p)), nil
	}
}

func (c numberCodec[T]) Decode(b []byte) (v T, err error) {
	if len(b) != c.width() {
		return v, badLength[T](b, c.width())
	}
	p := unsafe.Pointer(&v)
	switch {
	case c.kind == reflect.Bool && b[0] > 1:
		return v, fmt.Errorf("%w: %d for a bool", ErrCorrupt, b[0])
	case c.kind == reflect.Int:
		n := int64(binary.LittleEndian.Uint64(b))
		if n < math.MinInt || n > math.MaxInt { // of 32 bits
			return v, fmt.Errorf("%w: %d for an int of this machine", ErrCorrupt, n)
		}
		*(*int)(p) = int(n)
		return v, nil
	case c.kind == reflect.Uint || c.kind == reflect.Uintptr:
		n := binary.LittleEndian.Uint64(b)
		if n > math.MaxUint {
			return v, fmt.Errorf("%w: %d for a uint of this machine", ErrCorrupt, n)
		}
		*(*uint)(p) = uint(n)
		return v, nil
	}
	switch len(b) {
	case 1:
		*(*uint8)(p) = b[0]
	case 2:
		*(*uint16)(p) = binary.LittleEndian.Uint16(b)
	case 4:
		*(*uint32)(p) = binary.LittleEndian.Uint32(b)
	default:
		*(*uint64)(p) = binary.LittleEndian.Uint64(b)
	}
	return v, nil
}

// binaryCodes reports whether T or *T marshals itself and *T takes it back.
func binaryCodes[T any]() bool {
	_, to := any(new(T)).(encoding.BinaryMarshaler) // the methods of *T include those of T
	_, from := any(new(T)).(encoding.BinaryUnmarshaler)
	return to && from
}

func (binaryCodec[T]) Append(b []byte, v T) ([]byte, error) {
	if a, ok := any(&v).(encoding.BinaryAppender); ok {
		return a.AppendBinary(b)
	}
	data, err := any(&v).(encoding.BinaryMarshaler).MarshalBinary() //nolint:forcetypeassert // see binaryCodes
	return append(b, data...), err
}

func (binaryCodec[T]) Decode(b []byte) (v T, err error) {
	err = any(&v).(encoding.BinaryUnmarshaler).UnmarshalBinary(b) //nolint:forcetypeassert // see binaryCodes
	return v, err
}

func (jsonCodec[T]) Append(b []byte, v T) ([]byte, error) {
	data, err := json.Marshal(v)
	return append(b, data...), err
}

func (jsonCodec[T]) Decode(b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}
