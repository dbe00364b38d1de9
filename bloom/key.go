package bloom

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Key is a hashed key. It is comparable, costs nothing to copy, and can be tested against any number of filters
// of any type in this package. The zero Key is Hashed(0).
//
// It is a struct and not a named integer so that an unhashed number cannot be passed by mistake: a counter taken
// for a hash would put every key into one block.
type Key struct{ h uint64 }

// The primes of XXH64, as its specification gives them.
const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
	prime4 = 0x85EBCA77C2B2AE63
	prime5 = 0x27D4EB2F165667C5
)

// Bytes returns the key of b: its XXH64 with seed 0. The empty slice is a key like any other. b is not kept.
func Bytes(b []byte) Key { return Key{xxhash.Sum64(b)} }

// String returns the key of s. It equals Bytes([]byte(s)), without the copy.
func String(s string) Key { return Key{xxhash.Sum64String(s)} }

// Uint64 returns the key of an integer. It equals Bytes of v as 8 little-endian bytes, computed inline.
func Uint64(v uint64) Key {
	h := (prime5 + 8) ^ bits.RotateLeft64(v*prime2, 31)*prime1
	h = bits.RotateLeft64(h, 27)*prime1 + prime4
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return Key{h ^ h>>32}
}

// Join returns the key of a sequence of keys: a composite key without concatenation, allocation or ambiguity
// ("ab"+"c" differs from "a"+"bc"). It equals Bytes of the keys' hashes, 8 little-endian bytes each, in order.
// Join() equals Bytes(nil); Join(k) differs from k.
func Join(keys ...Key) Key {
	const inline = 16 // keys hashed in one call; more take the streaming path
	var buf [8 * inline]byte
	if len(keys) <= inline {
		for i, k := range keys {
			binary.LittleEndian.PutUint64(buf[8*i:], k.h)
		}
		return Key{xxhash.Sum64(buf[:8*len(keys)])}
	}
	var d xxhash.Digest
	d.Reset()
	for len(keys) > 0 {
		n := min(len(keys), inline)
		for i, k := range keys[:n] {
			binary.LittleEndian.PutUint64(buf[8*i:], k.h)
		}
		_, _ = d.Write(buf[:8*n]) // a Digest never fails
		keys = keys[n:]
	}
	return Key{d.Sum64()}
}

// Hashed makes a key of a hash that the caller computed. It must be uniform in all 64 bits: a counter, a pointer
// or a 32-bit hash widened to 64 bits would crowd into few blocks. Use it for keyed hashes where callers may
// choose keys to do harm.
func Hashed(h uint64) Key { return Key{h} }

// Hash returns the 64-bit hash that k stands for; Hashed(k.Hash()) == k.
func (k Key) Hash() uint64 { return k.h }
