package bloom

import "math/bits"

// A kernel finds the block of a hash and tests it. A filter keeps the kernel of its shape: the call goes to one place, always
// the same, where a switch over ten shapes would cost a few comparisons, and a function that holds all ten a larger
// frame. The shapes that New chooses have kernels of their own; the others, which only decoders meet, share one.
type kernel func(blocks []block, h uint64) bool

func kernelOf(s shape) kernel {
	switch s {
	case shapeNone:
		return nil
	case shape2x2:
		return kernel2x2
	case shape2x3:
		return kernel2x3
	case shape4x2:
		return kernel4x2
	case shape4x3:
		return kernel4x3
	case shape8x2:
		return kernel8x2
	default:
		return func(blocks []block, h uint64) bool {
			i, _ := bits.Mul64(h, uint64(len(blocks)))
			return test(&blocks[i], s, h)
		}
	}
}

func kernel2x2(blocks []block, h uint64) bool {
	i, _ := bits.Mul64(h, uint64(len(blocks)))
	b, x := &blocks[i], mix(h)
	return two(x)&^at(b, x>>12&3)|two(x>>32)&^at(b, 4|x>>44&3) == 0
}

func kernel2x3(blocks []block, h uint64) bool {
	i, _ := bits.Mul64(h, uint64(len(blocks)))
	b, x := &blocks[i], mix(h)
	return three(x)&^at(b, x>>18&3)|three(x>>32)&^at(b, 4|x>>50&3) == 0
}

func kernel4x2(blocks []block, h uint64) bool {
	i, _ := bits.Mul64(h, uint64(len(blocks)))
	b, x := &blocks[i], mix(h)
	return two(x)&^at(b, x>>12&1)|two(x>>16)&^at(b, 2|x>>28&1)|
		two(x>>32)&^at(b, 4|x>>44&1)|two(x>>48)&^at(b, 6|x>>60&1) == 0
}

func kernel4x3(blocks []block, h uint64) bool {
	i, _ := bits.Mul64(h, uint64(len(blocks)))
	b, x := &blocks[i], mix(h)
	y := mix2(x)
	return three(x)&^at(b, x>>18&1)|three(x>>32)&^at(b, 2|x>>50&1)|
		three(y)&^at(b, 4|y>>18&1)|three(y>>32)&^at(b, 6|y>>50&1) == 0
}

func kernel8x2(blocks []block, h uint64) bool {
	i, _ := bits.Mul64(h, uint64(len(blocks)))
	b, x := &blocks[i], mix(h)
	y := mix2(x)
	return two(x)&^at(b, 0)|two(x>>16)&^at(b, 1)|two(x>>32)&^at(b, 2)|two(x>>48)&^at(b, 3)|
		two(y)&^at(b, 4)|two(y>>16)&^at(b, 5)|two(y>>32)&^at(b, 6)|two(y>>48)&^at(b, 7) == 0
}
