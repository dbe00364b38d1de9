package idgen

import (
	"context"
	"fmt"
	"time"
)

const (
	firstPause = 10 * time.Millisecond // back-off after a failed Reserve, doubled up to
	maxPause   = time.Second
	// earlyFetches is how many times the last fetch's duration a range must still last when the next one is started.
	earlyFetches = 10
)

// refill gives the caller that found r empty another range to try. All callers that meet here share one Reserve; each
// waits with its own context.
func (s *Segment) refill(ctx context.Context, r *span) error {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return ErrClosed
	case s.cur.Load() != r:
		s.mu.Unlock()
		return nil
	case s.ready != nil:
		s.install()
		s.mu.Unlock()
		return nil
	}
	if err := ctx.Err(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.inflight == nil {
		if wait := s.retryAt - time.Since(s.base); wait > 0 {
			err := s.stats.LastError
			s.mu.Unlock()
			return fmt.Errorf("idgen: no range in hand, next attempt in %v: %w", wait, err)
		}
		s.fetch(s.step) //nolint:contextcheck // one caller's end must not cancel what all wait for
	}
	f := s.inflight
	s.mu.Unlock()
	begin := time.Now()
	defer func() {
		s.mu.Lock()
		s.stats.Stalls++
		s.stats.StallTime += time.Since(begin)
		s.mu.Unlock()
	}()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prefetch starts the next fetch while r still has numbers.
func (s *Segment) prefetch(r *span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.cur.Load() != r || s.ready != nil || s.inflight != nil {
		return
	}
	s.adapt(r)
	s.fetch(s.step)
}

// adapt sizes the next range from the pace of r: doubled when r will have lasted less than half of Target, halved above
// twice Target.
func (s *Segment) adapt(r *span) {
	used := min(r.next.Load(), r.end) - r.first
	if used <= 0 {
		return
	}
	whole := float64(time.Since(s.base)-r.installed) / float64(used) * float64(r.end-r.first)
	switch target := float64(s.o.Target); {
	case whole < target/2:
		s.step = min(s.step*2, s.o.MaxStep)
	case whole > target*2:
		s.step = max(s.step/2, s.o.MinStep)
	}
}

// fetch starts the one Reserve. The caller holds mu and has seen that none is under way.
func (s *Segment) fetch(n int64) {
	f := &fetch{done: make(chan struct{})}
	s.inflight = f
	s.done.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, s.o.Timeout)
		defer cancel()
		begin := time.Since(s.base)
		first, err := s.counter.Reserve(ctx, n)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.latency = time.Since(s.base) - begin
		f.err = s.receive(first, n, err)
		s.inflight = nil
		close(f.done)
	})
}

// receive takes the outcome of a Reserve. A range that starts at or below the highest number ever received is refused as
// a whole: its store lost data, and any number of it may have been given out before.
func (s *Segment) receive(first, n int64, err error) error {
	s.stats.Fetches++
	switch {
	case s.closed:
		return ErrClosed
	case err != nil:
		err = fmt.Errorf("idgen: reserve %d numbers: %w", n, err)
	case first < 0 || first > maxID-n:
		err = fmt.Errorf("%w: the counter returned %d for %d numbers", ErrRange, first, n)
	case first <= s.last:
		err = fmt.Errorf("%w: it returned %d after %d", ErrRegressed, first, s.last)
	}
	s.stats.LastError = err
	if err != nil {
		s.stats.FetchErrors++
		s.failed()
		return err
	}
	s.pause, s.retryAt = 0, 0
	s.last = first + n - 1
	s.ready = &span{end: first + n, first: max(first, 1)} // 0 is never handed out
	s.ready.next.Store(s.ready.first)
	return nil
}

// failed backs off. While the current range still has numbers the fetch is tried again halfway to its end, so that
// callers see an error only when the range is empty.
func (s *Segment) failed() {
	s.pause = min(max(2*s.pause, firstPause), maxPause)
	s.retryAt = time.Since(s.base) + s.pause
	r := s.cur.Load()
	next := r.next.Load()
	if left := r.end - next; left > 0 {
		r.early.Store(next + left/2)
		s.retryAt = 0 // a caller that finds the range empty may try at once
	}
}

// install makes the fetched range the current one. It fixes the number whose taker starts the next fetch: halfway, or
// earlier when the rest would not last earlyFetches fetches at the pace of the range before.
func (s *Segment) install() {
	now := time.Since(s.base)
	old, r := s.cur.Load(), s.ready
	s.ready = nil
	r.installed = now
	size := r.end - r.first
	lead := size / 2
	if lasted := now - old.installed; old.end > old.first && lasted > 0 {
		pace := float64(old.end-old.first) / float64(lasted)
		lead = max(lead, int64(min(pace*float64(earlyFetches*s.latency), float64(size))))
	}
	r.early.Store(r.end - max(lead, 1))
	s.cur.Store(r)
}
