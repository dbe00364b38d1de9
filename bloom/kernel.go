package bloom

import (
	"math/bits"
	"sync/atomic"
)

// Kernels find the block of a hash and test it or add to it. A filter keeps the kernels of its shape: the call goes
// to one place, always the same, where a switch over ten shapes would cost comparisons and a frame. The shapes that New
// chooses have kernels of their own; the others, which only decoders meet, share one.
//
// A kernel takes the filter and not its blocks because that is fewer words to pass, and it compares the index with the
// number of blocks although the product is always below it: that spares the call of a panic, and a function that calls
// nothing needs no frame. Both together are worth a tenth of a Test.
type (
	testKernel func(f *Filter, h uint64) bool
	addKernel  func(f *Filter, h uint64)
)

// testKernelOf returns nil for shapeNone: a zero Filter tests false.
func testKernelOf(s shape) testKernel {
	switch s {
	case shapeNone:
		return nil
	case shape2x2:
		return test2x2
	case shape2x3:
		return test2x3
	case shape4x2:
		return test4x2
	case shape4x3:
		return test4x3
	case shape8x2:
		return test8x2
	case shape2x4, shape2x5, shape4x1, shape4x4, shape8x1:
	}
	return testAny
}

// addKernelOf returns the kernel of an Unsynchronized filter when plain. The atomic kernels need no copies per shape: their
// time goes into the atomic operations.
func addKernelOf(s shape, plain bool) addKernel {
	switch {
	case s == shapeNone:
		return nil
	case !plain:
		return addAny
	case s == shape2x3:
		return addPlain2x3
	case s == shape4x2:
		return addPlain4x2
	}
	return addPlainAny
}

// index returns the block of a hash, the high half of a product: below n for every n above 0.
func index(h uint64, n int) uint64 {
	i, _ := bits.Mul64(h, uint64(n))
	return i
}

// hit1 to hit3 have bit 0 set when w has the bits that the low fields of 6 bits of v name. Shifting the word to each bit
// takes fewer steps than shifting a bit to each place and comparing masks.
func hit1(w, v uint64) uint64 { return w >> (v & 63) }
func hit2(w, v uint64) uint64 { return hit1(w, v) & (w >> (v >> 6 & 63)) }
func hit3(w, v uint64) uint64 { return hit2(w, v) & (w >> (v >> 12 & 63)) }

func test2x2(f *Filter, h uint64) bool {
	i := index(h, len(f.blocks))
	if i >= uint64(len(f.blocks)) {
		return false
	}
	b, x := &f.blocks[i], mix(h)
	v, w := atomic.LoadUint64(&b[x>>12&3]), atomic.LoadUint64(&b[4+x>>44&3])
	return hit2(v, x)&hit2(w, x>>32)&1 != 0
}

func test2x3(f *Filter, h uint64) bool {
	i := index(h, len(f.blocks))
	if i >= uint64(len(f.blocks)) {
		return false
	}
	b, x := &f.blocks[i], mix(h)
	v, w := atomic.LoadUint64(&b[x>>18&3]), atomic.LoadUint64(&b[4+x>>50&3])
	return hit3(v, x)&hit3(w, x>>32)&1 != 0
}

func test4x2(f *Filter, h uint64) bool {
	i := index(h, len(f.blocks))
	if i >= uint64(len(f.blocks)) {
		return false
	}
	b, x := &f.blocks[i], mix(h)
	s, t := atomic.LoadUint64(&b[x>>12&1]), atomic.LoadUint64(&b[2+x>>28&1])
	v, w := atomic.LoadUint64(&b[4+x>>44&1]), atomic.LoadUint64(&b[6+x>>60&1])
	return hit2(s, x)&hit2(t, x>>16)&hit2(v, x>>32)&hit2(w, x>>48)&1 != 0
}

func test4x3(f *Filter, h uint64) bool {
	i := index(h, len(f.blocks))
	if i >= uint64(len(f.blocks)) {
		return false
	}
	b, x := &f.blocks[i], mix(h)
	y := mix2(x)
	s, t := atomic.LoadUint64(&b[x>>18&1]), atomic.LoadUint64(&b[2+x>>50&1])
	v, w := atomic.LoadUint64(&b[4+y>>18&1]), atomic.LoadUint64(&b[6+y>>50&1])
	return hit3(s, x)&hit3(t, x>>32)&hit3(v, y)&hit3(w, y>>32)&1 != 0
}

func test8x2(f *Filter, h uint64) bool {
	i := index(h, len(f.blocks))
	if i >= uint64(len(f.blocks)) {
		return false
	}
	b, x := &f.blocks[i], mix(h)
	y := mix2(x)
	return hit2(at(b, 0), x)&hit2(at(b, 1), x>>16)&hit2(at(b, 2), x>>32)&hit2(at(b, 3), x>>48)&
		hit2(at(b, 4), y)&hit2(at(b, 5), y>>16)&hit2(at(b, 6), y>>32)&hit2(at(b, 7), y>>48)&1 != 0
}

func testAny(f *Filter, h uint64) bool {
	return test(&f.blocks[index(h, len(f.blocks))], f.shape, h)
}

func addAny(f *Filter, h uint64) {
	add(&f.blocks[index(h, len(f.blocks))], f.shape, h)
}

func addPlain2x3(f *Filter, h uint64) {
	b, x := &f.blocks[index(h, len(f.blocks))], mix(h)
	b[x>>18&3] |= three(x)
	b[4+x>>50&3] |= three(x >> 32)
}

func addPlain4x2(f *Filter, h uint64) {
	b, x := &f.blocks[index(h, len(f.blocks))], mix(h)
	b[x>>12&1] |= two(x)
	b[2+x>>28&1] |= two(x >> 16)
	b[4+x>>44&1] |= two(x >> 32)
	b[6+x>>60&1] |= two(x >> 48)
}

func addPlainAny(f *Filter, h uint64) {
	addPlain(&f.blocks[index(h, len(f.blocks))], f.shape, h)
}
