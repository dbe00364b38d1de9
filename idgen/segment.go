package idgen

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Segment is a Generator over a Counter: it takes ranges, hands them out without a lock, and fetches the next range
// early. IDs ascend in the order of the calls. Numbers of a range that is not used up at Close or at a crash are lost:
// the sequence has gaps.
type Segment struct {
	_ noCopy

	// cur is the range in use. install publishes, every call loads.
	cur     atomic.Pointer[span]
	counter Counter
	o       SegmentOptions
	base    time.Time

	mu       sync.Mutex // only callers without a range, the fetch and Stats meet here
	ready    *span      // fetched early
	inflight *fetch     // the one Reserve under way
	closed   bool
	step     int64
	last     int64         // the highest number received, -1 before the first
	latency  time.Duration // of the last Reserve
	retryAt  time.Duration // since base: no Reserve before that
	pause    time.Duration // the back-off that led to retryAt
	stats    SegmentStats

	ctx    context.Context // of the fetches; Close ends it
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// span is a range of numbers.
type span struct {
	_    [120]byte
	next atomic.Int64 // the next number; every call moves it, also past the end
	_    [120]byte
	end  int64 // first number behind the range
	// early is the number whose taker starts the next fetch. install sets it, a failed early fetch moves it.
	early     atomic.Int64
	first     int64
	installed time.Duration // since Segment.base
}

// fetch is one Reserve, shared by all who wait for it.
type fetch struct {
	done chan struct{} // closed when err is set
	err  error
}

// SegmentOptions are the options of NewSegment. The zero value is right for a service.
type SegmentOptions struct {
	// MinStep and MaxStep bound the size of a range; default 100 and 1,000,000, at most 2^40.
	MinStep, MaxStep int64
	// Target is how long a range should last; default 10s.
	Target time.Duration
	// Timeout bounds one Reserve; default 2s.
	Timeout time.Duration
}

// SegmentStats is a snapshot of a Segment.
type SegmentStats struct {
	Step      int64 // size of the next range
	Remaining int64 // numbers in hand

	Fetches, FetchErrors uint64
	Stalls               uint64        // calls that had to wait for a range
	StallTime            time.Duration // and for how long in sum
	LastError            error         // of the last Reserve; nil after a success
}

// NewSegment returns a Segment over c. Nothing is fetched before the first call. A nil counter, a negative step or
// duration, a step above 2^40, or MaxStep < MinStep is ErrInvalid.
func NewSegment(c Counter, o SegmentOptions) (*Segment, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: counter is nil", ErrInvalid)
	}
	if o.MinStep < 0 || o.MaxStep < 0 || o.MinStep > maxReserve || o.MaxStep > maxReserve {
		return nil, fmt.Errorf("%w: MinStep is %d and MaxStep %d, 0 to %d", ErrInvalid, o.MinStep, o.MaxStep, int64(maxReserve))
	}
	if o.Target < 0 || o.Timeout < 0 {
		return nil, fmt.Errorf("%w: Target is %v and Timeout %v, at least 0", ErrInvalid, o.Target, o.Timeout)
	}
	if o.MinStep == 0 {
		o.MinStep = 100
		if o.MaxStep > 0 {
			o.MinStep = min(o.MinStep, o.MaxStep)
		}
	}
	if o.MaxStep == 0 {
		o.MaxStep = max(1_000_000, o.MinStep)
	}
	if o.MaxStep < o.MinStep {
		return nil, fmt.Errorf("%w: MaxStep is %d, at least MinStep, %d", ErrInvalid, o.MaxStep, o.MinStep)
	}
	if o.Target == 0 {
		o.Target = 10 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	s := &Segment{counter: c, o: o, base: time.Now(), step: o.MinStep, last: -1}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cur.Store(&span{})
	return s, nil
}

// Next returns the next number. It waits only when no range is in hand; then ctx ends the wait, not the fetch.
func (s *Segment) Next(ctx context.Context) (ID, error) {
	for {
		r := s.cur.Load()
		if r == nil {
			return 0, ErrClosed
		}
		if r.next.Load() < r.end {
			if n := r.next.Add(1) - 1; n < r.end {
				if n == r.early.Load() {
					s.prefetch(r) //nolint:contextcheck // one caller's end must not cancel what all wait for
				}
				return ID(n), nil
			}
		}
		if err := s.refill(ctx, r); err != nil {
			return 0, err
		}
	}
}

// Fill writes ascending numbers, possibly from several ranges. dst[:n] are valid and taken even when err != nil.
func (s *Segment) Fill(ctx context.Context, dst []ID) (n int, err error) {
	for n < len(dst) {
		r := s.cur.Load()
		if r == nil {
			return n, ErrClosed
		}
		first := r.next.Load()
		k := min(int64(len(dst)-n), r.end-first)
		if k <= 0 {
			if err := s.refill(ctx, r); err != nil {
				return n, err
			}
			continue
		}
		if !r.next.CompareAndSwap(first, first+k) {
			continue
		}
		for i := range k {
			dst[n+int(i)] = ID(first + i)
		}
		n += int(k)
		if early := r.early.Load(); early >= first && early < first+k {
			s.prefetch(r) //nolint:contextcheck // one caller's end must not cancel what all wait for
		}
	}
	return n, nil
}

// Stats returns a snapshot.
func (s *Segment) Stats() SegmentStats {
	r := s.cur.Load()
	if r == nil {
		return SegmentStats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Step = s.step
	st.Remaining = max(0, r.end-r.next.Load())
	if s.ready != nil {
		st.Remaining += s.ready.end - s.ready.first
	}
	return st
}

// Close ends the fetch under way and makes every later call ErrClosed. Closing twice is fine. Numbers in hand are lost.
func (s *Segment) Close(ctx context.Context) error {
	if s.cur.Load() == nil {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.ready = nil
	s.cancel()
	// Calls that already took a number keep it; the new, empty range sends all others to refill, which says closed.
	s.cur.Store(&span{})
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { s.done.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("idgen: close: %w", ctx.Err())
	}
}
