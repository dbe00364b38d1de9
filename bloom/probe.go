package bloom

import "sync/atomic"

// A block is one cache line. Every bit of a key lies in one block, so a probe costs at most one cache miss.
//
// Its words are plain integers used through sync/atomic, not atomic.Uint64, because an Unsynchronized filter
// stores to them plainly. They are 64-bit aligned on 32-bit processors too: a block is an element of an allocated
// slice and 64 bytes long. Writers publish with OrUint64; Test relies on it through LoadUint64, so a key whose
// Add happened before the Test is seen.
type block [8]uint64

// A shape is a pair (g, p): the 8 words of a block form g groups, a key picks one word in each and sets p bits there.
type shape uint8

const (
	shapeNone shape = iota
	shape2x2
	shape2x3
	shape2x4
	shape2x5
	shape4x1
	shape4x2
	shape4x3
	shape4x4
	shape8x1
	shape8x2
	shapeEnd
)

// shapeOf returns the shape of g words and p bits, or shapeNone when the pair is not one of the ten that exist.
func shapeOf(g, p int) shape {
	switch {
	case g == 2 && p >= 2 && p <= 5:
		return shape2x2 + shape(p-2)
	case g == 4 && p >= 1 && p <= 4:
		return shape4x1 + shape(p-1)
	case g == 8 && p >= 1 && p <= 2:
		return shape8x1 + shape(p-1)
	}
	return shapeNone
}

// words returns g and p of s; 0, 0 for shapeNone.
func (s shape) words() (g, p int) {
	switch {
	case s >= shape8x1 && s < shapeEnd:
		return 8, int(s-shape8x1) + 1
	case s >= shape4x1 && s < shapeEnd:
		return 4, int(s-shape4x1) + 1
	case s >= shape2x2 && s < shapeEnd:
		return 2, int(s-shape2x2) + 2
	}
	return 0, 0
}

// mix and mix2 give the 128 bits, low and high half, that choose words and bits inside the block. They are
// multiplied out of the hash again because its high bits have already chosen the block: used twice, they would
// leave each block of a large filter with a few patterns only.
func mix(h uint64) uint64 {
	x := h * 0x9E3779B97F4A7C15
	return x ^ x>>32
}

func mix2(x uint64) uint64 {
	y := x * 0xD6E8FEB86659FD93
	return y ^ y>>32
}

// two to five turn the low fields of 6 bits of v into a mask with those bits set.
func two(v uint64) uint64   { return 1<<(v&63) | 1<<(v>>6&63) }
func three(v uint64) uint64 { return two(v) | 1<<(v>>12&63) }
func four(v uint64) uint64  { return three(v) | 1<<(v>>18&63) }
func five(v uint64) uint64  { return four(v) | 1<<(v>>24&63) }

// at reads a word that writers may be changing.
func at(b *block, c uint64) uint64 { return atomic.LoadUint64(&b[c&7]) }

// test reports whether all bits of h are set in b. All masks are combined and compared once: an early exit would
// cost a mispredicted branch on nearly every absent key. The switch always goes the same way for one filter.
func test(b *block, s shape, h uint64) bool {
	x := mix(h)
	switch s {
	case shape2x2:
		return two(x)&^at(b, x>>12&3)|two(x>>32)&^at(b, 4|x>>44&3) == 0
	case shape2x3:
		return three(x)&^at(b, x>>18&3)|three(x>>32)&^at(b, 4|x>>50&3) == 0
	case shape2x4:
		return four(x)&^at(b, x>>24&3)|four(x>>32)&^at(b, 4|x>>56&3) == 0
	case shape2x5:
		return five(x)&^at(b, x>>30&3)|five(x>>32)&^at(b, 4|x>>62&3) == 0
	case shape4x1:
		return 1<<(x&63)&^at(b, x>>6&1)|1<<(x>>16&63)&^at(b, 2|x>>22&1)|
			1<<(x>>32&63)&^at(b, 4|x>>38&1)|1<<(x>>48&63)&^at(b, 6|x>>54&1) == 0
	case shape4x2:
		return two(x)&^at(b, x>>12&1)|two(x>>16)&^at(b, 2|x>>28&1)|
			two(x>>32)&^at(b, 4|x>>44&1)|two(x>>48)&^at(b, 6|x>>60&1) == 0
	case shape4x3:
		y := mix2(x)
		return three(x)&^at(b, x>>18&1)|three(x>>32)&^at(b, 2|x>>50&1)|
			three(y)&^at(b, 4|y>>18&1)|three(y>>32)&^at(b, 6|y>>50&1) == 0
	case shape4x4:
		y := mix2(x)
		return four(x)&^at(b, x>>24&1)|four(x>>32)&^at(b, 2|x>>56&1)|
			four(y)&^at(b, 4|y>>24&1)|four(y>>32)&^at(b, 6|y>>56&1) == 0
	case shape8x1:
		return 1<<(x&63)&^at(b, 0)|1<<(x>>8&63)&^at(b, 1)|1<<(x>>16&63)&^at(b, 2)|1<<(x>>24&63)&^at(b, 3)|
			1<<(x>>32&63)&^at(b, 4)|1<<(x>>40&63)&^at(b, 5)|1<<(x>>48&63)&^at(b, 6)|1<<(x>>56&63)&^at(b, 7) == 0
	case shape8x2:
		y := mix2(x)
		return two(x)&^at(b, 0)|two(x>>16)&^at(b, 1)|two(x>>32)&^at(b, 2)|two(x>>48)&^at(b, 3)|
			two(y)&^at(b, 4)|two(y>>16)&^at(b, 5)|two(y>>32)&^at(b, 6)|two(y>>48)&^at(b, 7) == 0
	}
	return false
}

// set adds the bits of m to a word. It reads first, so that a key that is already there, a hot one above all,
// leaves the line shared in all caches.
func set(b *block, c, m uint64) {
	if p := &b[c&7]; atomic.LoadUint64(p)&m != m {
		yield()
		atomic.OrUint64(p, m)
	}
}

// add sets the bits of h in b, beside any other reader or writer.
func add(b *block, s shape, h uint64) {
	x := mix(h)
	switch s {
	case shape2x2:
		set(b, x>>12&3, two(x))
		set(b, 4|x>>44&3, two(x>>32))
	case shape2x3:
		set(b, x>>18&3, three(x))
		set(b, 4|x>>50&3, three(x>>32))
	case shape2x4:
		set(b, x>>24&3, four(x))
		set(b, 4|x>>56&3, four(x>>32))
	case shape2x5:
		set(b, x>>30&3, five(x))
		set(b, 4|x>>62&3, five(x>>32))
	case shape4x1:
		for j := uint64(0); j < 8; j, x = j+2, x>>16 {
			set(b, j|x>>6&1, 1<<(x&63))
		}
	case shape4x2:
		set(b, x>>12&1, two(x))
		set(b, 2|x>>28&1, two(x>>16))
		set(b, 4|x>>44&1, two(x>>32))
		set(b, 6|x>>60&1, two(x>>48))
	case shape4x3:
		y := mix2(x)
		set(b, x>>18&1, three(x))
		set(b, 2|x>>50&1, three(x>>32))
		set(b, 4|y>>18&1, three(y))
		set(b, 6|y>>50&1, three(y>>32))
	case shape4x4:
		y := mix2(x)
		set(b, x>>24&1, four(x))
		set(b, 2|x>>56&1, four(x>>32))
		set(b, 4|y>>24&1, four(y))
		set(b, 6|y>>56&1, four(y>>32))
	case shape8x1:
		for j := uint64(0); j < 8; j, x = j+1, x>>8 {
			set(b, j, 1<<(x&63))
		}
	case shape8x2:
		y := mix2(x)
		for j := uint64(0); j < 4; j, x, y = j+1, x>>16, y>>16 {
			set(b, j, two(x))
			set(b, 4|j, two(y))
		}
	}
}

// addPlain is add with plain stores, for one writer and no reader. It must set exactly the same bits.
func addPlain(b *block, s shape, h uint64) {
	x := mix(h)
	switch s {
	case shape2x2:
		b[x>>12&3] |= two(x)
		b[4|x>>44&3] |= two(x >> 32)
	case shape2x3:
		b[x>>18&3] |= three(x)
		b[4|x>>50&3] |= three(x >> 32)
	case shape2x4:
		b[x>>24&3] |= four(x)
		b[4|x>>56&3] |= four(x >> 32)
	case shape2x5:
		b[x>>30&3] |= five(x)
		b[4|x>>62&3] |= five(x >> 32)
	case shape4x1:
		for j := uint64(0); j < 8; j, x = j+2, x>>16 {
			b[(j|x>>6&1)&7] |= 1 << (x & 63)
		}
	case shape4x2:
		b[x>>12&1] |= two(x)
		b[2|x>>28&1] |= two(x >> 16)
		b[4|x>>44&1] |= two(x >> 32)
		b[6|x>>60&1] |= two(x >> 48)
	case shape4x3:
		y := mix2(x)
		b[x>>18&1] |= three(x)
		b[2|x>>50&1] |= three(x >> 32)
		b[4|y>>18&1] |= three(y)
		b[6|y>>50&1] |= three(y >> 32)
	case shape4x4:
		y := mix2(x)
		b[x>>24&1] |= four(x)
		b[2|x>>56&1] |= four(x >> 32)
		b[4|y>>24&1] |= four(y)
		b[6|y>>56&1] |= four(y >> 32)
	case shape8x1:
		for j := range b {
			b[j] |= 1 << (x >> (8 * j) & 63)
		}
	case shape8x2:
		y := mix2(x)
		for j := uint64(0); j < 4; j, x, y = j+1, x>>16, y>>16 {
			b[j&3] |= two(x)
			b[4|j&3] |= two(y)
		}
	}
}
