package bloom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
)

// Classic is the filter of github.com/bits-and-blooms/bloom with its hashing and its wire format, made safe to share and
// safe to decode: a lock, argument checks, bounded decoding and Stats. Use it for filters that other programs
// write or read; Filter is several times faster. Its keys are byte slices because the other package's hash of the
// bytes is part of the format. All methods are safe for concurrent use. Make one with NewClassic or ReadClassic;
// a zero Classic tests false, and adding to it panics.
type Classic struct {
	mu         sync.RWMutex // guards the bits of filter; the pointer never changes
	filter     *bloom.BloomFilter
	capacity   uint64
	targetRate float64
}

// classicHashes is the most hash functions that ReadClassic accepts: 30 serve a rate of 1e-9, and each costs a cache
// miss per key, so a larger number is damage or malice.
const classicHashes = 256

// NewClassic returns an empty filter for capacity keys at a false-positive rate of 1e-9 to 0.5, else ErrInvalid, with the
// other package's formula for size and hash functions. ErrTooLarge above o.MaxBytes; the other options are not used.
func NewClassic(capacity uint64, rate float64, o Options) (*Classic, error) {
	if err := checkArgs(capacity, rate, lowestRate); err != nil {
		return nil, err
	}
	// An estimate from above first: the exact formula is in uint, which on 32-bit processors wraps.
	estimate := -float64(capacity) * math.Log(rate) / (math.Ln2 * math.Ln2)
	if estimate > math.MaxInt-64 || capacity > math.MaxInt {
		return nil, fmt.Errorf("%w: %d keys at rate %v", ErrTooLarge, capacity, rate)
	}
	m, k := bloom.EstimateParameters(uint(capacity), rate)
	if err := o.checkBytes(bitsetBytes(uint64(m))); err != nil {
		return nil, err
	}
	return &Classic{filter: bloom.New(m, k), capacity: capacity, targetRate: rate}, nil
}

// bitsetBytes returns the memory of m bits in words of 64.
func bitsetBytes(m uint64) uint64 { return (m/64 + (m%64+63)/64) * 8 }

// ReadClassic reads one filter that WriteTo of this or of the other package wrote (in its default, big-endian order), and
// not one byte more. A short or inconsistent stream is ErrCorrupt, a filter above o.MaxBytes ErrTooLarge, and other
// errors of r are returned wrapped. Memory grows with the bytes that arrive, whatever the header claims. The format
// has no checksum, so damaged bits go unnoticed, and it does not tell the capacity.
func ReadClassic(r io.Reader, o Options) (*Classic, error) {
	var head [24]byte // m, k and the length of the bitset
	if err := readFull(r, head[:]); err != nil {
		return nil, err
	}
	m, k := binary.BigEndian.Uint64(head[:]), binary.BigEndian.Uint64(head[8:])
	length := binary.BigEndian.Uint64(head[16:])
	if m == 0 || k == 0 || k > classicHashes || m != length {
		return nil, fmt.Errorf("%w: %d bits in a bitset of %d, %d hash functions", ErrCorrupt, m, length, k)
	}
	size := bitsetBytes(m)
	if err := o.checkBytes(size); err != nil {
		return nil, err
	}
	if m > math.MaxInt {
		return nil, fmt.Errorf("%w: %d bits", ErrTooLarge, m)
	}
	body, err := readGrowing(r, size)
	if err != nil {
		return nil, err
	}
	var f bloom.BloomFilter
	if _, err := f.ReadFrom(io.MultiReader(bytes.NewReader(head[:]), bytes.NewReader(body))); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &Classic{filter: &f}, nil
}

// readGrowing reads size bytes with memory in step with what arrives.
func readGrowing(r io.Reader, size uint64) ([]byte, error) {
	const first = 256 << 10
	b := make([]byte, 0, min(size, first))
	for uint64(len(b)) < size {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(size, 2*uint64(cap(b))))
			copy(grown, b)
			b = grown
		}
		n := len(b)
		b = b[:cap(b)]
		if err := readFull(r, b[n:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Add adds key.
func (c *Classic) Add(key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.filter.Add(key)
}

// Test reports whether key may be in the filter. False means certainly absent.
func (c *Classic) Test(key []byte) bool {
	if c.filter == nil {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.filter.Test(key)
}

// TestAndAdd is Test, then Add, as one step: of concurrent calls with one absent key exactly one returns false.
func (c *Classic) TestAndAdd(key []byte) bool {
	if c.Test(key) { // duplicates, the common case, share the read lock
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filter.TestAndAdd(key)
}

// Union adds all keys of d to c; ErrIncompatible unless both have the same number of bits and hash functions. It works on
// a copy of d's bits, so it never holds two locks, and two filters may be united into each other at the same time.
func (c *Classic) Union(d *Classic) error {
	if d == nil || c.filter == nil || d.filter == nil {
		return fmt.Errorf("%w: a filter is nil", ErrIncompatible)
	}
	if c.filter.Cap() != d.filter.Cap() || c.filter.K() != d.filter.K() {
		return fmt.Errorf("%w: %d bits and %d hash functions against %d and %d", ErrIncompatible,
			c.filter.Cap(), c.filter.K(), d.filter.Cap(), d.filter.K())
	}
	if c == d {
		return nil
	}
	d.mu.RLock()
	snapshot := d.filter.Copy()
	d.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.filter.Merge(snapshot); err != nil {
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	}
	return nil
}

// WriteTo writes the filter in the other package's format, which it reads unchanged. Writers wait meanwhile.
func (c *Classic) WriteTo(w io.Writer) (int64, error) {
	if c.filter == nil {
		return 0, fmt.Errorf("%w: zero Classic has no bits", ErrInvalid)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, err := c.filter.WriteTo(w)
	if err != nil {
		return n, fmt.Errorf("bloom: write filter: %w", err)
	}
	return n, nil
}

// Stats reads all bits. Capacity and TargetRate are 0 for a filter that was read: the format does not tell them.
func (c *Classic) Stats() Stats {
	s := Stats{Capacity: c.capacity, TargetRate: c.targetRate, Filters: 1}
	if c.filter == nil {
		return s
	}
	c.mu.RLock()
	ones := c.filter.BitSet().Count()
	c.mu.RUnlock()
	m, k := float64(c.filter.Cap()), float64(c.filter.K())
	s.Bytes = bitsetBytes(uint64(c.filter.Cap()))
	s.Fill = min(1, float64(ones)/m)
	s.Rate = math.Pow(s.Fill, k)
	if ones > 0 {
		s.Keys = -m / k * math.Log1p(-s.Fill)
	}
	return s
}
