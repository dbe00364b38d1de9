package redislimit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// sweepMax bounds the lapsed leases of silent keys that one call gives back.
const sweepMax = 2

// lease is what a node holds of a key's bucket. The tokens are charged centrally before any of them is used, so that
// none is spent twice; only its use is late.
type lease struct {
	tokens  int
	size    int // of the next lease: doubles when used up quickly, halves when it lapses
	got     time.Time
	expires time.Time
	last    ratelimit.Decision // of the call that brought the tokens
	// Neighbours in the shard's list of lines with a lease or the memory of one, in the order of expiry; listed says
	// whether it is in there.
	before, after *line
	listed        bool
}

// fromLease takes n tokens from the lease of key. The shard's mutex is held.
func (l *Limiter) fromLease(s *shard, key string, n int, now time.Time) (ratelimit.Decision, bool) {
	if l.o.LeaseMax == 0 || n == 0 {
		return ratelimit.Decision{}, false
	}
	ln := s.lines[key]
	if ln == nil || ln.lease.tokens < n || !now.Before(ln.lease.expires) {
		return ratelimit.Decision{}, false
	}
	e := &ln.lease
	e.tokens -= n
	d := e.last
	d.Remaining = max(0, d.Remaining-int64(n))
	e.last.Remaining = d.Remaining
	if d.ResetAfter != ratelimit.Never {
		d.ResetAfter = max(0, d.ResetAfter-now.Sub(e.got))
	}
	return d, true
}

// askLease makes a batch bring tokens for later, and gives back what has lapsed. The shard's mutex is held.
func (l *Limiter) askLease(s *shard, ln *line, batch []*op) []*op {
	if batch[0].kind == remove {
		return batch
	}
	now := time.Now()
	e := &ln.lease
	e.size = max(1, e.size)
	if e.tokens > 0 && !now.Before(e.expires) {
		gift := &op{kind: charge, key: ln.key, h: ln.h, n: -e.tokens, sent: true, deadline: now.Add(l.o.Timeout)}
		s.waiting.push(gift)
		batch = append([]*op{gift}, batch...)
		s.drop(ln)
		e.size = max(1, e.size/2)
	} else if e.tokens == 0 && !e.got.IsZero() && now.Sub(e.got) < l.o.LeaseTTL/4 {
		e.size = min(l.o.LeaseMax, 2*e.size)
	}
	for _, o := range slices.Backward(batch) {
		if o.kind == take && o.n > 0 && !o.left {
			if room := min(e.size, l.o.LeaseMax-e.tokens); room > 0 && o.n < maxLease {
				o.want = o.n + room
			}
			break
		}
	}
	return batch
}

// lend books what a call brought. The shard's mutex is held.
func (l *Limiter) lend(s *shard, ln *line, extra int, d ratelimit.Decision, at time.Time) {
	e := &ln.lease
	e.got, e.last = at, d
	if extra == 0 && e.size <= 1 {
		return
	}
	e.tokens += extra
	if extra > 0 || !e.listed {
		e.expires = at.Add(l.o.LeaseTTL)
	}
	s.unlist(ln)
	e.listed = true
	e.before = s.newest
	if s.newest != nil {
		s.newest.lease.after = ln
	} else {
		s.oldest = ln
	}
	s.newest = ln
}

// drop takes the lease off the books. The shard's mutex is held.
func (s *shard) drop(ln *line) {
	ln.lease.tokens = 0
	s.unlist(ln)
}

func (s *shard) unlist(ln *line) {
	e := &ln.lease
	if !e.listed {
		return
	}
	if e.before != nil {
		e.before.lease.after = e.after
	} else {
		s.oldest = e.after
	}
	if e.after != nil {
		e.after.lease.before = e.before
	} else {
		s.newest = e.before
	}
	e.before, e.after, e.listed = nil, nil, false
}

// sweep gives back a few lapsed leases of one shard; each call looks at the next one.
func (l *Limiter) sweep(now time.Time) {
	s := &l.shards[l.turn.Add(1)%shards]
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	for range sweepMax {
		ln := s.oldest
		if ln == nil || now.Before(ln.lease.expires) {
			return
		}
		if ln.lease.tokens > 0 {
			l.giveBackLease(s, ln, nil)
			continue
		}
		s.drop(ln)
		s.retire(ln)
	}
}

// giveBackLease sends the tokens of ln back. The shard's mutex is held.
func (l *Limiter) giveBackLease(s *shard, ln *line, done chan struct{}) *op {
	o := &op{kind: charge, key: ln.key, h: ln.h, n: -ln.lease.tokens, waits: done != nil, done: done}
	s.drop(ln)
	ln.lease.size = max(1, ln.lease.size/2)
	l.enqueue(s, o)
	return o
}

// Close gives the leases back and makes every later call fail with ErrClosed. It returns the errors of those that could
// not be given back, and the context's if that ends first; their tokens come back by refill.
func (l *Limiter) Close(ctx context.Context) error {
	if l.closed.Swap(true) {
		return nil
	}
	var waits []*op
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for s.oldest != nil {
			if s.oldest.lease.tokens == 0 {
				s.drop(s.oldest)
				continue
			}
			waits = append(waits, l.giveBackLease(s, s.oldest, make(chan struct{}, 1))) //nolint:contextcheck // a call has its own Timeout
		}
		s.mu.Unlock()
	}
	var failures []error
	for _, o := range waits {
		select {
		case <-o.done:
			failures = append(failures, o.out.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(failures...)
}
