package uuid

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"time"
)

// ULID is a UUID whose text is 26 Crockford characters. ULID(u) and UUID(l) convert; NewULID makes a valid version 7 UUID.
type ULID UUID

// NewULID returns a ULID of the same order as NewV7. It cannot fail.
func NewULID() ULID { return ULID(NewV7()) }

// ParseULID reads 26 characters in any case: no aliases (I, L, O, U), no overflow above 7ZZZZZZZZZZZZZZZZZZZZZZZZZ. The
// error is ErrSyntax.
func ParseULID(s string) (ULID, error) {
	var l ULID
	if !decode32((*[16]byte)(&l), s, anyCase) {
		return ULID{}, fmt.Errorf("%w: %s is not a ULID of 26 characters up to 7ZZZ", ErrSyntax, quote(s))
	}
	return l, nil
}

// String returns the 26 characters in capital letters; their order is the order of Compare.
func (l ULID) String() string {
	var buf [26]byte
	encode32(&buf, (*[16]byte)(&l), crockfordUpper)
	return string(buf[:])
}

// Time returns the millisecond, of any ULID, in UTC.
func (l ULID) Time() time.Time { return time.UnixMilli(int64(word(l[:8]) >> 16)).UTC() }

// Compare orders by bytes: -1, 0 or +1.
func (l ULID) Compare(m ULID) int { return bytes.Compare(l[:], m[:]) }

// IsZero reports that all bits are 0.
func (l ULID) IsZero() bool { return l == ULID{} }

// AppendText appends the 26 characters; the error is always nil.
func (l ULID) AppendText(dst []byte) ([]byte, error) {
	var buf [26]byte
	encode32(&buf, (*[16]byte)(&l), crockfordUpper)
	return append(dst, buf[:]...), nil
}

// MarshalText returns the 26 characters; the error is always nil.
func (l ULID) MarshalText() ([]byte, error) { return l.AppendText(nil) }

// UnmarshalText is ParseULID.
func (l *ULID) UnmarshalText(text []byte) error {
	v, err := ParseULID(string(text))
	if err == nil {
		*l = v
	}
	return err
}

// Value gives the text to a database.
func (l ULID) Value() (driver.Value, error) { return l.String(), nil }

// Scan reads the text, or the 16 bytes of a binary column. NULL is an error: use sql.Null[ULID].
func (l *ULID) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return l.UnmarshalText([]byte(v))
	case []byte:
		if len(v) == 16 {
			copy(l[:], v)
			return nil
		}
		return l.UnmarshalText(v)
	}
	return fmt.Errorf("%w: cannot scan %T", ErrSyntax, src)
}
