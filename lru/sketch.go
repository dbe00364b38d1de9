package lru

import (
	"math"
	"math/bits"
)

// sketch estimates how often a key was inserted or used of late: a count-min sketch of four-bit counters (TinyLFU,
// Einziger, Friedman and Manes 2017). All counters of one key lie in one block of 64 bytes, so an access costs one
// cache miss. Everything is under the lock of the shard.
type sketch struct {
	words  []uint64 // blocks of eight words, sixteen counters a word
	added  int      // increments since the last halving
	period int      // increments between two halvings
	room   int      // entries of the shard at which it grows
}

const (
	sketchBlock = 8 // words
	sketchMax   = 15
	sketchBytes = 8                  // per entry
	nibbleHigh  = 0x7777777777777777 // what a halving keeps of each counter
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

// at returns the word and the shift of the k-th counter of a hash: two words of the block per counter, so that the
// four counters of a key never share one.
func (s *sketch) at(h uint64, k int) (word, shift int) {
	m := h * 0x9e3779b97f4a7c15 // the table uses the high bits of h itself
	hi, _ := bits.Mul64(m, uint64(len(s.words)/sketchBlock))
	block := int(hi) * sketchBlock
	b := m >> (k * 5)
	return block + 2*k + int(b&1), int(b>>1&15) * 4
}

// peek reads a word of the block of a hash; see adaptive.fetch.
func (s *sketch) peek(h uint64) uint64 {
	if len(s.words) == 0 {
		return 0
	}
	w, _ := s.at(h, 0)
	return s.words[w]
}

func (s *sketch) estimate(h uint64) int {
	low := sketchMax
	for k := range 4 {
		w, shift := s.at(h, k)
		low = min(low, int(s.words[w]>>shift&sketchMax))
	}
	return low
}

// add counts n uses of a hash. Only the lowest of its counters grow (conservative update, Estan and Varghese 2002): the
// others are higher because they count other keys too.
func (s *sketch) add(h uint64, n uint32) {
	for ; n > 0; n-- {
		low := s.estimate(h)
		if low == sketchMax {
			return
		}
		for k := range 4 {
			if w, shift := s.at(h, k); int(s.words[w]>>shift&sketchMax) == low {
				s.words[w] += 1 << shift
			}
		}
		if s.added++; s.added >= s.period {
			s.added /= 2
			for i, w := range s.words {
				s.words[i] = w >> 1 & nibbleHigh
			}
		}
	}
}
