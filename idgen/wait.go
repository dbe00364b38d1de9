package idgen

import (
	"context"
	"fmt"
	"time"
)

// nextSlow is NextFor for calls that found no free slot.
func (s *Snowflake) nextSlow(ctx context.Context, shard uint32) (ID, error) {
	w, slot, _, err := s.take(ctx, 1)
	if err != nil {
		return 0, err
	}
	return s.pack(w, slot, shard), nil
}

// take reserves up to n consecutive slots of one tick and sleeps until that tick starts.
//
// The order matters: the distance is known before the slot is taken, so a caller that may not wait that long takes none;
// the slot is taken before the sleep, so the sleepers are served in order and nobody has to try again.
func (s *Snowflake) take(ctx context.Context, n uint64) (w *window, slot, k uint64, err error) {
	for {
		w = s.win.Load()
		if w == nil {
			return nil, 0, 0, ErrClosed
		}
		d := s.now()
		now := s.clk.tickAt(d)
		if s.coarse && s.pump.tick.Load() != parked {
			s.pump.tick.Store(now)
		}
		limit, cur := w.limit.Load(), w.word.Load()
		slot = cur
		if now > s.maxTick {
			slot = limit // nothing is left, whatever the word says
		} else if int64(cur>>s.seqBits) < now {
			slot = uint64(now) << s.seqBits
		}
		if slot >= limit {
			if err := s.ended(w, max(now, int64(slot>>s.seqBits))); err != nil {
				return nil, 0, 0, err
			}
			continue
		}
		if now < 0 {
			return nil, 0, 0, fmt.Errorf("%w: it shows %v, the epoch is %v", ErrClock, s.clk.wall(d), s.layout.Epoch)
		}
		tick := int64(slot >> s.seqBits)
		wait := s.clk.startOf(tick) - d - s.maxAhead
		if wait > 0 {
			if err := s.allow(ctx, w, wait, now); err != nil {
				return nil, 0, 0, err
			}
		}
		k = min(n, s.seqMask+1-slot&s.seqMask, limit-slot)
		if !w.word.CompareAndSwap(cur, slot+k) {
			continue
		}
		if (slot+k)&s.seqMask == 0 {
			w.open.Store(shut)
		}
		if limit = w.limit.Load(); slot >= limit {
			continue // closed, or the worker changed: the next round tells which
		}
		if wait > 0 {
			err = s.sleep(ctx, w, tick, wait)
		}
		return w, slot, min(k, limit-slot), err
	}
}

// settle waits for a slot that is already taken: other callers used up the tick between the look and the add.
func (s *Snowflake) settle(ctx context.Context, w *window, tick int64) error {
	d := s.now()
	wait := s.clk.startOf(tick) - d - s.maxAhead
	if wait <= 0 {
		return nil
	}
	if err := s.allow(ctx, w, wait, s.clk.tickAt(d)); err != nil {
		return err
	}
	w.open.Store(shut)
	return s.sleep(ctx, w, tick, wait)
}

// allow decides whether a caller may sleep that long.
func (s *Snowflake) allow(ctx context.Context, w *window, wait, now int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if wait > s.maxWait {
		if high := max(s.high.Load(), w.from); now < high {
			return fmt.Errorf("%w: it is %v behind the last ID or the lease", ErrClock, time.Duration(wait+s.maxAhead))
		}
		s.exhausted.Add(1)
		return fmt.Errorf("%w: the next slot is in %v, MaxWait is %v", ErrExhausted, time.Duration(wait), max(0, time.Duration(s.maxWait)))
	}
	if end, ok := ctx.Deadline(); ok && int64(time.Until(end)) < wait {
		s.exhausted.Add(1)
		return fmt.Errorf("%w: the next slot is in %v: %w", ErrExhausted, time.Duration(wait), context.DeadlineExceeded)
	}
	return nil
}

// sleep returns when tick has started, less MaxAhead. A timer that fires early is armed again; a clock that goes back
// during the sleep can make the rest longer than MaxWait, which ends the call.
func (s *Snowflake) sleep(ctx context.Context, w *window, tick, wait int64) error {
	w.awaited.Store(tick)
	w.crowd.Add(1)
	defer w.crowd.Add(-1)
	begin := time.Now()
	t := time.NewTimer(time.Duration(wait))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		wait = s.clk.startOf(tick) - s.now() - s.maxAhead
		if wait <= 0 {
			break
		}
		if wait > s.maxWait {
			return fmt.Errorf("%w: it went back during the wait for a slot, by %v", ErrClock, time.Duration(wait))
		}
		t.Reset(time.Duration(wait))
	}
	s.waits.Add(1)
	s.waitTime.Add(int64(time.Since(begin)))
	return nil
}

// ended explains why a slot at tick is not below the window's limit. nil means that the window has changed: try again.
func (s *Snowflake) ended(w *window, tick int64) error {
	// A change of worker first sets the old limit to 0 and then publishes the new window, both under this mutex.
	s.closing.Lock()
	defer s.closing.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.win.Load() != w:
		return nil
	case tick > s.maxTick:
		return fmt.Errorf("%w: the layout ended at %v", ErrOverflow, s.layout.Expires())
	case s.keep == nil:
		return fmt.Errorf("%w: no slot is left before %v", ErrOverflow, s.layout.Expires())
	case w.limit.Load() > uint64(tick)<<s.seqBits:
		return nil // renewed meanwhile
	}
	return s.keep.lost(s.lastGrant)
}
