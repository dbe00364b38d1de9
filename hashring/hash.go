package hashring

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// golden is 2⁶⁴ divided by the golden ratio, the increment of SplitMix64: successive multiples are far apart.
const golden = 0x9E3779B97F4A7C15

// Hash is XXH64 with seed 0, the default of Options.Hash.
func Hash(key string) uint64 { return xxhash.Sum64String(key) }

// mix64 is the finaliser of SplitMix64 (Stafford's variant 13), a bijection on 64 bits.
func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// point is the i-th position, from 0, of the node whose ID hashes to start.
func point(start uint64, i int) uint64 { return mix64(start + uint64(i+1)*golden) }

// pos is the position of a string, before tags are looked at. The seed is mixed into keys as well as IDs:
// if it moved the points only, keys aimed at one arc would still stay together.
func (c *config) pos(x string) uint64 {
	var h uint64
	if c.hash == nil {
		h = xxhash.Sum64String(x)
	} else {
		h = c.hash(x)
	}
	if c.seed == 0 {
		return h
	}
	return mix64(h ^ c.seed)
}

// token is the position of a key.
func (c *config) token(key string) uint64 {
	if c.plain {
		return xxhash.Sum64String(key)
	}
	return c.tunedToken(key)
}

func (c *config) tunedToken(key string) uint64 {
	if c.tags {
		key = HashTag(key)
	}
	return c.pos(key)
}

func (c *config) tokenBytes(key []byte) uint64 {
	if c.plain {
		return xxhash.Sum64(key)
	}
	// The string lives for the call only: Options.Hash promises not to keep it.
	return c.tunedToken(unsafe.String(unsafe.SliceData(key), len(key)))
}
