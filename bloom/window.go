package bloom

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Window remembers every key for at least span after its last Add or TestAndAdd and, apart from chance, has forgotten it
// after 1.25 spans. There is no goroutine and nothing to close: the filter moves on when it is used, on the monotonic
// clock, and it works inside a testing/synctest bubble. All methods are safe for concurrent use unless said otherwise.
//
// Since reads move the window on too, an Unsynchronized Window must not be shared at all. Make one with NewWindow;
// a zero Window tests false, and adding to it panics.
type Window struct {
	// state is immutable once published. The one caller that moves the window on publishes it under moving; every call
	// loads it.
	state   atomic.Pointer[windowState]
	moving  sync.Mutex // held while a state is made and published: short
	erasing sync.Mutex // guards spares; held while forgotten generations are erased. Taken after moving.
	spares  []*Filter  // erased generations
	stripes []stripe
	start   time.Time
	slice   time.Duration
	// Arguments of NewWindow.
	capacity uint64
	rate     float64
	plain    bool
}

// windowSlices is the number of slices of a span. Keys of the current slice and of the windowSlices before it are found,
// so a key lives from one span (added at the end of its slice) to 1.25 spans (at the beginning). More slices would
// forget more sharply and cost a probe each.
const (
	windowSlices = 4
	windowLive   = windowSlices + 1
	windowLowest = 1e-8
	leastSpan    = time.Millisecond
)

// windowState is what calls consult.
type windowState struct {
	index int64               // of the current slice, from 0
	until time.Duration       // end of the current slice, since start
	live  [windowLive]*Filter // generations, the current one first; nil where a slice passed without a call
}

// NewWindow returns an empty window. capacity is the number of distinct keys per span, at least 1, spread evenly (size
// it as four times the busiest quarter of a span where bursts must keep the rate); rate, 1e-8 to 0.5, is the chance that
// a key not seen within the window tests true; span is at least 1 ms. Out of range is ErrInvalid. The memory is six
// filters for a quarter of the keys each; above o.MaxBytes in sum it is ErrTooLarge.
func NewWindow(capacity uint64, rate float64, span time.Duration, o Options) (*Window, error) {
	if err := checkArgs(capacity, rate, windowLowest); err != nil {
		return nil, err
	}
	if span < leastSpan {
		return nil, fmt.Errorf("%w: span is %v, want at least %v", ErrInvalid, span, leastSpan)
	}
	l, err := Plan((capacity-1)/windowSlices+1, rate/windowLive)
	if err != nil {
		return nil, err
	}
	if err := o.checkBytes((windowLive + 1) * l.Bytes()); err != nil {
		return nil, err
	}
	w := &Window{
		start: time.Now(),
		slice: (span-1)/windowSlices + 1, capacity: capacity, rate: rate, plain: o.Unsynchronized,
	}
	if !w.plain {
		w.stripes = makeStripes(l.Blocks)
	}
	for range windowLive {
		w.spares = append(w.spares, makeBare(makeBlocks(l, o), l, o))
	}
	w.state.Store(&windowState{until: w.slice, live: [windowLive]*Filter{makeBare(makeBlocks(l, o), l, o)}})
	return w, nil
}

// current returns the state of this moment, moving the window on if its slice has ended; nil for a zero Window.
func (w *Window) current() *windowState {
	s := w.state.Load()
	if s == nil || time.Since(w.start) < s.until {
		return s
	}
	return w.move()
}

// move publishes the state of this moment and then erases what it dropped. Only the caller that publishes erases; callers
// that come meanwhile see the new state and go on, unless yet another slice ends before the erasing does.
func (w *Window) move() *windowState {
	w.moving.Lock()
	s := w.state.Load()
	elapsed := time.Since(w.start)
	if elapsed < s.until { // someone else was here first
		w.moving.Unlock()
		return s
	}
	w.erasing.Lock()
	next := &windowState{index: int64(elapsed / w.slice)}
	next.until = endOf(next.index, w.slice)
	passed := next.index - s.index
	var dropped [windowLive]*Filter
	for i, f := range s.live {
		if to := int64(i) + passed; to < windowLive {
			next.live[to] = f
		} else {
			dropped[i] = f
		}
	}
	// There are six generations and at most four are live in the slices before this one, so a spare is there.
	last := len(w.spares) - 1
	next.live[0], w.spares[last] = w.spares[last], nil
	w.spares = w.spares[:last]
	w.state.Store(next)
	w.moving.Unlock()
	defer w.erasing.Unlock()
	for _, f := range dropped {
		if f != nil {
			f.erase()
			w.spares = append(w.spares, f)
		}
	}
	return next
}

// endOf returns the end of a slice, held below overflow: after 292 years of uptime time stands still.
func endOf(index int64, slice time.Duration) time.Duration {
	if index >= math.MaxInt64/int64(slice)-1 {
		return math.MaxInt64
	}
	return time.Duration(index+1) * slice
}

// test asks the generations, the current one first.
func (s *windowState) test(k Key) bool {
	for _, f := range s.live {
		if f != nil && f.Test(k) {
			return true
		}
	}
	return false
}

// Test reports whether k may have been added within the window. False means certainly not within the last span.
func (w *Window) Test(k Key) bool {
	s := w.current()
	return s != nil && s.test(k)
}

// Add remembers k for span from now. An Add that stalls for more than a quarter of span between reading the clock and
// setting the bits may be forgotten earlier by that time.
func (w *Window) Add(k Key) { w.current().live[0].Add(k) }

// TestAndAdd is Test, then Add, as one step, with the guarantee of Filter.TestAndAdd, across the end of a slice too. A key
// that is already there is remembered for span from now as well.
func (w *Window) TestAndAdd(k Key) bool { return w.testAndAdd(w.current(), k) }

func (w *Window) testAndAdd(s *windowState, k Key) bool {
	if s.test(k) {
		s.live[0].Add(k) // writes nothing when the current generation has it
		return true
	}
	if w.plain {
		s.live[0].Add(k)
		return false
	}
	mu := lockFor(w.stripes, k)
	mu.Lock()
	// A caller with a newer state may have held this lock before and added to a generation that s does not have. The
	// state loaded now is at least as new as that caller's.
	s = w.state.Load()
	present := s.test(k)
	s.live[0].Add(k)
	mu.Unlock()
	return present
}

// AddMany adds all keys. The clock is read once per chunk of 64 keys.
func (w *Window) AddMany(keys []Key) {
	for part := range slices.Chunk(keys, chunk) {
		w.current().live[0].AddMany(part)
	}
}

// TestMany tests all keys and appends one result per key to dst, as Filter.TestMany does.
func (w *Window) TestMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	for part := range slices.Chunk(keys, chunk) {
		var live [windowLive]*Filter
		if s := w.current(); s != nil {
			live = s.live
		}
		dst = testStages(live[:], dst, part)
	}
	return dst
}

// TestAndAddMany does TestAndAdd with every key in order and appends one result per key to dst.
func (w *Window) TestAndAddMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	for part := range slices.Chunk(keys, chunk) {
		s := w.current()
		touchAll(s.live[:], part)
		for _, k := range part {
			dst = append(dst, w.testAndAdd(s, k))
		}
	}
	return dst
}

// Clear forgets all keys. It needs exclusive use of the window.
func (w *Window) Clear() {
	s := w.current()
	if s == nil {
		return
	}
	for _, f := range s.live {
		if f != nil {
			f.Clear()
		}
	}
}

// Stats reads all generations. Bytes is the memory of all six; Filters is 5, the generations that are consulted; Keys
// counts a key once for each generation that holds it, so a key that keeps coming counts up to five times.
func (w *Window) Stats() Stats {
	s := w.current()
	if s == nil {
		return Stats{}
	}
	st := sumStats(s.live[:])
	one := s.live[0].layout.Bytes()
	st.Fill *= float64(st.Filters) / windowLive // generations that never were are empty
	st.Capacity, st.TargetRate = w.capacity, w.rate
	st.Filters, st.Bytes = windowLive, (windowLive+1)*one
	return st
}
