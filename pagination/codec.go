package pagination

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"
)

const (
	maxToken = 2048 // characters; proxies cut lines at 8 KiB, and a Link header has several tokens
	tagSize  = 16
	hintSize = 4
	version  = 1

	modePlain  = 0
	modeSigned = 1
	modeSealed = 2

	// maxSkew is how far the clocks of two servers may differ.
	maxSkew = 5 * time.Minute
	minKey  = 32 // bytes
)

// CodecOptions choose how tokens are protected. The zero value makes plain tokens.
type CodecOptions struct {
	// Keys are secrets of at least 32 bytes. The first one encodes, all decode:
	// put a new key first, and remove the old one when its tokens may die. With
	// Keys, tokens are sealed: authentic and unreadable.
	Keys [][]byte
	// SignOnly leaves tokens readable, yet authentic. It needs Keys.
	SignOnly bool
	// MaxAge ends the life of tokens; 0 means that they do not expire. It needs
	// Keys, since anybody could renew a plain token. Whole seconds.
	MaxAge time.Duration
}

// Scope is what a token belongs to. It is not in the token: Decode must be given
// the scope that Encode was given.
type Scope struct{ Resource, Order, Filter, Principal string }

// Codec turns positions into tokens and back. A nil Codec makes plain tokens. It
// is immutable and safe for concurrent use.
type Codec struct {
	keys   []*tokenKey
	mode   byte
	maxAge time.Duration
}

// NewCodec returns a codec; see [CodecOptions].
func NewCodec(o CodecOptions) (*Codec, error) {
	switch {
	case len(o.Keys) == 0 && o.SignOnly:
		return nil, fmt.Errorf("%w: CodecOptions.SignOnly needs Keys", ErrInvalid)
	case len(o.Keys) == 0 && o.MaxAge != 0:
		return nil, fmt.Errorf("%w: CodecOptions.MaxAge needs Keys", ErrInvalid)
	case o.MaxAge < 0 || o.MaxAge > 0 && o.MaxAge < time.Second:
		return nil, fmt.Errorf("%w: CodecOptions.MaxAge is %v, want 0 or at least 1s", ErrInvalid, o.MaxAge)
	}
	c := &Codec{maxAge: o.MaxAge}
	for i, secret := range o.Keys {
		if len(secret) < minKey {
			return nil, fmt.Errorf("%w: CodecOptions.Keys[%d] has %d bytes, want at least %d", ErrInvalid, i, len(secret), minKey)
		}
		for j := range i {
			if subtle.ConstantTimeCompare(secret, o.Keys[j]) == 1 {
				return nil, fmt.Errorf("%w: CodecOptions.Keys[%d] is Keys[%d] again", ErrInvalid, i, j)
			}
		}
		key, err := newTokenKey(secret)
		if err != nil {
			return nil, fmt.Errorf("%w: CodecOptions.Keys[%d]: %w", ErrInvalid, i, err)
		}
		c.keys = append(c.keys, key)
		c.mode = modeSealed
	}
	if o.SignOnly {
		c.mode = modeSigned
	}
	return c, nil
}

// Encode returns the token of a position: the same one for the same position and
// scope, with a MaxAge within the same second. It returns ErrKeySize if the
// token would be too long, and ErrNullKey for a value without a position. With a
// MaxAge, an unset Issued is now.
func (c *Codec) Encode(cur Cursor, s Scope) (string, error) {
	if c == nil {
		c = &Codec{}
	}
	for _, g := range [2]*Gap{&cur.Start, &cur.End} {
		for i := range g.Key {
			if v := &g.Key[i]; !v.IsNull() && !v.hasPosition() {
				return "", fmt.Errorf("%w: value %d of the gap, a %s", ErrNullKey, i, v.kind)
			}
		}
	}
	if len(cur.Start.Key) > 127 || len(cur.End.Key) > 127 {
		return "", fmt.Errorf("%w: more than 127 keys", ErrKeySize)
	}
	switch {
	case c.maxAge == 0:
		cur.Issued = time.Time{}
	case cur.Issued.IsZero():
		cur.Issued = time.Now()
	}
	var stack [128]byte
	if c.mode == modePlain {
		b := append(stack[:0], version<<4|modePlain)
		b = binary.BigEndian.AppendUint32(b, plainHint(s))
		return spell(appendPayload(b, &cur))
	}
	k := c.keys[0]
	st := k.pool.Get().(*keyState)
	defer k.pool.Put(st)
	b := append(stack[:0], version<<4|c.mode, k.id)
	b = append(b, make([]byte, tagSize)...)
	b = binary.BigEndian.AppendUint32(b, st.hint(k, s))
	b = appendPayload(b, &cur)
	head := 2 + tagSize + hintSize
	copy(b[2:], st.tag(b[:2], b[head-hintSize:head], b[head:]))
	if c.mode == modeSealed {
		st.crypt(k, b[2:2+tagSize], b[head:])
	}
	return spell(b)
}

// spell writes the token's characters.
func spell(b []byte) (string, error) {
	if base64.RawURLEncoding.EncodedLen(len(b)) > maxToken {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrKeySize, len(b), maxToken/4*3)
	}
	var stack [128]byte
	return string(base64.RawURLEncoding.AppendEncode(stack[:0], b)), nil
}

// Decode returns the position of a token that was encoded with the same scope
// for an order of these kinds; a gap may be a prefix. Whatever else the token is,
// it is an error that Is ErrToken: see ErrTokenScope and ErrTokenExpired. The
// error never holds the token or its values. Only the order can say where NULL
// may stand; a [Pager] checks that too.
func (c *Codec) Decode(token string, kinds []Kind, s Scope) (Cursor, error) {
	if c == nil {
		c = &Codec{}
	}
	if len(token) > maxToken {
		return Cursor{}, errTokenLength
	}
	var src, dst [192]byte
	b, ok := unspell(dst[:0], append(src[:0], token...))
	if !ok {
		return Cursor{}, errTokenEncoding
	}
	head := 1 + hintSize
	if c.mode != modePlain {
		head = 2 + tagSize + hintSize
	}
	if len(b) <= head || b[0] != version<<4|c.mode {
		return Cursor{}, errTokenVersion
	}
	if c.mode == modePlain {
		if binary.BigEndian.Uint32(b[1:]) != plainHint(s) {
			return Cursor{}, ErrTokenScope
		}
	} else if err := c.open(b, s); err != nil {
		return Cursor{}, err
	}
	cur, ok := parsePayload(b[head:], kinds)
	if !ok {
		return Cursor{}, errTokenPayload
	}
	if c.maxAge > 0 {
		if age := time.Since(cur.Issued); age > c.maxAge || age < -maxSkew {
			return Cursor{}, ErrTokenExpired
		}
	} else if c.mode == modePlain && !cur.Issued.IsZero() {
		return Cursor{}, errTokenPayload // no plain codec writes it
	}
	return cur, nil
}

// open verifies an authenticated token, with all keys that its key id may mean,
// and decrypts it in place. Nothing is parsed before.
func (c *Codec) open(b []byte, s Scope) error {
	err := errTokenTag
	for _, k := range c.keys {
		if k.id == b[1] { // one key in 256 shares its id with another
			if err = k.open(b, s); err == nil {
				return nil
			}
		}
	}
	return err
}

// open tries one key, and leaves b as it was if the token is not of this key.
func (k *tokenKey) open(b []byte, s Scope) error {
	const head = 2 + tagSize + hintSize
	st := k.pool.Get().(*keyState)
	defer k.pool.Put(st)
	if binary.BigEndian.Uint32(b[head-hintSize:]) != st.hint(k, s) {
		return ErrTokenScope
	}
	sealed := b[0]&0xf == modeSealed
	if sealed {
		st.crypt(k, b[2:2+tagSize], b[head:])
	}
	if subtle.ConstantTimeCompare(st.tag(b[:2], b[head-hintSize:head], b[head:]), b[2:2+tagSize]) == 1 {
		return nil
	}
	if sealed {
		st.crypt(k, b[2:2+tagSize], b[head:])
	}
	return errTokenTag
}

// unspell decodes base64url and refuses every second spelling: the line ends
// that the decoder skips, and spare bits that are not zero.
func unspell(dst, token []byte) ([]byte, bool) {
	b, err := base64.RawURLEncoding.AppendDecode(dst, token)
	if err != nil || len(b) == 0 || base64.RawURLEncoding.EncodedLen(len(b)) != len(token) {
		return nil, false
	}
	if rest := len(b) % 3; rest != 0 {
		var last [4]byte
		base64.RawURLEncoding.Encode(last[:], b[len(b)-rest:])
		if token[len(token)-1] != last[rest] {
			return nil, false
		}
	}
	return b, true
}

// tokenKey holds the subkeys of one secret.
type tokenKey struct {
	id     byte
	k0, k1 uint64 // of the hint
	block  cipher.Block
	pool   sync.Pool // of *keyState
}

func newTokenKey(secret []byte) (*tokenKey, error) {
	sub := func(use string, n int) ([]byte, error) {
		return hkdf.Key(sha256.New, secret, nil, "sysblocks/pagination token v1: "+use, n)
	}
	id, err1 := sub("id", 1)
	hint, err2 := sub("hint", 16)
	mac, err3 := sub("tag", 32)
	enc, err4 := sub("seal", 32)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(enc)
	if err != nil {
		return nil, err
	}
	k := &tokenKey{
		id: id[0], block: block,
		k0: binary.LittleEndian.Uint64(hint), k1: binary.LittleEndian.Uint64(hint[8:]),
	}
	k.pool.New = func() any { return &keyState{mac: hmac.New(sha256.New, mac)} }
	return k, nil
}

// keyState is a keyed HMAC and its buffers; one call at a time uses it. Pooled,
// because keying costs two blocks of SHA-256 and an interface call makes its
// arguments escape.
type keyState struct {
	mac     hash.Hash
	scope   []byte // the scope of the call: set by hint, read by tag
	sum     [sha256.Size]byte
	counter [aes.BlockSize]byte
	stream  [aes.BlockSize]byte
}

// hint prepares the scope and hashes it.
func (st *keyState) hint(k *tokenKey, s Scope) uint32 {
	st.scope = appendScope(st.scope[:0], s)
	return uint32(sipHash(k.k0, k.k1, st.scope))
}

// tag authenticates header, hint, scope and plaintext. The scope's parts are
// length-prefixed, and the other parts before the plaintext have a fixed length:
// no two inputs run together.
func (st *keyState) tag(header, hint, plaintext []byte) []byte {
	n := len(st.scope)
	st.scope = append(st.scope, header...)
	st.scope = append(st.scope, hint...)
	st.scope = append(st.scope, plaintext...)
	st.mac.Reset()
	st.mac.Write(st.scope)
	st.scope = st.scope[:n]
	return st.mac.Sum(st.sum[:0])[:tagSize]
}

// crypt encrypts or decrypts text with AES-256-CTR whose first counter block is
// the tag: the construction of SIV (RFC 5297), safe without a nonce because a
// counter repeats only for equal plaintext.
func (st *keyState) crypt(k *tokenKey, tag, text []byte) {
	copy(st.counter[:], tag)
	for len(text) > 0 {
		k.block.Encrypt(st.stream[:], st.counter[:])
		n := subtle.XORBytes(text, text, st.stream[:])
		text = text[n:]
		for i, c := range slices.Backward(st.counter[:]) {
			st.counter[i] = c + 1
			if st.counter[i] != 0 {
				break
			}
		}
	}
}

// plainHint hashes the scope for a plain token: a guard against mistakes, not against forgery.
func plainHint(s Scope) uint32 {
	var stack [128]byte
	return uint32(sipHash(0, 0, appendScope(stack[:0], s)))
}

// appendScope appends the parts, each with its length.
func appendScope(b []byte, s Scope) []byte {
	b = appendText(b, s.Resource)
	b = appendText(b, s.Order)
	b = appendText(b, s.Filter)
	return appendText(b, s.Principal)
}
