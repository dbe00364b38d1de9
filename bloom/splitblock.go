package bloom

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
)

// SplitBlock is the split-block Bloom filter of Apache Parquet, bit for bit: the same hash (XXH64, seed 0), the same
// choice of block and bits, the same bytes. Use it to read or write filters of Parquet files; Filter is smaller
// at the same rate. All methods are safe for concurrent use unless made with Options.Unsynchronized. Make one
// with NewSplitBlock, ParseSplitBlock or ParseParquet; a zero SplitBlock tests false.
type SplitBlock struct {
	// A block has eight words of 32 bits. Two lie in one element here, the first in the low half, which in
	// little-endian order are Parquet's bytes, so a key costs four loads and at most four atomic ORs. Writers
	// publish with OrUint64; Test relies on it through LoadUint64.
	blocks     []splitBlock
	capacity   uint64
	targetRate float64
	plain      bool
}

type splitBlock [4]uint64

const (
	splitBlockBytes = 32
	maxBitset       = math.MaxInt32 // bytes; the length is a signed 32-bit number in a Parquet file
)

// NewSplitBlock returns an empty filter for capacity keys at a false-positive rate of 1e-9 to 0.5, else ErrInvalid. It is
// sized by the exact model, to any number of blocks; other writers round up to a power of two. A bitset above 2^31-1
// bytes, which Parquet cannot store, or above o.MaxBytes is ErrTooLarge. o.HugePages is not used.
func NewSplitBlock(capacity uint64, rate float64, o Options) (*SplitBlock, error) {
	if err := checkArgs(capacity, rate, lowestRate); err != nil {
		return nil, err
	}
	m := splitBlockModel()
	perKey := m.bitsPerKey(8*splitBlockBytes, rate, 1.6*math.Log2(1/rate))
	shares := uint64(math.Ceil(perKey * shareOfBit))
	const perBlock = 8 * splitBlockBytes * shareOfBit // bits of a block, in these shares: 2^13
	hi, lo := bits.Mul64(capacity, shares)
	if hi != 0 || lo > math.MaxUint64-perBlock || (lo+perBlock-1)/perBlock > maxBitset/splitBlockBytes {
		return nil, fmt.Errorf("%w: %d keys at rate %v need more than 2^31-1 bytes", ErrTooLarge, capacity, rate)
	}
	n := (lo + perBlock - 1) / perBlock
	if err := o.checkBytes(n * splitBlockBytes); err != nil {
		return nil, err
	}
	return &SplitBlock{
		blocks: make([]splitBlock, n), capacity: capacity, targetRate: rate, plain: o.Unsynchronized,
	}, nil
}

// ParseSplitBlock makes a filter of the bitset of a Parquet file, which it copies: a positive multiple of 32 bytes, else
// ErrCorrupt; above 2^31-1 bytes ErrTooLarge. Its Stats have no Capacity and TargetRate: the bitset does not tell.
func ParseSplitBlock(bitset []byte) (*SplitBlock, error) {
	if len(bitset) == 0 || len(bitset)%splitBlockBytes != 0 {
		return nil, fmt.Errorf("%w: bitset of %d bytes, want a positive multiple of 32", ErrCorrupt, len(bitset))
	}
	if len(bitset) > maxBitset {
		return nil, fmt.Errorf("%w: bitset of %d bytes, at most 2^31-1 allowed", ErrTooLarge, len(bitset))
	}
	s := &SplitBlock{blocks: make([]splitBlock, len(bitset)/splitBlockBytes)}
	for i := range s.blocks {
		in := bitset[splitBlockBytes*i:][:splitBlockBytes]
		for w := range s.blocks[i] {
			s.blocks[i][w] = binary.LittleEndian.Uint64(in[8*w:])
		}
	}
	return s, nil
}

// AppendBitset appends the bitset as Parquet stores it. It is safe beside writers.
func (s *SplitBlock) AppendBitset(b []byte) []byte {
	b = slices.Grow(b, len(s.blocks)*splitBlockBytes)
	for i := range s.blocks {
		for w := range s.blocks[i] {
			b = binary.LittleEndian.AppendUint64(b, atomic.LoadUint64(&s.blocks[i][w]))
		}
	}
	return b
}

// block returns the block of a hash. Parquet takes the high half of the hash times the number of blocks.
func (s *SplitBlock) block(h uint64) uint64 { return h >> 32 * uint64(len(s.blocks)) >> 32 }

// The salts of the specification: odd numbers, one per word, that turn the low half of the hash into bit positions.
const (
	salt0 = 0x47b6137b
	salt1 = 0x44974d91
	salt2 = 0x8824ad5b
	salt3 = 0xa2b7289d
	salt4 = 0x705495c7
	salt5 = 0x2df1424b
	salt6 = 0x9efc4947
	salt7 = 0x5c6bfb31
)

// pair returns the bits of two neighbouring words as one.
func pair(x, low, high uint32) uint64 {
	return 1<<(x*low>>27) | 1<<(32|x*high>>27)
}

// Add adds k.
func (s *SplitBlock) Add(k Key) {
	b, x := &s.blocks[s.block(k.h)], uint32(k.h)
	m := [4]uint64{pair(x, salt0, salt1), pair(x, salt2, salt3), pair(x, salt4, salt5), pair(x, salt6, salt7)}
	for w := range b {
		if s.plain {
			b[w] |= m[w]
		} else if atomic.LoadUint64(&b[w])&m[w] != m[w] {
			atomic.OrUint64(&b[w], m[w])
		}
	}
}

// Test reports whether k may be in the filter. False means certainly absent.
func (s *SplitBlock) Test(k Key) bool {
	i := s.block(k.h)
	if i >= uint64(len(s.blocks)) {
		return false
	}
	b, x := &s.blocks[i], uint32(k.h)
	return pair(x, salt0, salt1)&^atomic.LoadUint64(&b[0])|pair(x, salt2, salt3)&^atomic.LoadUint64(&b[1])|
		pair(x, salt4, salt5)&^atomic.LoadUint64(&b[2])|pair(x, salt6, salt7)&^atomic.LoadUint64(&b[3]) == 0
}

// touch starts to fetch the blocks of a chunk of keys, see the comment of chunk.
func (s *SplitBlock) touch(keys []Key) {
	if len(s.blocks) < smallBlocks*blockBytes/splitBlockBytes {
		return
	}
	for _, k := range keys {
		atomic.LoadUint64(&s.blocks[s.block(k.h)][0])
	}
}

// AddMany adds all keys.
func (s *SplitBlock) AddMany(keys []Key) {
	for part := range slices.Chunk(keys, chunk) {
		s.touch(part)
		for _, k := range part {
			s.Add(k)
		}
	}
}

// TestMany tests all keys and appends one result per key to dst, as Filter.TestMany does.
func (s *SplitBlock) TestMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	for part := range slices.Chunk(keys, chunk) {
		s.touch(part)
		for _, k := range part {
			dst = append(dst, s.Test(k))
		}
	}
	return dst
}

// Union adds all keys of t to s; ErrIncompatible, changing nothing, unless both have the same number of blocks.
func (s *SplitBlock) Union(t *SplitBlock) error {
	if t == nil || len(s.blocks) != len(t.blocks) {
		n := 0
		if t != nil {
			n = len(t.blocks)
		}
		return fmt.Errorf("%w: %d blocks against %d", ErrIncompatible, len(s.blocks), n)
	}
	for i := range s.blocks {
		for w := range s.blocks[i] {
			m := atomic.LoadUint64(&t.blocks[i][w])
			if s.plain {
				s.blocks[i][w] |= m
			} else if p := &s.blocks[i][w]; atomic.LoadUint64(p)&m != m {
				atomic.OrUint64(p, m)
			}
		}
	}
	return nil
}

// Stats reads all blocks. Rate is exact for the bits as they are; Capacity and TargetRate are 0 for a parsed filter.
func (s *SplitBlock) Stats() Stats {
	st := Stats{
		Capacity: s.capacity, TargetRate: s.targetRate, Bytes: uint64(len(s.blocks)) * splitBlockBytes, Filters: 1,
	}
	if len(s.blocks) == 0 {
		return st
	}
	ones := 0
	for i := range s.blocks {
		rate := 1.0
		for w := range s.blocks[i] {
			x := atomic.LoadUint64(&s.blocks[i][w])
			low, high := bits.OnesCount32(uint32(x)), bits.OnesCount32(uint32(x>>32))
			ones += low + high
			rate *= float64(low) / 32 * float64(high) / 32
		}
		st.Rate += rate / float64(len(s.blocks))
	}
	total := float64(len(s.blocks)) * 8 * splitBlockBytes
	st.Fill = float64(ones) / total
	// A key sets one bit of 32 in every word of its block, so a bit stays clear with exp(-keys/(32*blocks)).
	if ones > 0 {
		st.Keys = -32 * float64(len(s.blocks)) * math.Log1p(-st.Fill)
	}
	return st
}

// short is the error of data that ends too early.
func short(what string) error {
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, what, io.ErrUnexpectedEOF)
}
