package opaque

import (
	"fmt"
	"math/bits"

	"github.com/sysblocks/sysblocks/idgen"
)

const (
	alphabet58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	alphabet32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	alphabet62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	maxWidth   = 26 // 128 bits in Base32
)

var (
	digits58 = digitsOf(alphabet58, "", "")             //nolint:gochecknoglobals // read-only table
	digits32 = digitsOf(alphabet32, "oOiIlL", "001111") //nolint:gochecknoglobals // read-only table
	digits62 = digitsOf(alphabet62, "", "")             //nolint:gochecknoglobals // read-only table
)

// digitsOf inverts an alphabet; foreign bytes become 0xff. Only Crockford's has aliases, and takes both cases.
func digitsOf(alphabet, aliases, meant string) *[256]byte {
	t := new([256]byte)
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		c := alphabet[i]
		t[c] = byte(i)
		if aliases != "" && c >= 'A' {
			t[c+'a'-'A'] = byte(i)
		}
	}
	for i := range len(aliases) {
		t[aliases[i]] = t[meant[i]]
	}
	return t
}

// form is a text of fixed width for values of up to 128 bits. It works in groups of ten digits, which fit 64 bits.
type form struct {
	alphabet string
	digits   *[256]byte
	base     uint64
	ten      uint64 // base^10
	width    int
}

const group = 10

// append writes the digits from the right, ten per division of the 128 bits.
func (f *form) append(dst []byte, hi, lo uint64) []byte {
	var buf [maxWidth]byte
	for at := f.width; at > 0; {
		var low uint64
		high := hi / f.ten
		lo, low = bits.Div64(hi%f.ten, lo, f.ten)
		hi = high
		for range min(group, at) {
			at--
			buf[at] = f.alphabet[low%f.base]
			low /= f.base
		}
	}
	return append(dst, buf[:f.width]...)
}

// parse reads exactly width digits.
func (f *form) parse(s string) (hi, lo uint64, err error) {
	if len(s) != f.width {
		return 0, 0, fmt.Errorf("%w: opaque: %s has %d bytes, want %d", idgen.ErrSyntax, quote(s), len(s), f.width)
	}
	over := uint64(0)
	for at, n := 0, f.width%group; at < f.width; n = group {
		var part uint64
		for range n {
			d := f.digits[s[at]]
			if d == 0xff {
				return 0, 0, fmt.Errorf("%w: opaque: %s has a character outside the alphabet", idgen.ErrSyntax, quote(s))
			}
			part = part*f.base + uint64(d)
			at++
		}
		// (hi, lo) = (hi, lo)*base^10 + part
		h1, l1 := bits.Mul64(lo, f.ten)
		h2, l2 := bits.Mul64(hi, f.ten)
		var carry uint64
		lo, carry = bits.Add64(l1, part, 0)
		hi, carry = bits.Add64(l2, h1, carry)
		over |= h2 | carry
	}
	if over != 0 {
		return 0, 0, fmt.Errorf("%w: opaque: %s is above 128 bits", idgen.ErrRange, quote(s))
	}
	return hi, lo, nil
}
