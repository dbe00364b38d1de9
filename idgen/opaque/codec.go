package opaque

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/sysblocks/sysblocks/idgen"
)

// ErrForged reports a text whose check bits are wrong: it was guessed, mistyped, or made under another key or name.
var ErrForged = errors.New("opaque: check bits do not match")

// Codec turns ids into public texts and back. It is immutable and safe for concurrent use.
type Codec struct {
	keys        [16]sipKey // one per round of the network
	rounds      int
	left, right uint8 // bits of the two halves, left <= right
	idBits      uint8
	checkBits   uint8
	wide        bool // a half has more than 56 bits
	form        form
}

// Options are the options of New. The zero value gives 11 characters of Base58 without check bits.
type Options struct {
	// Name separates kinds of objects: ids of different names do not decode into each other. Default empty.
	Name string
	// IDBits is the size of the ids: 1 to 63, default 63. A smaller size makes shorter texts.
	IDBits uint8
	// CheckBits makes guessing hard: a forged text passes with probability 2^-CheckBits. Default 0. IDBits+CheckBits is
	// 8 to 128.
	CheckBits uint8
	// Encoding is the alphabet; default Base58. The width follows from the bits.
	Encoding idgen.Encoding
}

// New returns a codec under a key of at least 16 bytes. The same key and options give the same texts for ever. A short
// key or options outside their limits are idgen.ErrInvalid.
func New(key []byte, o Options) (*Codec, error) {
	if o.IDBits == 0 {
		o.IDBits = 63
	}
	n := int(o.IDBits) + int(o.CheckBits)
	switch {
	case len(key) < 16:
		return nil, fmt.Errorf("%w: opaque: key of %d bytes, at least 16", idgen.ErrInvalid, len(key))
	case o.IDBits > 63:
		return nil, fmt.Errorf("%w: opaque: IDBits is %d, 1 to 63", idgen.ErrInvalid, o.IDBits)
	case n < 8 || n > 128:
		return nil, fmt.Errorf("%w: opaque: IDBits+CheckBits is %d, 8 to 128", idgen.ErrInvalid, n)
	case o.Encoding > idgen.Base62:
		return nil, fmt.Errorf("%w: opaque: Encoding is %d, none of the three", idgen.ErrInvalid, o.Encoding)
	}
	c := &Codec{
		left: uint8(n / 2), right: uint8(n - n/2), idBits: o.IDBits, checkBits: o.CheckBits,
		rounds: 8, wide: n > 112, form: forms(o.Encoding, n),
	}
	info := fmt.Sprintf("sysblocks idgen opaque 1\x00%d\x00%d\x00%s", o.IDBits, o.CheckBits, o.Name)
	derived, err := hkdf.Key(sha256.New, key, nil, info, 16*len(c.keys))
	if err != nil {
		return nil, fmt.Errorf("opaque: derive the keys: %w", err)
	}
	for i := range c.keys {
		k := derived[16*i:]
		c.keys[i] = sipKey{binary.LittleEndian.Uint64(k), binary.LittleEndian.Uint64(k[8:])}
	}
	// Small domains need more rounds: the known attacks on a Feistel network of n bits are cheap when 2^(n/2) is.
	if n < 40 {
		c.rounds = 16
	}
	return c, nil
}

// forms returns the alphabet and the least width that holds n bits.
func forms(e idgen.Encoding, n int) form {
	f := form{alphabet: alphabet58, digits: digits58, base: 58}
	switch e {
	case idgen.Base32:
		f = form{alphabet: alphabet32, digits: digits32, base: 32}
	case idgen.Base62:
		f = form{alphabet: alphabet62, digits: digits62, base: 62}
	case idgen.Base58:
	}
	values, reach := new(big.Int).Lsh(big.NewInt(1), uint(n)), big.NewInt(1)
	for reach.Cmp(values) < 0 {
		reach.Mul(reach, big.NewInt(int64(f.base)))
		f.width++
	}
	f.ten = 1
	for range group {
		f.ten *= f.base
	}
	return f
}

// Encode returns the text of id, always of the same width. An id that is negative or above IDBits is idgen.ErrRange.
func (c *Codec) Encode(id idgen.ID) (string, error) {
	var buf [maxWidth]byte
	dst, err := c.AppendEncode(buf[:0], id)
	return string(dst), err
}

// AppendEncode appends the text of id; on an error it appends nothing.
func (c *Codec) AppendEncode(dst []byte, id idgen.ID) ([]byte, error) {
	if c.rounds == 0 {
		return dst, fmt.Errorf("opaque: use New: %w", idgen.ErrClosed)
	}
	if id < 0 || uint64(id)>>c.idBits != 0 {
		return dst, fmt.Errorf("%w: opaque: %d is not an ID of %d bits", idgen.ErrRange, int64(id), c.idBits)
	}
	// value = id followed by CheckBits zeros, as 128 bits.
	lo := uint64(id) << c.checkBits
	hi := uint64(id) >> (64 - c.checkBits)
	if c.checkBits >= 64 {
		hi = uint64(id) << (c.checkBits - 64)
	}
	a, b := c.split(hi, lo)
	for i := 0; i < c.rounds; i += 2 {
		a ^= c.keys[i&15].sum(b, c.wide, c.last(b)) & mask(c.left)
		b ^= c.keys[(i+1)&15].sum(a, c.wide, c.last(a)) & mask(c.right)
	}
	hi, lo = c.join(a, b)
	return c.form.append(dst, hi, lo), nil
}

// Decode returns the id of a text. Wrong width or characters are idgen.ErrSyntax, a text above the largest value
// idgen.ErrRange, wrong check bits ErrForged.
func (c *Codec) Decode(s string) (idgen.ID, error) {
	if c.rounds == 0 {
		return 0, fmt.Errorf("opaque: use New: %w", idgen.ErrClosed)
	}
	hi, lo, err := c.form.parse(s)
	if err != nil {
		return 0, err
	}
	n := c.left + c.right
	if n < 64 && (hi != 0 || lo>>n != 0) || n >= 64 && hi>>(n-64) != 0 {
		return 0, fmt.Errorf("%w: opaque: %s is above %d bits", idgen.ErrRange, quote(s), n)
	}
	a, b := c.split(hi, lo)
	for i := c.rounds - 2; i >= 0; i -= 2 {
		b ^= c.keys[(i+1)&15].sum(a, c.wide, c.last(a)) & mask(c.right)
		a ^= c.keys[i&15].sum(b, c.wide, c.last(b)) & mask(c.left)
	}
	hi, lo = c.join(a, b)
	id := lo>>c.checkBits | hi<<(64-c.checkBits)
	if c.checkBits >= 64 {
		id = hi >> (c.checkBits - 64)
	}
	wrong := lo & mask(min(c.checkBits, 64))
	if c.checkBits > 64 {
		wrong |= hi & mask(c.checkBits-64)
	}
	if wrong != 0 {
		return 0, ErrForged
	}
	return idgen.ID(id), nil
}

// last is the last block of a half's hash: of 7 bytes, or of 8 where the half needs them.
func (c *Codec) last(half uint64) uint64 {
	if c.wide {
		return 8 << 56
	}
	return half | 7<<56
}

// split cuts a value of left+right bits in two, join puts it together.
func (c *Codec) split(hi, lo uint64) (a, b uint64) {
	b = lo & mask(c.right)
	a = (lo>>c.right | hi<<(64-c.right)) & mask(c.left)
	return a, b
}

func (c *Codec) join(a, b uint64) (hi, lo uint64) {
	return a >> (64 - c.right), a<<c.right | b
}

// mask returns n low bits, 0 <= n <= 64.
func mask(n uint8) uint64 { return 1<<n - 1 }

// quote shows at most 32 bytes of hostile input.
func quote(s string) string {
	if len(s) > 32 {
		return strconv.Quote(s[:32]) + "..."
	}
	return strconv.Quote(s)
}
