package uuid

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrSyntax reports text or a database value that is not a UUID, a ULID or a TypeID.
var ErrSyntax = errors.New("uuid: malformed identifier")

// UUID is RFC 9562; it converts freely to [16]byte and to every UUID type built on it. Byte order is the order of
// Compare and, for version 7, of time.
type UUID [16]byte

// NewV4 returns a random UUID, 122 bits of crypto/rand. It cannot fail.
func NewV4() UUID {
	b := takeBlock()
	x, y, z := b.next48(), b.next48(), b.next48()
	b.giveBack()
	var u UUID
	binary.BigEndian.PutUint64(u[:8], x<<16|4<<12|z>>36)
	binary.BigEndian.PutUint64(u[8:], 2<<62|y<<14|z&(1<<14-1))
	return u
}

// Parse reads the 36-character text: hyphens in place and any hex case. There are no braces, no urn: and no bare hex, so
// that each UUID has one text up to case. The error is ErrSyntax.
func Parse(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, fmt.Errorf("%w: %s is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", ErrSyntax, quote(s))
	}
	t, bad, i := hexDigits, byte(0), 0
	for _, at := range [...]uint8{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		hi, lo := t[s[at]], t[s[at+1]]
		bad |= hi | lo // a foreign character has bits above the low four
		u[i] = hi<<4 | lo&15
		i++
	}
	if bad > 15 {
		return UUID{}, fmt.Errorf("%w: %s has a character that is not hexadecimal", ErrSyntax, quote(s))
	}
	return u, nil
}

// quote shows at most 36 bytes of hostile input.
func quote(s string) string {
	if len(s) > 36 {
		return strconv.Quote(s[:36]) + "..."
	}
	return strconv.Quote(s)
}

var hexDigits = digitsOf("0123456789abcdef", 'A'-'a') //nolint:gochecknoglobals // read-only table

// digitsOf inverts an alphabet of small letters; other is the distance to the other case, 0 for none. Foreign bytes
// become 0xff.
func digitsOf(alphabet string, other int) *[256]byte {
	t := new([256]byte)
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		c := alphabet[i]
		t[c] = byte(i)
		if c >= 'a' {
			t[int(c)+other] = byte(i)
		}
	}
	return t
}

// Version returns the four version bits, 0 to 15.
func (u UUID) Version() int { return int(u[6] >> 4) }

// Time returns the millisecond of a version 7 UUID in UTC; ok is false for every other version or variant.
func (u UUID) Time() (t time.Time, ok bool) {
	if u.Version() != 7 || u[8]>>6 != 2 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(u[:8]) >> 16)).UTC(), true
}

// Compare orders by bytes: -1, 0 or +1.
func (u UUID) Compare(v UUID) int { return bytes.Compare(u[:], v[:]) }

// IsZero reports the nil UUID, all bits 0.
func (u UUID) IsZero() bool { return u == UUID{} }

// String returns the 36-character text in small letters.
func (u UUID) String() string {
	var buf [36]byte
	u.put(&buf)
	return string(buf[:])
}

func (u UUID) put(buf *[36]byte) {
	const hex = "0123456789abcdef"
	buf[8], buf[13], buf[18], buf[23] = '-', '-', '-', '-'
	for i, at := range [...]uint8{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		buf[at], buf[at+1] = hex[u[i]>>4], hex[u[i]&15]
	}
}

// AppendText appends the 36-character text; the error is always nil.
func (u UUID) AppendText(dst []byte) ([]byte, error) {
	var buf [36]byte
	u.put(&buf)
	return append(dst, buf[:]...), nil
}

// MarshalText returns the 36-character text; the error is always nil.
func (u UUID) MarshalText() ([]byte, error) { return u.AppendText(nil) }

// UnmarshalText is Parse.
func (u *UUID) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err == nil {
		*u = v
	}
	return err
}

// Value gives the text to a database.
func (u UUID) Value() (driver.Value, error) { return u.String(), nil }

// Scan reads the text, or the 16 bytes of a binary column. NULL is an error: use sql.Null[UUID].
func (u *UUID) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return u.UnmarshalText([]byte(v))
	case []byte:
		if len(v) == 16 {
			copy(u[:], v)
			return nil
		}
		return u.UnmarshalText(v)
	}
	return fmt.Errorf("%w: cannot scan %T", ErrSyntax, src)
}

// Range returns the bounds for a scan of v7 ids and ULIDs by time: those whose millisecond t has from <= t < to are
// exactly those with lo <= id < hi in byte order. Times outside 1970 to 10889 are clamped, and hi is never below lo.
func Range(from, to time.Time) (lo, hi UUID) {
	lo, hi = edge(from), edge(to)
	if hi.Compare(lo) < 0 {
		hi = lo
	}
	return lo, hi
}

// edge returns the least identifier of the first millisecond at or after t.
func edge(t time.Time) UUID {
	const most = 1<<48 - 1
	sec := max(min(t.Unix(), most/1000+1), -1)
	ms := max(0, sec*1000+int64(t.Nanosecond()+999999)/1e6)
	var u UUID
	if ms > most {
		for i := range u {
			u[i] = 0xff
		}
		return u
	}
	binary.BigEndian.PutUint64(u[:8], uint64(ms)<<16)
	return u
}
