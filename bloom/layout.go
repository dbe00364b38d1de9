package bloom

import (
	"fmt"
	"math"
	"math/bits"
)

// Layout is the geometry of a Filter. Plan computes it at no cost, RateAt is its theory curve, and Probe names the
// bits of a key, for building other stores of the same bits. Methods of a Layout that no filter can have return
// zeros or an error; they do not panic.
type Layout struct {
	Capacity   uint64  // keys that the filter was sized for
	TargetRate float64 // false-positive rate once they are in
	Blocks     uint64  // of 64 bytes
	Words      int     // words that a key touches in its block: 2, 4 or 8
	Bits       int     // bits that it sets in each, some of which may coincide
}

const (
	blockBytes    = 64
	maxBlocks     = 1 << 40             // 64 TiB; keeps every offset of the format far from overflow
	defaultMax    = uint64(1) << 36     // Options.MaxBytes
	lowestRate    = 1e-9                // a 64-bit hash cannot tell keys apart much better
	manyBlocks    = 1024                // from here on the block count is a multiple of 8
	shareOfBit    = 32                  // bits per key are rounded up to 1/32
	blockCapacity = 512 * shareOfBit    // bits of a block in these shares
	addressSpace  = uint64(math.MaxInt) // bytes a slice can have at most
)

// Plan returns the geometry that New would choose, without allocating the filter. capacity is a number of keys,
// at least 1; rate is the false-positive rate once they are in, 1e-9 to 0.5; else ErrInvalid. A filter above 2^40
// blocks is ErrTooLarge.
func Plan(capacity uint64, rate float64) (Layout, error) {
	if err := checkArgs(capacity, rate, lowestRate); err != nil {
		return Layout{}, err
	}
	s, perKey := choose(rate)
	// Rounding up to 1/32 bit keeps a last-digit difference between processors out of the geometry.
	shares := uint64(math.Ceil(perKey * shareOfBit))
	hi, lo := bits.Mul64(capacity, shares)
	lo, carry := bits.Add64(lo, blockCapacity-1, 0)
	hi += carry
	blocks := hi<<(64-14) | lo>>14 // divided by blockCapacity, 2^14
	if hi>>14 != 0 || blocks > maxBlocks {
		return Layout{}, fmt.Errorf("%w: %d keys at rate %v need more than 2^40 blocks", ErrTooLarge, capacity, rate)
	}
	if blocks >= manyBlocks {
		blocks = (blocks + 7) &^ 7 // so that three folds are always possible; at most 0.7 %
	}
	g, p := s.words()
	return Layout{Capacity: capacity, TargetRate: rate, Blocks: blocks, Words: g, Bits: p}, nil
}

// Bytes returns the size of the bits, 64*Blocks. The serialized form takes 72 bytes more.
func (l Layout) Bytes() uint64 { return blockBytes * l.Blocks }

// RateAt returns the expected false-positive rate with that many distinct keys, by the exact model of this layout.
// It is a little pessimistic for filters of a few blocks. It costs a few microseconds.
func (l Layout) RateAt(keys float64) float64 {
	s := l.shape()
	if l.Blocks == 0 || s == shapeNone {
		return 0
	}
	m := newModel(s)
	return m.rate(keys / float64(l.Blocks))
}

// Probe returns the block of k and its bits there, word by word: the normative definition of the layout. The key is
// in a filter if and only if all these bits are set. It costs more than Test and is meant for stores of the same bits.
func (l Layout) Probe(k Key) (block uint64, mask [8]uint64) {
	if l.Blocks == 0 || l.shape() == shapeNone {
		return 0, mask
	}
	block, _ = bits.Mul64(k.h, l.Blocks)
	x := mix(k.h)
	y := mix2(x)
	perGroup := 8 / l.Words
	width := 64 / l.Words // of a lane
	if bits.Len(uint(perGroup-1))+6*l.Bits > width {
		width = 128 / l.Words
	}
	for j := range l.Words {
		lane := x >> (j * width % 64)
		if j*width >= 64 {
			lane = y >> (j * width % 64)
		}
		var m uint64
		for range l.Bits {
			m |= 1 << (lane & 63)
			lane >>= 6
		}
		mask[j*perGroup+int(lane&uint64(perGroup-1))] = m
	}
	return block, mask
}

func (l Layout) shape() shape { return shapeOf(l.Words, l.Bits) }

// sameGeometry reports whether bits mean the same keys under both layouts. Capacity and TargetRate do not count.
func (l Layout) sameGeometry(o Layout) bool {
	return l.Blocks == o.Blocks && l.Words == o.Words && l.Bits == o.Bits
}

// check reports what no filter can have, wrapped in kind: ErrInvalid for a caller's layout, ErrCorrupt for decoded data.
func (l Layout) check(kind error) error {
	switch {
	case l.shape() == shapeNone:
		return fmt.Errorf("%w: %d words of %d bits is not a layout", kind, l.Words, l.Bits)
	case l.Blocks == 0 || l.Blocks > maxBlocks:
		return fmt.Errorf("%w: block count is %d, want 1 to 2^40", kind, l.Blocks)
	case l.Capacity == 0:
		return fmt.Errorf("%w: capacity is 0", kind)
	case !(l.TargetRate > 0 && l.TargetRate < 1):
		return fmt.Errorf("%w: target rate is %v, want above 0 and below 1", kind, l.TargetRate)
	}
	return nil
}

// checkBytes reports ErrTooLarge for a size above the limit of o or above the address space.
func (o Options) checkBytes(bytes uint64) error {
	limit := o.MaxBytes
	if limit == 0 {
		limit = defaultMax
	}
	limit = min(limit, addressSpace)
	if bytes > limit {
		return fmt.Errorf("%w: %d bytes needed, at most %d allowed", ErrTooLarge, bytes, limit)
	}
	return nil
}
