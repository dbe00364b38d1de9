package idgen

import (
	"database/sql/driver"
	"fmt"
	"math/bits"
	"strconv"
)

// ID is a non-negative 63-bit identifier. Text and JSON are a decimal string (exact in JavaScript), SQL is a BIGINT.
// No generator ever returns 0. A negative value exists only by conversion from int64: it prints with its sign, but
// cannot be marshalled.
type ID int64

const maxID = 1<<63 - 1

// ParseID reads a decimal number: no sign, space, leading zero or overflow, so that each ID has one text. "0" is 0.
// Malformed text, and more than 19 digits, is ErrSyntax; a number of 2^63 and above is ErrRange.
func ParseID(s string) (ID, error) {
	v, ok := parseDecimal(s)
	if !ok {
		return 0, fmt.Errorf("%w: %s is not a decimal number of 1 to 19 digits", ErrSyntax, quote(s))
	}
	if v > maxID {
		return 0, fmt.Errorf("%w: %s is above %d", ErrRange, quote(s), int64(maxID))
	}
	return ID(v), nil
}

// parseDecimal reads up to 19 digits, which always fit in 64 bits. Eight digits at a time are checked and added up
// inside one register: pairs, then fours, then the eight.
func parseDecimal(s string) (v uint64, ok bool) {
	if s == "" || len(s) > 19 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	for len(s) >= 8 {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		w -= 0x3030303030303030 // a byte below '0' borrows and becomes 0x80 or more, or its neighbour does
		if (w|(w+0x7676767676767676))&0x8080808080808080 != 0 {
			return 0, false
		}
		w = w*10 + w>>8
		w = (w&0x000000ff000000ff*(100+1000000<<32) + w>>16&0x000000ff000000ff*(1+10000<<32)) >> 32
		v, s = v*100000000+w, s[8:]
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + uint64(d)
	}
	return v, true
}

// quote shows at most 32 bytes of hostile input.
func quote(s string) string {
	if len(s) > 32 {
		return strconv.Quote(s[:32]) + "..."
	}
	return strconv.Quote(s)
}

// String returns the decimal text; a negative ID prints with its sign.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// ReverseBits mirrors the 63 bits: the low bits, which change fastest, become the high ones. Consecutive IDs then
// fall into different ranges of a range-sharded store. It is its own inverse and keeps the sign.
func (id ID) ReverseBits() ID {
	return ID(bits.Reverse64(uint64(id)<<1))&maxID | id&^maxID
}

// AppendText appends the decimal text. It returns ErrRange for a negative ID.
func (id ID) AppendText(dst []byte) ([]byte, error) {
	if id < 0 {
		return dst, fmt.Errorf("%w: negative ID %d", ErrRange, int64(id))
	}
	return strconv.AppendInt(dst, int64(id), 10), nil
}

// MarshalText returns the decimal text. It returns ErrRange for a negative ID.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads what MarshalText writes, as strictly as ParseID.
func (id *ID) UnmarshalText(text []byte) error {
	v, err := ParseID(string(text))
	if err == nil {
		*id = v
	}
	return err
}

// MarshalJSON returns a JSON string such as "123": a JSON number above 2^53 would lose digits in JavaScript.
func (id ID) MarshalJSON() ([]byte, error) {
	dst, err := id.AppendText(append(make([]byte, 0, 21), '"'))
	if err != nil {
		return nil, err
	}
	return append(dst, '"'), nil
}

// UnmarshalJSON reads "123" or 123; null leaves the value alone. Fractions, exponents and signs are errors.
func (id *ID) UnmarshalJSON(data []byte) error {
	s := string(data)
	if s == "null" {
		return nil
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := ParseID(s)
	if err == nil {
		*id = v
	}
	return err
}

// Value gives the ID to a database as an int64. It returns ErrRange for a negative ID.
func (id ID) Value() (driver.Value, error) {
	if id < 0 {
		return nil, fmt.Errorf("%w: negative ID %d", ErrRange, int64(id))
	}
	return int64(id), nil
}

// Scan reads an int64, or a decimal string or []byte. NULL is an error: use sql.Null[ID] for a column that has it.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case int64:
		if v < 0 {
			return fmt.Errorf("%w: negative ID %d", ErrRange, v)
		}
		*id = ID(v)
		return nil
	case string:
		return id.UnmarshalText([]byte(v))
	case []byte:
		return id.UnmarshalText(v)
	case nil:
		return fmt.Errorf("%w: cannot scan NULL into an ID", ErrRange)
	}
	return fmt.Errorf("%w: cannot scan %T into an ID", ErrRange, src)
}
