package uuid

// Crockford's alphabet, 26 characters of 5 bits: the first holds the top three bits.
const (
	crockfordUpper = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	crockfordLower = "0123456789abcdefghjkmnpqrstvwxyz"
)

var (
	anyCase   = digitsOf(crockfordLower, 'A'-'a') //nolint:gochecknoglobals // read-only table
	lowerCase = digitsOf(crockfordLower, 0)       //nolint:gochecknoglobals // read-only table
)

// encode32 writes 26 characters.
func encode32(dst *[26]byte, u *[16]byte, alphabet string) {
	_ = alphabet[31]
	hi, lo := word(u[:8]), word(u[8:])
	for i := 25; i > 13; i-- { // 60 of the low word's bits
		dst[i] = alphabet[lo&31]
		lo >>= 5
	}
	dst[13] = alphabet[lo&15|hi&1<<4] // 4 of the low word, 1 of the high
	hi >>= 1
	for i := 12; i >= 0; i-- { // 63 bits
		dst[i] = alphabet[hi&31]
		hi >>= 5
	}
}

func word(b []byte) (v uint64) {
	for _, c := range b[:8] {
		v = v<<8 | uint64(c)
	}
	return v
}

// decode32 reads 26 characters; false for a foreign character or more than 128 bits.
func decode32(u *[16]byte, s string, t *[256]byte) bool {
	if len(s) != 26 || s[0] > '7' {
		return false
	}
	var hi, lo uint64
	bad := byte(0)
	for i := range 13 {
		d := t[s[i]]
		bad |= d
		hi = hi<<5 | uint64(d)
	}
	d := t[s[13]]
	bad |= d
	hi, lo = hi<<1|uint64(d)>>4, uint64(d)&15
	for i := 14; i < 26; i++ {
		d := t[s[i]]
		bad |= d
		lo = lo<<5 | uint64(d)
	}
	if bad > 31 {
		return false
	}
	for i := range 8 {
		u[i], u[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
	}
	return true
}
