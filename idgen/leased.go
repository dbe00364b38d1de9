package idgen

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keeper renews the lease of a Snowflake. Its figures are under Snowflake.closing.
type keeper struct {
	leaser   Leaser
	ttl      time.Duration
	workers  uint32
	anew     bool // the keeper's goroutine only: the held number is lost, ask for another
	cancel   context.CancelFunc
	renewals uint64
	failures uint64
	lastErr  error
}

// NewLeased takes a free worker number from l, renews it in the background and gives it back in Close.
//
// The first renewal comes when a third of the window is used, then every third of TTL; a failed one is retried at least
// three times before the window ends. IDs flow until the end of the window, to the tick; then Next answers ErrLeaseLost
// until a renewal succeeds or another number is granted.
func NewLeased(ctx context.Context, l Leaser, o SnowflakeOptions) (*Snowflake, error) {
	if l == nil {
		return nil, fmt.Errorf("%w: Leaser is nil", ErrInvalid)
	}
	s, err := newSnowflake(o)
	if err != nil {
		return nil, err
	}
	least := max(10*s.layout.Unit, 100*time.Millisecond)
	ttl := o.TTL
	if ttl == 0 {
		ttl = max(30*time.Second, least)
	}
	if ttl < least || ttl > maxWindow {
		return nil, fmt.Errorf("%w: TTL is %v, %v (10 units) to %v", ErrInvalid, ttl, least, maxWindow)
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.keep = &keeper{leaser: l, ttl: ttl, workers: 1 << s.layout.WorkerBits, cancel: cancel}
	from := s.clk.wall(s.now())
	g, err := l.Acquire(ctx, s.keep.workers, from, from.Add(ttl))
	if err == nil {
		err = s.install(g)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("idgen: acquire a worker number: %w", err)
	}
	s.stopped.Go(func() { s.renewals(background) })
	return s, nil
}

// install makes g the window in use. The old word is sealed first: a call that took a slot from it before is counted in
// the word that is read afterwards, and any later call sees the limit of 0. The new word starts after the old one's last
// tick, so that IDs ascend across the change.
func (s *Snowflake) install(g Grant) error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return ErrClosed
	}
	if uint64(g.Worker) > mask(s.layout.WorkerBits) || !g.From.Before(g.Until) {
		return fmt.Errorf("%w: the leaser granted worker %d from %v until %v", ErrInvalid, g.Worker, g.From, g.Until)
	}
	from, limit := s.edges(g)
	first := max(1, uint64(from)<<s.seqBits)
	if old := s.win.Load(); old != nil {
		old.limit.Store(0)
		first = max(first, s.after(old)<<s.seqBits)
	}
	s.lastGrant = g
	s.win.Store(s.newWindow(g.Worker, from, limit, first))
	return nil
}

// after returns the first tick of which w has issued nothing.
func (s *Snowflake) after(w *window) uint64 {
	word := w.word.Load()
	if word == w.first {
		return word >> s.seqBits
	}
	return (word-1)>>s.seqBits + 1
}

// edges rounds a window inwards to ticks: From up, Until down. Both are clamped to the layout.
func (s *Snowflake) edges(g Grant) (from int64, limit uint64) {
	end := uint64(s.maxTick) + 1
	from = int64(min(uint64(max(0, s.layout.tickFrom(g.From))), end-1))
	until, _ := s.layout.tickOf(g.Until)
	return from, min(uint64(max(0, until)), end) << s.seqBits
}

// renewals is the keeper's goroutine.
func (s *Snowflake) renewals(ctx context.Context) {
	k := s.keep
	g := s.lease()
	t := time.NewTimer(g.From.Add(g.Until.Sub(g.From) / 3).Sub(s.clk.wall(s.now())))
	defer t.Stop()
	failed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := s.renew(ctx)
		s.closing.Lock()
		k.lastErr = err
		if err == nil {
			k.renewals++
		} else {
			k.failures++
		}
		s.closing.Unlock()
		if err == nil {
			failed = 0
			t.Reset(k.ttl / 3)
			continue
		}
		// Two thirds of the window are left at the first failure. An attempt takes at most TTL/8 and the pauses are
		// TTL/32, then TTL/16: four attempts fit.
		pause := k.ttl / 32
		if failed > 0 {
			pause = k.ttl / 16
		}
		failed++
		t.Reset(pause)
	}
}

func (s *Snowflake) lease() Grant {
	s.closing.Lock()
	defer s.closing.Unlock()
	return s.lastGrant
}

// renew extends the window, or asks for another number when the store says that this one is lost. Meanwhile the held
// window goes on to its end.
func (s *Snowflake) renew(ctx context.Context) error {
	k := s.keep
	ctx, cancel := context.WithTimeout(ctx, k.ttl/8)
	defer cancel()
	now := s.clk.wall(s.now())
	if !k.anew {
		g, err := k.leaser.Extend(ctx, s.lease(), now.Add(k.ttl))
		if err == nil {
			s.extend(g)
			return nil
		}
		if !errors.Is(err, ErrLeaseLost) {
			return err
		}
		k.anew = true
	}
	g, err := k.leaser.Acquire(ctx, k.workers, now, now.Add(k.ttl))
	if err != nil {
		return err
	}
	if err := s.install(g); err != nil {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.ttl/8)
		defer cancel()
		return errors.Join(err, k.leaser.Release(back, g, g.From))
	}
	k.anew = false
	return nil
}

// extend raises the limit of the window in use, unless Close has set it to 0.
func (s *Snowflake) extend(g Grant) {
	s.closing.Lock()
	defer s.closing.Unlock()
	s.lastGrant.Until = later(g.Until, s.lastGrant.Until)
	if w := s.win.Load(); !s.closed {
		_, limit := s.edges(s.lastGrant)
		w.limit.Store(max(limit, w.limit.Load()))
	}
}

// lost is the answer of calls after the end of the window.
func (k *keeper) lost(g Grant) error {
	if k.lastErr == nil {
		return fmt.Errorf("%w: worker %d was held until %v", ErrLeaseLost, g.Worker, g.Until)
	}
	return fmt.Errorf("%w: worker %d was held until %v: %w", ErrLeaseLost, g.Worker, g.Until, k.lastErr)
}

// Close stops the generator and every goroutine of it, then gives back the unused part of a lease window. With a
// cancelled ctx it still stops both; the window then ends by itself. Closing twice is fine.
func (s *Snowflake) Close(ctx context.Context) error {
	s.closing.Lock()
	w := s.win.Load()
	if w == nil || s.closed {
		s.closing.Unlock()
		return nil
	}
	s.closed = true // from here on nobody raises the limit or installs another window
	close(s.stop)
	if s.keep != nil {
		s.keep.cancel()
	}
	s.closing.Unlock()
	w.limit.Store(0) // before the word is read below: see NextFor

	done := make(chan struct{})
	go func() { s.stopped.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("idgen: close: %w", ctx.Err())
	}
	if s.keep == nil {
		return nil
	}
	g := s.lease()
	used, _ := s.layout.tickTime(s.after(w))
	used = later(g.From, used)
	if used.After(g.Until) {
		used = g.Until
	}
	// A lease that is lost already leaves nothing to give back.
	if err := s.keep.leaser.Release(ctx, g, used); err != nil && !errors.Is(err, ErrLeaseLost) {
		return fmt.Errorf("idgen: give back worker %d: %w", g.Worker, err)
	}
	return nil
}
