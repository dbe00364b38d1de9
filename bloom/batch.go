package bloom

import (
	"slices"
	"sync/atomic"
)

// In a loop of single calls the processor overlaps only as many cache misses as its reorder window holds keys, which
// is few. A batch goes in two phases over chunks of keys: the first touches the line of each key, with nothing
// else in the way, so that the misses of the chunk are on their way at once; the second does the work on lines
// that have arrived. It computes the block again: a multiplication costs less than keeping the index.
const (
	// 64 keys are more misses than a core can have in flight, and 64 lines fill an eighth of a first-level cache.
	chunk = 64
	// Filters below smallBlocks (256 KiB) live in the second-level cache: there is no miss to overlap.
	smallBlocks = 256 << 10 / blockBytes
)

// touch starts to fetch the block of every key of a chunk. The loads are atomic, which keeps the compiler from
// dropping them although nobody uses the result.
func touch(blocks []block, keys []Key) {
	if len(blocks) < smallBlocks {
		return
	}
	for _, k := range keys {
		atomic.LoadUint64(&blocks[index(k.h, len(blocks))][0])
	}
}

// AddMany adds all keys, as a loop of Add would.
func (f *Filter) AddMany(keys []Key) {
	for part := range slices.Chunk(keys, chunk) {
		touch(f.blocks, part)
		for _, k := range part {
			f.add(f, k.h)
		}
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
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		touch(f.blocks, part)
		f.testPart(dst[:len(part)], part)
		keys, dst = keys[len(part):], dst[len(part):]
	}
}

// testPart is the second phase. The commonest shapes have loops of their own, without a call per key.
func (f *Filter) testPart(dst []bool, part []Key) {
	blocks := f.blocks
	switch f.shape {
	case shape2x3:
		for j, k := range part {
			b, x := &blocks[index(k.h, len(blocks))], mix(k.h)
			v, w := atomic.LoadUint64(&b[x>>18&3]), atomic.LoadUint64(&b[4+x>>50&3])
			dst[j] = hit3(v, x)&hit3(w, x>>32)&1 != 0
		}
	case shape4x2:
		for j, k := range part {
			b, x := &blocks[index(k.h, len(blocks))], mix(k.h)
			s, t := atomic.LoadUint64(&b[x>>12&1]), atomic.LoadUint64(&b[2+x>>28&1])
			v, w := atomic.LoadUint64(&b[4+x>>44&1]), atomic.LoadUint64(&b[6+x>>60&1])
			dst[j] = hit2(s, x)&hit2(t, x>>16)&hit2(v, x>>32)&hit2(w, x>>48)&1 != 0
		}
	case shapeNone, shape2x2, shape2x4, shape2x5, shape4x1, shape4x3, shape4x4, shape8x1, shape8x2:
		for j, k := range part {
			dst[j] = f.Test(k)
		}
	}
}

// TestAndAddMany does TestAndAdd with every key in order and appends one result per key to dst: a key that is
// repeated in keys is present from its second place on.
func (f *Filter) TestAndAddMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	for part := range slices.Chunk(keys, chunk) {
		touch(f.blocks, part)
		for _, k := range part {
			dst = append(dst, f.TestAndAdd(k))
		}
	}
	return dst
}
