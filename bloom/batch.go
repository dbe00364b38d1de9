package bloom

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// In a loop of single calls the processor overlaps only as many cache misses as its reorder window holds keys, which
// is few. A batch goes in two phases over chunks of keys: the first touches the line of each key, with nothing
// else in the way, so that all misses of the chunk are on their way at once; the second does the work on lines
// that have arrived.
const (
	chunk = 32
	// Filters below smallBlocks (256 KiB) live in the second-level cache: there is no miss to overlap.
	smallBlocks = 256 << 10 / blockBytes
)

// touch computes the block of every key of a chunk and starts to fetch it. The loads are atomic, which keeps the
// compiler from dropping them although nobody uses the result.
func touch(blocks []block, at *[chunk]uint64, keys []Key) {
	n := uint64(len(blocks))
	for j, k := range keys {
		i, _ := bits.Mul64(k.h, n)
		at[j&(chunk-1)] = i
		atomic.LoadUint64(&blocks[i][0])
	}
}

// AddMany adds all keys, as a loop of Add would.
func (f *Filter) AddMany(keys []Key) {
	if len(f.blocks) < smallBlocks {
		for _, k := range keys {
			f.Add(k)
		}
		return
	}
	var at [chunk]uint64
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		touch(f.blocks, &at, part)
		for j, k := range part {
			b := &f.blocks[at[j]]
			if f.plain {
				addPlain(b, f.shape, k.h)
			} else {
				add(b, f.shape, k.h)
			}
		}
		keys = keys[len(part):]
	}
}

// TestMany tests all keys and appends one result per key to dst, in their order. It does not allocate when dst has
// room: TestMany(dst[:0], keys) reuses a slice. For a filter larger than the cache it is faster than a loop of Test.
func (f *Filter) TestMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	n := len(dst)
	dst = dst[:n+len(keys)]
	f.testMany(dst[n:], keys)
	return dst
}

// testMany sets one result per key; dst and keys have the same length.
func (f *Filter) testMany(dst []bool, keys []Key) {
	if len(f.blocks) < smallBlocks {
		for j, k := range keys {
			dst[j] = f.Test(k)
		}
		return
	}
	var places [chunk]uint64
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		touch(f.blocks, &places, part)
		testPart(f.blocks, f.shape, dst[:len(part)], &places, part)
		keys, dst = keys[len(part):], dst[len(part):]
	}
}

// testPart is the second phase. The commonest shapes have loops of their own, without a call per key.
func testPart(blocks []block, s shape, dst []bool, places *[chunk]uint64, part []Key) {
	switch s {
	case shape2x3:
		for j, k := range part {
			b, x := &blocks[places[j&(chunk-1)]], mix(k.h)
			dst[j] = three(x)&^at(b, x>>18&3)|three(x>>32)&^at(b, 4|x>>50&3) == 0
		}
	case shape4x2:
		for j, k := range part {
			b, x := &blocks[places[j&(chunk-1)]], mix(k.h)
			dst[j] = two(x)&^at(b, x>>12&1)|two(x>>16)&^at(b, 2|x>>28&1)|
				two(x>>32)&^at(b, 4|x>>44&1)|two(x>>48)&^at(b, 6|x>>60&1) == 0
		}
	default:
		for j, k := range part {
			dst[j] = test(&blocks[places[j&(chunk-1)]], s, k.h)
		}
	}
}

// TestAndAddMany does TestAndAdd with every key in order and appends one result per key to dst: a key that is
// repeated in keys is present from its second place on.
func (f *Filter) TestAndAddMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	var at [chunk]uint64
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		if len(f.blocks) >= smallBlocks {
			touch(f.blocks, &at, part)
		}
		for _, k := range part {
			dst = append(dst, f.TestAndAdd(k))
		}
		keys = keys[len(part):]
	}
	return dst
}
