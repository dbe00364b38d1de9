package redislimit

import (
	"context"
	"errors"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// maxBatch bounds how many operations travel in one call: the script holds the server up that long.
const maxBatch = 128

// remove is the operation that is a command of its own and travels alone.
const remove kind = "DEL"

// line is where the operations on one key queue: one call is under way, those that come meanwhile go with the next.
// It exists while operations queue or tokens are leased. All fields are guarded by the shard's mutex.
type line struct {
	key     string
	h       uint64
	queue   []*op
	running int       // calls under way: 1, or more after one that never returned
	sent    time.Time // when the last one was sent
	lease   lease
}

// op is an operation of a caller, or a gift without one. state is guarded by the shard's mutex.
type op struct {
	kind kind
	key  string
	h    uint64
	n    int
	want int // tokens asked for, for a lease; the script reduces it
	left bool
	sent bool
	call *flight
	done chan outcome // nil: nobody waits
}

// flight is one call. counted says that the breaker knows of its failure; it is guarded by the shard's mutex.
type flight struct{ counted bool }

type outcome struct {
	d   ratelimit.Decision
	err error
}

// ask queues o and waits for its outcome, for the context or for the timeout.
func (l *Limiter) ask(ctx context.Context, s *shard, o *op) (ratelimit.Decision, error) {
	if !l.breaker.allow(2 * l.o.Timeout) {
		return ratelimit.Decision{}, unavailable(errBreaker)
	}
	o.done = make(chan outcome, 1)
	timer := time.NewTimer(l.o.Timeout)
	defer timer.Stop()
	s.mu.Lock()
	l.enqueue(s, o) //nolint:contextcheck // the call serves several callers and outlives none of them by more than Timeout
	s.mu.Unlock()
	select {
	case out := <-o.done:
		return out.d, out.err
	case <-ctx.Done():
		if out, ok := s.leave(o); ok {
			return out.d, out.err
		}
		l.breaker.undecided()
		return ratelimit.Decision{}, ctx.Err()
	case <-timer.C:
		if out, ok := s.leave(o); ok {
			return out.d, out.err
		}
		l.late(s, o)
		return ratelimit.Decision{}, unavailable(errTimeout)
	}
}

// late tells the breaker of a call that took too long, once per call.
func (l *Limiter) late(s *shard, o *op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.call == nil {
		l.breaker.failed() // behind a call that does not return
	} else if !o.call.counted {
		o.call.counted = true
		l.breaker.failed()
	}
}

var (
	errBreaker = errors.New("redislimit: the breaker is open after failures in a row")
	errTimeout = errors.New("redislimit: no answer within Options.Timeout")
)

// leave marks a caller as gone. If its outcome came at the same moment, that stands.
func (s *shard) leave(o *op) (outcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case out := <-o.done:
		return out, true
	default:
		o.left = true
		return outcome{}, false
	}
}

// enqueue adds o to its line and sees to it that a call is under way. A call that a client never returned from does not
// hold up the others for ever. The shard's mutex is held.
func (l *Limiter) enqueue(s *shard, o *op) {
	ln := s.lines[o.key]
	if ln == nil {
		ln = &line{key: o.key, h: o.h}
		s.lines[o.key] = ln
	}
	ln.queue = append(ln.queue, o)
	if ln.running == 0 || time.Since(ln.sent) > 2*l.o.Timeout {
		ln.running++
		ln.sent = time.Now()
		go l.run(s, ln)
	}
}

// run sends batches until nobody waits.
func (l *Limiter) run(s *shard, ln *line) {
	for {
		s.mu.Lock()
		batch := l.batch(s, ln)
		if len(batch) == 0 {
			ln.running--
			s.retire(ln)
			s.mu.Unlock()
			return
		}
		gifts := s.gifts
		at := time.Now()
		ln.sent = at
		call := &flight{}
		for _, o := range batch {
			o.call = call
		}
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), l.o.Timeout)
		results, err := l.call(ctx, ln.key, batch)
		cancel()
		if err != nil {
			l.errors.Add(1)
			if !errors.Is(err, ErrReply) {
				err = unavailable(err)
			}
		} else {
			l.breaker.succeeded()
		}
		s.mu.Lock()
		if err != nil && !call.counted {
			call.counted = true
			l.breaker.failed()
		}
		for i, o := range batch {
			if err != nil {
				o.finish(outcome{err: err})
				continue
			}
			l.settle(s, ln, o, &results[i], at, gifts)
		}
		s.mu.Unlock()
	}
}

// batch takes what is to be sent next. Callers that left are passed over, callers that a lease can serve are served.
// The shard's mutex is held.
func (l *Limiter) batch(s *shard, ln *line) []*op {
	var out []*op
	rest := ln.queue
	for len(rest) > 0 && len(out) < maxBatch {
		o := rest[0]
		if o.left && !o.sent {
			rest = rest[1:]
			continue
		}
		if o.kind == take && len(out) == 0 && o.n > 0 && l.o.LeaseMax > 0 {
			if d, ok := l.fromLease(s, ln.key, o.n, time.Now()); ok {
				l.leasedLocally.Add(1)
				o.finish(outcome{d: d})
				rest = rest[1:]
				continue
			}
		}
		if o.kind == remove && len(out) > 0 {
			break
		}
		o.sent = true
		out = append(out, o)
		rest = rest[1:]
		if o.kind == remove {
			break
		}
	}
	if len(rest) == 0 {
		ln.queue = nil
	} else {
		ln.queue = rest
	}
	if len(out) > 0 && l.o.LeaseMax > 0 {
		out = l.askLease(s, ln, out)
	}
	return out
}

// settle hands o its outcome. What was charged for a caller that left is given back by the next call. The shard's mutex
// is held.
func (l *Limiter) settle(s *shard, ln *line, o *op, r *result, at time.Time, gifts uint64) {
	granted := r.granted >= 0
	if o.kind == charge || o.kind == remove {
		o.finish(outcome{})
		return
	}
	extra := 0
	if granted && o.kind == take {
		extra = int(r.granted) - o.n
	}
	if granted && o.kind == peek {
		for i := range l.buckets {
			r.used[i] += uint64(o.n) * l.buckets[i].token
		}
	}
	d := l.decision(o.n, granted, &r.used)
	if extra > 0 {
		d.Remaining = min(d.Limit, d.Remaining+int64(extra))
	}
	if o.kind == take && l.o.LeaseMax > 0 && granted {
		l.lend(s, ln, extra, d, at)
	}
	if o.left {
		if granted && o.kind == take && o.n > 0 {
			ln.queue = append(ln.queue, &op{kind: charge, key: o.key, h: o.h, n: -o.n})
		}
		return
	}
	if !granted && o.kind == take && s.gifts == gifts {
		s.deny(o.h, o.n, at, d.RetryAfter, &r.used)
	}
	o.finish(outcome{d: d})
}

// finish delivers the outcome unless nobody waits. The channel holds one, so it never blocks.
func (o *op) finish(out outcome) {
	if o.done != nil && !o.left {
		o.done <- out
	}
}

// retire forgets a line that is neither used nor holds tokens. The shard's mutex is held.
func (s *shard) retire(ln *line) {
	if ln.running == 0 && len(ln.queue) == 0 && !ln.lease.listed && s.lines[ln.key] == ln {
		delete(s.lines, ln.key)
	}
}
