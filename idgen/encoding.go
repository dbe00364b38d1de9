package idgen

import "fmt"

// Encoding is a short text form of fixed width whose byte order is the numeric order.
type Encoding uint8

// The encodings. All three alphabets ascend in ASCII, so that sorted text is sorted by number.
const (
	Base58 Encoding = iota // 11 characters, no 0 O I l
	Base32                 // 13 characters, Crockford: decoding takes any case, and o, i, l for 0, 1, 1
	Base62                 // 11 characters, 0-9 A-Z a-z
)

const (
	alphabet58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	alphabet32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	alphabet62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// foreign marks the bytes outside an alphabet. It has the top bit, which no digit has: a decoder collects all digits
// with OR and looks once.
const foreign = 0xff

var (
	digits58 = digitsOf(alphabet58, "", "")             //nolint:gochecknoglobals // read-only table
	digits32 = digitsOf(alphabet32, "oOiIlL", "001111") //nolint:gochecknoglobals // read-only table
	digits62 = digitsOf(alphabet62, "", "")             //nolint:gochecknoglobals // read-only table
)

// digitsOf inverts an alphabet. Aliases exist for Crockford only, which also takes both cases.
func digitsOf(alphabet, aliases, meant string) *[256]byte {
	var t [256]byte
	for i := range t {
		t[i] = foreign
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
	return &t
}

// Encode returns the text of id; it is empty for a negative ID and for an Encoding that is none of the three.
func (e Encoding) Encode(id ID) string {
	var buf [13]byte
	return string(e.AppendEncode(buf[:0], id))
}

// AppendEncode appends the text of id; it appends nothing for a negative ID or an unknown Encoding.
func (e Encoding) AppendEncode(dst []byte, id ID) []byte {
	if id < 0 {
		return dst
	}
	v := uint64(id)
	switch e {
	case Base58:
		return append58(dst, v)
	case Base32:
		const a = alphabet32
		return append(dst, a[v>>60&31], a[v>>55&31], a[v>>50&31], a[v>>45&31], a[v>>40&31], a[v>>35&31],
			a[v>>30&31], a[v>>25&31], a[v>>20&31], a[v>>15&31], a[v>>10&31], a[v>>5&31], a[v&31])
	case Base62:
		return append62(dst, v)
	}
	return dst
}

// append58 cuts the number in two, so that the processor works on both chains of divisions at once.
func append58(dst []byte, v uint64) []byte {
	const half = 58 * 58 * 58 * 58 * 58
	const a = alphabet58
	hi, lo := v/half, uint32(v%half)
	top, mid := hi/half, uint32(hi%half) // 1, 5 and 5 digits
	return append(dst, a[top],
		a[mid/(58*58*58*58)], a[mid/(58*58*58)%58], a[mid/(58*58)%58], a[mid/58%58], a[mid%58],
		a[lo/(58*58*58*58)], a[lo/(58*58*58)%58], a[lo/(58*58)%58], a[lo/58%58], a[lo%58])
}

func append62(dst []byte, v uint64) []byte {
	const half = 62 * 62 * 62 * 62 * 62
	const a = alphabet62
	hi, lo := v/half, uint32(v%half)
	top, mid := hi/half, uint32(hi%half)
	return append(dst, a[top],
		a[mid/(62*62*62*62)], a[mid/(62*62*62)%62], a[mid/(62*62)%62], a[mid/62%62], a[mid%62],
		a[lo/(62*62*62*62)], a[lo/(62*62*62)%62], a[lo/(62*62)%62], a[lo/62%62], a[lo%62])
}

// Decode reads what Encode writes. In Base58 and Base62 exactly one text is accepted per ID; Base32 also takes lower
// case and Crockford's aliases. A wrong width or a foreign character is ErrSyntax, a number above 63 bits ErrRange.
func (e Encoding) Decode(s string) (ID, error) {
	switch e {
	case Base58:
		return decode11(s, digits58, 58)
	case Base32:
		return decode32(s)
	case Base62:
		return decode11(s, digits62, 62)
	}
	return 0, fmt.Errorf("%w: Encoding %d is none of Base58, Base32, Base62", ErrInvalid, uint8(e))
}

// decode11 adds up three independent groups of digits. Only the last addition can pass 63 bits: the first ten digits
// stay below 62^10 < 2^60.
func decode11(s string, t *[256]byte, base uint64) (ID, error) {
	if len(s) != 11 {
		return 0, fmt.Errorf("%w: %s has %d bytes, want 11", ErrSyntax, quote(s), len(s))
	}
	d0, d1, d2, d3, d4, d5 := t[s[0]], t[s[1]], t[s[2]], t[s[3]], t[s[4]], t[s[5]]
	d6, d7, d8, d9, d10 := t[s[6]], t[s[7]], t[s[8]], t[s[9]], t[s[10]]
	if (d0|d1|d2|d3|d4|d5|d6|d7|d8|d9|d10)&0x80 != 0 {
		return 0, fmt.Errorf("%w: %s has a character outside the alphabet", ErrSyntax, quote(s))
	}
	hi := (((uint64(d0)*base+uint64(d1))*base+uint64(d2))*base+uint64(d3))*base + uint64(d4)
	lo := (((uint64(d5)*base+uint64(d6))*base+uint64(d7))*base+uint64(d8))*base + uint64(d9)
	ten := hi*(base*base*base*base*base) + lo
	if ten > maxID/base || ten*base+uint64(d10) > maxID {
		return 0, fmt.Errorf("%w: %s is above 63 bits", ErrRange, quote(s))
	}
	return ID(ten*base + uint64(d10)), nil
}

// decode32 shifts 13 digits of 5 bits together; the first may hold 3 bits only.
func decode32(s string) (ID, error) {
	if len(s) != 13 {
		return 0, fmt.Errorf("%w: %s has %d bytes, want 13", ErrSyntax, quote(s), len(s))
	}
	t := digits32
	d0, d1, d2, d3, d4, d5, d6 := t[s[0]], t[s[1]], t[s[2]], t[s[3]], t[s[4]], t[s[5]], t[s[6]]
	d7, d8, d9, d10, d11, d12 := t[s[7]], t[s[8]], t[s[9]], t[s[10]], t[s[11]], t[s[12]]
	if (d0|d1|d2|d3|d4|d5|d6|d7|d8|d9|d10|d11|d12)&0x80 != 0 {
		return 0, fmt.Errorf("%w: %s has a character outside the alphabet", ErrSyntax, quote(s))
	}
	if d0 > 7 {
		return 0, fmt.Errorf("%w: %s is above 63 bits", ErrRange, quote(s))
	}
	return ID(uint64(d0)<<60 | uint64(d1)<<55 | uint64(d2)<<50 | uint64(d3)<<45 | uint64(d4)<<40 |
		uint64(d5)<<35 | uint64(d6)<<30 | uint64(d7)<<25 | uint64(d8)<<20 | uint64(d9)<<15 |
		uint64(d10)<<10 | uint64(d11)<<5 | uint64(d12)), nil
}
