package redislimit

import (
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

const (
	denyMax    = 65536 / shards // entries of one shard
	denyLife   = time.Second    // after which what other nodes give back is seen
	denySample = 8              // entries looked at for one to give way
)

// denial is a state of the bucket in which n tokens are denied until its end: nothing but a gift can make the same call,
// or one that costs more, succeed earlier.
type denial struct {
	n     int
	at    time.Time // when the call was sent: earlier than the server's clock was read, so that no denial lasts too long
	until time.Time
	state result
}

// denied returns the standing denial of n tokens. The shard's mutex is held.
func (l *Limiter) denied(s *shard, h uint64, n int, now time.Time) (ratelimit.Decision, bool) {
	e, ok := s.denials[h]
	if !ok || n < e.n {
		return ratelimit.Decision{}, false
	}
	if !now.Before(e.until) {
		delete(s.denials, h)
		return ratelimit.Decision{}, false
	}
	d, age := l.decision(n, false, &e.state), now.Sub(e.at)
	if d.RetryAfter != ratelimit.Never {
		d.RetryAfter = max(1, d.RetryAfter-age)
	}
	if d.ResetAfter != ratelimit.Never {
		d.ResetAfter = max(1, d.ResetAfter-age)
	}
	return d, true
}

// deny remembers that n tokens were denied. The shard's mutex is held.
func (s *shard) deny(h uint64, n int, at time.Time, retry time.Duration, state *result) {
	if e, ok := s.denials[h]; ok && e.n <= n && at.Before(e.until) {
		return // the standing one says more
	}
	if len(s.denials) >= denyMax {
		s.giveWay()
	}
	s.denials[h] = denial{n: n, at: at, until: at.Add(min(denyLife, retry)), state: *state}
}

// giveWay drops the entry that ends first among a few.
func (s *shard) giveWay() {
	var victim uint64
	var first time.Time
	seen := 0
	for h, e := range s.denials {
		if seen == 0 || e.until.Before(first) {
			victim, first = h, e.until
		}
		if seen++; seen == denySample {
			break
		}
	}
	delete(s.denials, victim)
}
