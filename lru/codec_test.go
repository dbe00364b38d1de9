package lru

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

type (
	namedString string
	namedBytes  []byte
	namedInt    int16
	point       struct{ X, Y int }
)

// roundTrip wants v back from its bytes, the codec to be of a kind, and the bytes to have a length (-1: any).
func roundTrip[T any](t *testing.T, v T, kind Codec[T], length int) {
	t.Helper()
	c := DefaultCodec[T]()
	if got, want := reflect.TypeOf(c), reflect.TypeOf(kind); got != want {
		t.Errorf("%T: codec %v, want %v", v, got, want)
	}
	prefix := []byte("prefix")
	b, err := c.Append(prefix, v)
	if err != nil || !bytes.HasPrefix(b, prefix) {
		t.Fatalf("Append(%v) = %q, %v", v, b, err)
	}
	b = b[len(prefix):]
	if length >= 0 && len(b) != length {
		t.Errorf("%T takes %d bytes, want %d", v, len(b), length)
	}
	got, err := c.Decode(b)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("Decode(%q) = %v, %v; want %v", b, got, err, v)
	}
	for i := range b { // Decode must have kept nothing of b
		b[i]++
	}
	if !reflect.DeepEqual(got, v) {
		t.Fatalf("%T keeps the bytes it was decoded from", v)
	}
}

func TestDefaultCodecBringsValuesBack(t *testing.T) {
	roundTrip(t, "", stringCodec[string]{}, 0)
	roundTrip(t, "a\x00ä", stringCodec[string]{}, 4)
	roundTrip(t, namedString("a"), stringCodec[namedString]{}, 1)
	roundTrip(t, []byte{0, 255}, bytesCodec[[]byte]{}, 2)
	roundTrip(t, namedBytes{}, bytesCodec[namedBytes]{}, 0)
	roundTrip(t, [3]byte{1, 2, 3}, arrayCodec[[3]byte]{}, 3)
	roundTrip(t, true, numberCodec[bool]{}, 1)
	roundTrip(t, int8(-1), numberCodec[int8]{}, 1)
	roundTrip(t, namedInt(math.MinInt16), numberCodec[namedInt]{}, 2)
	roundTrip(t, uint32(math.MaxUint32), numberCodec[uint32]{}, 4)
	roundTrip(t, int64(math.MinInt64), numberCodec[int64]{}, 8)
	roundTrip(t, -5, numberCodec[int]{}, 8)
	roundTrip(t, uint(7), numberCodec[uint]{}, 8)
	roundTrip(t, float32(math.Pi), numberCodec[float32]{}, 4)
	roundTrip(t, math.Inf(-1), numberCodec[float64]{}, 8)
	roundTrip(t, time.Unix(1, 2).UTC(), binaryCodec[time.Time]{}, -1)
	roundTrip(t, netip.MustParseAddr("::1"), binaryCodec[netip.Addr]{}, 16)
	roundTrip(t, point{1, -2}, jsonCodec[point]{}, -1)
	roundTrip(t, map[string]int{"a": 1}, jsonCodec[map[string]int]{}, -1)
	roundTrip(t, &point{3, 4}, jsonCodec[*point]{}, -1)
}

func TestNumbersOfTheWrongLengthAreCorrupt(t *testing.T) {
	for n := range 17 {
		b := make([]byte, n)
		if _, err := DefaultCodec[int]().Decode(b); (err == nil) != (n == 8) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("int from %d bytes: %v", n, err)
		}
		if _, err := DefaultCodec[[5]byte]().Decode(b); (err == nil) != (n == 5) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("[5]byte from %d bytes: %v", n, err)
		}
	}
	if _, err := DefaultCodec[bool]().Decode([]byte{2}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("bool from 2: %v", err)
	}
}
