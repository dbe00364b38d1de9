package idgen

import (
	"sync/atomic"
	"time"
)

// parked is the published tick while no goroutine advances it: callers then read the clock themselves.
const parked = int64(-1) << 63

// pump is the coarse clock: a goroutine that publishes the tick while there is traffic.
type pump struct {
	_       [120]byte
	tick    atomic.Int64 // the goroutine and every 64th call publish; every call loads
	_       [120]byte
	running atomic.Bool // whoever sets it starts the goroutine, which clears it at its end
}

// wakePump reads the clock for one call and starts the goroutine for the next ones.
func (s *Snowflake) wakePump(w *window) int64 {
	now := s.clk.tickAt(s.now())
	if now < 0 || !s.pump.running.CompareAndSwap(false, true) {
		return now
	}
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return now
	}
	s.pump.tick.Store(now)
	s.stopped.Go(func() { s.advance(w.word.Load()) })
	return now
}

// advance publishes the tick until an interval passes without an ID.
func (s *Snowflake) advance(word uint64) {
	t := time.NewTicker(time.Duration(s.coarseEvery))
	defer t.Stop()
	defer s.pump.running.Store(false)
	defer s.pump.tick.Store(parked)
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
		}
		last := word
		if word = s.win.Load().word.Load(); word == last {
			return
		}
		now := s.clk.tickAt(s.now())
		if now < 0 {
			return
		}
		s.pump.tick.Store(now)
	}
}
