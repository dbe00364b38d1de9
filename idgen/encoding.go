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

// foreign marks the bytes outside an alphabet: a digit so large that a group of up to six digits with it exceeds every
// group without, and too small to overflow 64 bits there. A decoder adds up groups first and looks at the sums once.
const foreign = 1 << 31

// digits gives the value of each byte.
type digits [256]uint32

var (
	digits58 = digitsOf(alphabet58, "", "")             //nolint:gochecknoglobals // read-only table
	digits32 = digitsOf(alphabet32, "oOiIlL", "001111") //nolint:gochecknoglobals // read-only table
	digits62 = digitsOf(alphabet62, "", "")             //nolint:gochecknoglobals // read-only table
)

// digitsOf inverts an alphabet. Aliases exist for Crockford only, which also takes both cases.
func digitsOf(alphabet, aliases, meant string) (t digits) {
	for i := range t {
		t[i] = foreign
	}
	for i := range len(alphabet) {
		c := alphabet[i]
		t[c] = uint32(i)
		if aliases != "" && c >= 'A' {
			t[c+'a'-'A'] = uint32(i)
		}
	}
	for i := range len(aliases) {
		t[aliases[i]] = t[meant[i]]
	}
	return t
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
		return decode11(s, &digits58, 58, maxID/58)
	case Base32:
		return decode32(s)
	case Base62:
		return decode11(s, &digits62, 62, maxID/62)
	}
	return 0, fmt.Errorf("%w: Encoding %d is none of Base58, Base32, Base62", ErrInvalid, uint8(e))
}

// decode11 adds up three independent groups of digits, most = maxID/base. Only the last addition can pass 63 bits: the
// first ten digits stay below 62^10 < 2^60.
func decode11(s string, t *digits, base, most uint64) (ID, error) {
	if len(s) != 11 {
		return 0, badWidth(s, 11)
	}
	// Two digits at a time: the additions of a group are a tree, not a chain.
	hi := ((uint64(t[s[0]])*base+uint64(t[s[1]]))*base+uint64(t[s[2]]))*(base*base) + uint64(t[s[3]])*base + uint64(t[s[4]])
	lo := ((uint64(t[s[5]])*base+uint64(t[s[6]]))*base+uint64(t[s[7]]))*(base*base) + uint64(t[s[8]])*base + uint64(t[s[9]])
	last := uint64(t[s[10]])
	if (hi|lo|last)>>31 != 0 { // a group of five digits is below 62^5 < 2^30
		return 0, badCharacter(s)
	}
	ten := hi*(base*base*base*base*base) + lo
	v := ten*base + last
	if ten > most || v > maxID {
		return 0, above(s)
	}
	return ID(v), nil
}

// decode32 shifts 13 digits of 5 bits together, in groups of 1, 6 and 6; the first may hold 3 bits only.
func decode32(s string) (ID, error) {
	if len(s) != 13 {
		return 0, badWidth(s, 13)
	}
	t := &digits32
	top := uint64(t[s[0]])
	hi := uint64(t[s[1]])<<25 | uint64(t[s[2]])<<20 | uint64(t[s[3]])<<15 | uint64(t[s[4]])<<10 | uint64(t[s[5]])<<5 | uint64(t[s[6]])
	lo := uint64(t[s[7]])<<25 | uint64(t[s[8]])<<20 | uint64(t[s[9]])<<15 | uint64(t[s[10]])<<10 | uint64(t[s[11]])<<5 | uint64(t[s[12]])
	if (top|hi|lo)>>31 != 0 {
		return 0, badCharacter(s)
	}
	if top > 7 {
		return 0, above(s)
	}
	return ID(top<<60 | hi<<30 | lo), nil
}

func badWidth(s string, want int) error {
	return fmt.Errorf("%w: %s has %d bytes, want %d", ErrSyntax, quote(s), len(s), want)
}

func badCharacter(s string) error {
	return fmt.Errorf("%w: %s has a character outside the alphabet", ErrSyntax, quote(s))
}

func above(s string) error { return fmt.Errorf("%w: %s is above 63 bits", ErrRange, quote(s)) }
