package lru

import (
	"math"
	"math/bits"
)

// sketch estimates how often a key was inserted or used of late: a count-min sketch of three-bit counters (TinyLFU,
// Einziger, Friedman and Manes 2017). All counters of one key lie in one block of 64 bytes, so an access costs one
// cache miss. Everything is under the lock of the shard.
//
// Of the ten keys per entry that pass between two halvings most come once. The more counters a byte has, the fewer of
// them look as if they had come before; the larger a counter, the better are frequent keys told apart. Three bits do
// both.
type sketch struct {
	words  []uint64 // blocks of eight words, 21 counters a word
	added  int      // uses since the last halving
	period int      // uses between two halvings
	room   int      // entries of the shard at which it grows
}

const (
	sketchBlock = 8 // words
	sketchRows  = 4 // counters of one key
	sketchBits  = 3
	sketchMax   = 1<<sketchBits - 1
	sketchBytes = 8                  // per entry
	perWord     = 64 / sketchBits    // counters
	sketchKeep  = 0x36db6db6db6db6db // what a halving keeps of each counter
)

// resize makes room for n entries, or for expect if that is known and less. The counts so far are kept: a block is
// copied to those that it splits into.
func (s *sketch) resize(n, expect int) {
	s.room = n
	if expect > 0 && n >= expect {
		n, s.room = expect, math.MaxInt
	}
	size := max(1, (n*sketchBytes+8*sketchBlock-1)/(8*sketchBlock)) * sketchBlock
	s.period = agingFactor * max(n, 16)
	if size <= len(s.words) {
		return
	}
	next := make([]uint64, size)
	for i := 0; len(s.words) > 0 && i < size; i += sketchBlock {
		from := i / sketchBlock * (len(s.words) / sketchBlock) / (size / sketchBlock) * sketchBlock
		copy(next[i:i+sketchBlock], s.words[from:])
	}
	s.words = next
}

// block returns the words in which the counters of a hash lie, and the bits that choose them there. Neither the highest
// bits do for that, which choose the block, nor the lowest, which are the same for all keys of a shard.
func (s *sketch) block(h uint64) (block []uint64, rest uint64) {
	m := h * 0x9e3779b97f4a7c15 // the table uses the high bits of h itself
	hi, _ := bits.Mul64(m, uint64(len(s.words)/sketchBlock))
	return s.words[int(hi)*sketchBlock:][:sketchBlock], m >> 12 * 0xd6e8feb86659fd93
}

// counter returns the word and the shift of the k-th counter: two words of the block per row, so that the counters of
// a key never share one.
func counter(rest uint64, k int) (word, shift int) {
	const row = 2 * perWord
	i := int(rest>>(20+11*k)&2047) * row >> 11
	return 2*k + i/perWord, i % perWord * sketchBits
}

// peek reads a word of the block of a hash; see adaptive.fetch.
func (s *sketch) peek(h uint64) uint64 {
	if len(s.words) == 0 {
		return 0
	}
	block, _ := s.block(h)
	return block[0]
}

func (s *sketch) estimate(h uint64) int {
	block, rest := s.block(h)
	return lowest(block, rest)
}

func lowest(block []uint64, rest uint64) int {
	low := sketchMax
	for k := range sketchRows {
		w, shift := counter(rest, k)
		low = min(low, int(block[w]>>shift&sketchMax))
	}
	return low
}

// add counts n uses of a hash. Only the counters below the new count grow (conservative update, Estan and Varghese
// 2002): the others are higher because they count other keys too. It returns the estimate before.
func (s *sketch) add(h uint64, n uint32) (before int) {
	block, rest := s.block(h)
	before = lowest(block, rest)
	next := uint64(min(before+int(n), sketchMax))
	for k := range sketchRows {
		w, shift := counter(rest, k)
		if c := block[w] >> shift & sketchMax; c < next {
			block[w] += (next - c) << shift
		}
	}
	if s.added += int(n); s.added >= s.period {
		s.added /= 2
		for i, w := range s.words {
			s.words[i] = w >> 1 & sketchKeep
		}
	}
	return before
}
