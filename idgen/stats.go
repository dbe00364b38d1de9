package idgen

import "time"

// SnowflakeStats is a snapshot of a Snowflake. It costs the hot path nothing: only calls that wait or fail are counted.
type SnowflakeStats struct {
	Waits       uint64        // calls that slept
	WaitTime    time.Duration // and for how long in sum
	Exhausted   uint64        // calls refused with ErrExhausted
	ClockSteps  uint64        // backward steps seen
	LargestStep time.Duration // the largest of them
	Ahead       time.Duration // distance of the last slot from the clock, >= 0
	Lease       Grant         // zero without a lease
	Renewals    uint64        // successful renewals and changes of worker
	RenewErrors uint64        // failed ones
	LastError   error         // of the last renewal; nil after a success
}

// Stats returns a snapshot. On a zero Snowflake it is zero.
func (s *Snowflake) Stats() SnowflakeStats {
	w := s.win.Load()
	if w == nil {
		return SnowflakeStats{}
	}
	st := SnowflakeStats{
		Waits: s.waits.Load(), WaitTime: time.Duration(s.waitTime.Load()), Exhausted: s.exhausted.Load(),
		ClockSteps: s.clk.steps.Load(), LargestStep: time.Duration(s.clk.largest.Load()),
	}
	if word := w.word.Load(); word > w.first {
		st.Ahead = time.Duration(max(0, s.clk.startOf(int64((word-1)>>s.seqBits))-s.now()))
	}
	if s.keep != nil {
		s.closing.Lock()
		defer s.closing.Unlock()
		st.Lease, st.LastError = s.lastGrant, s.keep.lastErr
		st.Renewals, st.RenewErrors = s.keep.renewals, s.keep.failures
	}
	return st
}
