package bloom

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Options tune a filter. The zero value is right for a service.
type Options struct {
	// MaxBytes is the most memory that the bits may take, in bytes, else ErrTooLarge; 0 means 64 GiB (1<<36).
	// It bounds what a decoder accepts, and the sum over the parts of a Scalable or Window.
	MaxBytes uint64
	// Unsynchronized selects plain stores: one goroutine at a time may change the filter, and nobody may read
	// meanwhile. It saves the atomic operations of Add, for building a filter in one goroutine; afterwards
	// the filter may be handed to any number of readers through any synchronization.
	Unsynchronized bool
	// HugePages asks Linux for 2 MiB pages when the bits take 4 MiB or more, which saves most TLB misses of
	// large filters. It is a hint and never an error.
	HugePages bool
}

// Filter is a blocked Bloom filter: one cache line per key. All methods are safe for concurrent use unless said
// otherwise. Make one with New or Read, or decode into a zero Filter; otherwise a zero Filter tests false, and
// adding to it panics as writing to a nil map does.
type Filter struct {
	blocks  []block
	test    testKernel // of shape; nil for a zero Filter
	add     addKernel  // of shape and plain; nil for a zero Filter
	shape   shape
	plain   bool     // Options.Unsynchronized
	stripes []stripe // for TestAndAdd; a power of two many, nil when plain
	layout  Layout
	options Options
}

// A stripe is a mutex on a cache line of its own, so that keys of different stripes do not share a line.
type stripe struct {
	sync.Mutex
	_ [56]byte
}

// New returns an empty filter for capacity distinct keys, at least 1, whose false-positive rate is at most rate once
// they are in; rate goes from 1e-9 to 0.5. More keys are no error: the rate then rises smoothly, and Stats shows it.
// Arguments out of range are ErrInvalid. A size above o.MaxBytes is ErrTooLarge, before anything is allocated.
func New(capacity uint64, rate float64, o Options) (*Filter, error) {
	l, err := Plan(capacity, rate)
	if err != nil {
		return nil, err
	}
	if err := o.checkBytes(l.Bytes()); err != nil {
		return nil, err
	}
	return makeFilter(l, o), nil
}

// makeFilter allocates an empty filter of a layout whose size has been checked.
func makeFilter(l Layout, o Options) *Filter {
	return ownFilter(makeBlocks(l, o), l, o)
}

// makeBlocks allocates clear blocks. Sizes that are multiples of 64 come from the allocator on 64-byte boundaries; a
// test holds it to that.
func makeBlocks(l Layout, o Options) []block {
	blocks := make([]block, l.Blocks)
	if o.HugePages {
		adviseHuge(blocks)
	}
	return blocks
}

// ownFilter makes a filter of blocks that nobody else holds.
func ownFilter(blocks []block, l Layout, o Options) *Filter {
	f := makeBare(blocks, l, o)
	if !f.plain {
		f.stripes = makeStripes(l.Blocks)
	}
	return f
}

// makeBare leaves out the locks of TestAndAdd, for filters whose owner has its own.
func makeBare(blocks []block, l Layout, o Options) *Filter {
	s := l.shape()
	return &Filter{
		blocks: blocks, test: testKernelOf(s), add: addKernelOf(s, o.Unsynchronized),
		shape: s, plain: o.Unsynchronized, layout: l, options: o,
	}
}

// makeStripes gives one stripe per 16 KiB of bits, at most 64: ten thousand small filters stay small, and large
// ones have enough that goroutines seldom meet.
func makeStripes(blocks uint64) []stripe {
	const blocksPerStripe, most = 256, 64
	n := min(blocks/blocksPerStripe, most)
	return make([]stripe, 1<<max(bits.Len64(n)-1, 0))
}

// lockFor returns the mutex of a key. The low bits of the hash choose it: they do not choose the block.
func lockFor(stripes []stripe, k Key) *sync.Mutex {
	return &stripes[k.h&uint64(len(stripes)-1)].Mutex
}

// Add adds k. Adding a key twice changes nothing.
func (f *Filter) Add(k Key) {
	f.add(f, k.h)
}

// Test reports whether k may be in the filter. False means certainly absent. It takes no lock.
func (f *Filter) Test(k Key) bool {
	if f.test == nil { // a zero Filter
		return false
	}
	return f.test(f, k.h)
}

// TestAndAdd is Test, then Add, as one step. Of any number of concurrent calls with one key that is not in the
// filter exactly one returns false (none, if the key was a false positive).
//
// A duplicate, the common case, is answered without a lock. An absent key takes one of a few mutexes, chosen
// by its hash, and is tested again. The bits alone cannot decide: two callers racing with one key can each change
// one word of it, and both would win.
func (f *Filter) TestAndAdd(k Key) bool {
	if f.Test(k) {
		return true
	}
	if f.plain {
		f.Add(k)
		return false
	}
	if len(f.stripes) == 0 {
		panic("bloom: TestAndAdd on a zero Filter")
	}
	mu := lockFor(f.stripes, k)
	mu.Lock()
	present := f.Test(k)
	if !present {
		f.Add(k)
	}
	mu.Unlock()
	return present
}

// Clear removes all keys. It needs exclusive use of the filter.
func (f *Filter) Clear() {
	clear(f.blocks)
}

// erase is Clear beside readers and writers that came too late to matter.
func (f *Filter) erase() {
	for i := range f.blocks {
		b := &f.blocks[i]
		for w := range b {
			if atomic.LoadUint64(&b[w]) != 0 {
				atomic.StoreUint64(&b[w], 0)
			}
		}
	}
}

// Layout returns the geometry of the filter; it is zero for a zero Filter.
func (f *Filter) Layout() Layout { return f.layout }
