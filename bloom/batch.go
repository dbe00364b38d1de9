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
	testMany(f.blocks, f.shape, dst[n:], keys)
	return dst
}

// testMany sets one result per key; dst and keys have the same length.
func testMany(blocks []block, s shape, dst []bool, keys []Key) {
	if len(blocks) < smallBlocks {
		for j, k := range keys {
			dst[j] = testIn(blocks, s, k.h)
		}
		return
	}
	var at [chunk]uint64
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		touch(blocks, &at, part)
		for j, k := range part {
			dst[j] = test(&blocks[at[j&(chunk-1)]], s, k.h)
		}
		keys, dst = keys[len(part):], dst[len(part):]
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
