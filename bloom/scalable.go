package bloom

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Scalable is a filter that grows: the chance that a fresh key tests true stays below the rate it was made for, however
// many keys come. It is a list of Filters, each of twice the capacity and 0.8 of the rate of the one before. All methods
// are safe for concurrent use unless said otherwise. Make one with NewScalable; a zero Scalable tests false.
type Scalable struct {
	// stages is immutable once published. The goroutine that grows publishes it under growing; every call loads it.
	stages  atomic.Pointer[[]*Filter]
	stripes []scalableStripe
	growing sync.Mutex // held while a stage is added; taken after a stripe, never before one
	// added counts first-time keys. Writers add to it in batches from their stripes; whoever finds it at limit grows.
	added atomic.Uint64
	// limit is the count at which the newest stage is full, or no limit when MaxBytes allows no further stage. It is
	// published under growing.
	limit   atomic.Uint64
	initial uint64
	rate    float64
	batch   uint64 // keys that a stripe may hold back from added
	options Options
}

// scalableStripe serializes the first-time adds of some keys, on a cache line of its own.
type scalableStripe struct {
	sync.Mutex
	pending uint64 // first-time keys not yet in added; guarded by the mutex
	_       [48]byte
}

const (
	growth          = 2
	tightening      = 0.8
	firstShare      = 1 - tightening // the sum of 0.2*0.8^i over all i is 1
	scalableLowest  = 1e-6
	scalableStripes = 64
)

// NewScalable returns an empty filter that starts with the memory for initialCapacity keys, at least 1. rate goes from 1e-6
// to 0.5, else ErrInvalid. The first stage above o.MaxBytes is ErrTooLarge; when a later one would bring the sum above
// it, the last stage overfills instead, and Stats().Rate tells.
func NewScalable(initialCapacity uint64, rate float64, o Options) (*Scalable, error) {
	if err := checkArgs(initialCapacity, rate, scalableLowest); err != nil {
		return nil, err
	}
	s := &Scalable{
		initial: initialCapacity, rate: rate, options: o,
		stripes: make([]scalableStripe, scalableStripes),
		// 64 stripes that hold back 1/4096 each delay growth by 1.6 % at most.
		batch: max(1, min(64, initialCapacity/4096)),
	}
	first, err := s.stage(0, 0)
	if err != nil {
		return nil, err
	}
	s.stages.Store(&[]*Filter{first})
	s.limit.Store(initialCapacity)
	return s, nil
}

// stage makes the filter of stage i; used is the memory of the others.
func (s *Scalable) stage(i int, used uint64) (*Filter, error) {
	capacity := s.initial
	for range i {
		if capacity > math.MaxUint64/growth {
			return nil, fmt.Errorf("%w: stage %d", ErrTooLarge, i)
		}
		capacity *= growth
	}
	l, err := Plan(capacity, max(lowestRate, s.rate*firstShare*math.Pow(tightening, float64(i))))
	if err != nil {
		return nil, err
	}
	if err := s.options.checkBytes(used + l.Bytes()); err != nil {
		return nil, err
	}
	return makeBare(makeBlocks(l, s.options), l, s.options), nil
}

// list returns the stages, oldest first; none for a zero Scalable.
func (s *Scalable) list() []*Filter {
	if p := s.stages.Load(); p != nil {
		return *p
	}
	return nil
}

// Test reports whether k may be in the filter. False means certainly absent. It takes no lock. The newest stage, which
// holds half of the keys, is asked first.
func (s *Scalable) Test(k Key) bool {
	for _, f := range slices.Backward(s.list()) {
		if f.Test(k) {
			return true
		}
	}
	return false
}

// Add adds k. A key that is already there changes nothing and never makes the filter grow.
func (s *Scalable) Add(k Key) { s.TestAndAdd(k) }

// TestAndAdd is Test, then Add, as one step, with the guarantee of Filter.TestAndAdd, across a growth step too.
func (s *Scalable) TestAndAdd(k Key) bool {
	if s.Test(k) {
		return true
	}
	if s.options.Unsynchronized {
		return s.addFirst(k, 0)
	}
	stripe := &s.stripes[k.h&(scalableStripes-1)]
	stripe.Lock()
	defer stripe.Unlock()
	// Whoever added this key did so under this stripe, so the list loaded now holds its stage.
	if s.Test(k) {
		return true
	}
	stripe.pending++
	if stripe.pending < s.batch {
		s.newest().Add(k)
		return false
	}
	n := stripe.pending
	stripe.pending = 0
	return s.addFirst(k, n-1)
}

func (s *Scalable) newest() *Filter {
	stages := s.list()
	return stages[len(stages)-1]
}

// addFirst adds an absent key, counts it and held others, and grows when the newest stage is full. It returns false.
func (s *Scalable) addFirst(k Key, held uint64) bool {
	s.newest().Add(k)
	if s.added.Add(held+1) >= s.limit.Load() {
		s.grow()
	}
	return false
}

// grow publishes a further stage unless another goroutine just did or MaxBytes forbids it.
func (s *Scalable) grow() {
	s.growing.Lock()
	defer s.growing.Unlock()
	if s.added.Load() < s.limit.Load() {
		return
	}
	stages := s.list()
	var used uint64
	for _, f := range stages {
		used += f.layout.Bytes()
	}
	next, err := s.stage(len(stages), used)
	if err != nil { // too large: the last stage takes the rest
		s.limit.Store(math.MaxUint64)
		return
	}
	grown := append(slices.Clone(stages), next)
	s.stages.Store(&grown)
	// What was counted until now, the excess of goroutines that waited here too, is in the old stages.
	s.limit.Store(s.added.Load() + next.layout.Capacity)
}

// AddMany adds all keys.
func (s *Scalable) AddMany(keys []Key) {
	for part := range slices.Chunk(keys, chunk) {
		s.touch(part)
		for _, k := range part {
			s.TestAndAdd(k)
		}
	}
}

// TestMany tests all keys and appends one result per key to dst, as Filter.TestMany does.
func (s *Scalable) TestMany(dst []bool, keys []Key) []bool {
	return testStages(s.list(), dst, keys)
}

// TestAndAddMany does TestAndAdd with every key in order and appends one result per key to dst.
func (s *Scalable) TestAndAddMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	for part := range slices.Chunk(keys, chunk) {
		s.touch(part)
		for _, k := range part {
			dst = append(dst, s.TestAndAdd(k))
		}
	}
	return dst
}

// touch starts to fetch the blocks of a chunk in every stage too large for the cache.
func (s *Scalable) touch(part []Key) { touchAll(s.list(), part) }

func touchAll(filters []*Filter, part []Key) {
	for _, f := range filters {
		if f != nil {
			touch(f.blocks, part)
		}
	}
}

// testStages appends one result per key: whether any of the filters, some of which may be nil, holds it.
func testStages(filters []*Filter, dst []bool, keys []Key) []bool {
	n := len(dst)
	dst = slices.Grow(dst, len(keys))[:n+len(keys)]
	out := dst[n:]
	clear(out)
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		var hit [chunk]bool
		for _, f := range filters {
			if f == nil {
				continue
			}
			f.testMany(hit[:len(part)], part)
			for j := range part {
				out[j] = out[j] || hit[j]
			}
		}
		keys, out = keys[len(part):], out[len(part):]
	}
	return dst
}

// Clear removes all keys and gives the later stages back. It needs exclusive use of the filter.
func (s *Scalable) Clear() {
	stages := s.list()
	if len(stages) == 0 {
		return
	}
	stages[0].Clear()
	s.stages.Store(&[]*Filter{stages[0]})
	s.limit.Store(s.initial)
	s.added.Store(0)
	for i := range s.stripes {
		s.stripes[i].pending = 0
	}
}

// Stats reads all blocks of all stages. Capacity, Bytes and Keys are sums, Filters is the number of stages, Rate is the
// chance that any stage errs, Fill the share of all bits.
func (s *Scalable) Stats() Stats {
	st := sumStats(s.list())
	st.TargetRate = s.rate
	return st
}

// sumStats puts the statistics of several filters together; some may be nil.
func sumStats(filters []*Filter) Stats {
	var sum Stats
	clean := 1.0 // the chance that no filter errs
	var ones, total float64
	for _, f := range filters {
		if f == nil {
			continue
		}
		st := f.Stats()
		sum.Filters++
		sum.Capacity += st.Capacity
		sum.Bytes += st.Bytes
		sum.Keys += st.Keys
		clean *= 1 - st.Rate
		ones += st.Fill * float64(st.Bytes)
		total += float64(st.Bytes)
	}
	sum.Rate = 1 - clean
	if total > 0 {
		sum.Fill = ones / total
	}
	return sum
}
