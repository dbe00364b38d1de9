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
	alone   [1]*op // room for the queue of a key that is not hot
}

// op is an operation of a caller, or a gift without one. Its state is guarded by the shard's mutex.
type op struct {
	kind  kind
	key   string
	h     uint64
	n     int
	want  int  // tokens asked for, for a lease; the script reduces it
	waits bool // a caller waits, and has not left
	left  bool // the caller has left
	sent  bool
	call  *flight
	out   outcome
	done  chan struct{} // says that out is there; holds one

	deadline     time.Time
	older, newer *op // neighbours in the shard's list of those under way
	listed       bool
}

type outcome struct {
	d   ratelimit.Decision
	err error
}

// runner is what one goroutine needs to send batches.
type runner struct {
	batch   []*op
	results []result
}

// ask queues an operation and waits for its outcome, for the context or for the timeout.
func (l *Limiter) ask(ctx context.Context, s *shard, k kind, key string, h uint64, n int) (ratelimit.Decision, error) {
	if !l.breaker.allow(2 * l.o.Timeout) {
		return ratelimit.Decision{}, unavailable(errBreaker)
	}
	o, _ := l.ops.Get().(*op)
	if o == nil {
		o = &op{done: make(chan struct{}, 1)}
	}
	*o = op{kind: k, key: key, h: h, n: n, waits: true, done: o.done}
	s.mu.Lock()
	l.enqueue(s, o) //nolint:contextcheck // the call serves several callers and outlives none of them by more than Timeout
	s.mu.Unlock()
	if gone := ctx.Done(); gone == nil {
		<-o.done
	} else {
		select {
		case <-o.done:
		case <-gone:
			if !s.leave(o) {
				l.breaker.undecided()
				return ratelimit.Decision{}, ctx.Err()
			}
		}
	}
	out := o.out
	if !o.left { // nobody else knows of it any more
		l.ops.Put(o)
	}
	return out.d, out.err
}

var (
	errBreaker = errors.New("redislimit: the breaker is open after failures in a row")
	errTimeout = errors.New("redislimit: no answer within Options.Timeout")
)

// leave marks a caller as gone. It reports true if the outcome came at the same moment: then that stands.
func (s *shard) leave(o *op) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-o.done:
		return true
	default:
		o.left, o.waits = true, false
		return false
	}
}

// enqueue adds o to its line and sees to it that a call is under way. A call that a client never returned from does not
// hold up the others for ever. The shard's mutex is held.
func (l *Limiter) enqueue(s *shard, o *op) {
	ln := s.lines[o.key]
	if ln == nil {
		ln = &line{key: o.key, h: o.h}
		ln.queue = ln.alone[:0]
		s.lines[o.key] = ln
	}
	now := time.Now()
	o.deadline = now.Add(l.o.Timeout)
	s.waiting.push(o)
	l.watch()
	ln.queue = append(ln.queue, o)
	if ln.running == 0 || now.Sub(ln.sent) > 2*l.o.Timeout {
		ln.running++
		ln.sent = now
		go l.run(s, ln)
	}
}

// run sends batches until nobody waits.
func (l *Limiter) run(s *shard, ln *line) {
	rn, _ := l.runners.Get().(*runner)
	if rn == nil {
		rn = new(runner)
	}
	for {
		s.mu.Lock()
		rn.batch = l.batch(s, ln, rn.batch[:0])
		batch := rn.batch
		if len(batch) == 0 {
			ln.running--
			s.retire(ln)
			s.mu.Unlock()
			l.runners.Put(rn)
			return
		}
		gifts := s.gifts
		at := time.Now()
		ln.sent = at
		call := &flight{deadline: at.Add(l.o.Timeout), pending: len(batch)}
		for _, o := range batch {
			o.call = call
		}
		s.mu.Unlock()
		results, err := l.call(call, ln.key, batch, rn.results)
		call.cancel(context.Canceled)
		if err != nil {
			l.errors.Add(1)
			if !errors.Is(err, ErrReply) {
				err = unavailable(err)
			}
		} else {
			rn.results = results
			l.breaker.succeeded()
		}
		s.mu.Lock()
		if err != nil && !call.counted {
			call.counted = true
			l.breaker.failed()
		}
		for i, o := range batch {
			if err != nil {
				s.finish(o, outcome{err: err})
				continue
			}
			l.settle(s, ln, o, &results[i], at, gifts)
		}
		clear(batch)
		s.mu.Unlock()
	}
}

// batch takes what is to be sent next. Callers that left are passed over, callers that a lease can serve are served.
// The shard's mutex is held.
func (l *Limiter) batch(s *shard, ln *line, out []*op) []*op {
	rest := ln.queue
	for len(rest) > 0 && len(out) < maxBatch {
		o := rest[0]
		if o.left && !o.sent {
			s.waiting.remove(o)
			rest = rest[1:]
			continue
		}
		if o.kind == take && len(out) == 0 && o.n > 0 && l.o.LeaseMax > 0 {
			if d, ok := l.fromLease(s, ln.key, o.n, time.Now()); ok {
				l.leasedLocally.Add(1)
				s.finish(o, outcome{d: d})
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
		ln.queue = ln.alone[:0]
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
		s.finish(o, outcome{})
		return
	}
	extra := 0
	if granted && o.kind == take {
		extra = int(r.granted) - o.n
	}
	if granted && o.kind == peek {
		for i := range l.buckets {
			l.buckets[i].charged(r, i, o.n)
		}
	}
	d := l.decision(o.n, granted, r)
	if extra > 0 {
		d.Remaining = min(d.Limit, d.Remaining+int64(extra))
	}
	if o.kind == take && l.o.LeaseMax > 0 && granted {
		l.lend(s, ln, extra, d, at)
	}
	if o.left {
		if granted && o.kind == take && o.n > 0 {
			gift := &op{kind: charge, key: o.key, h: o.h, n: -o.n, deadline: time.Now().Add(l.o.Timeout)}
			s.waiting.push(gift)
			l.watch()
			ln.queue = append(ln.queue, gift)
		}
		s.waiting.remove(o)
		return
	}
	if !granted && o.kind == take && s.gifts == gifts {
		s.deny(o.h, o.n, at, d.RetryAfter, r)
	}
	s.finish(o, outcome{d: d})
}

// finish delivers the outcome unless nobody waits. The channel holds one, so it never blocks. The shard's mutex is held.
func (s *shard) finish(o *op, out outcome) {
	s.waiting.remove(o)
	if o.waits {
		o.waits, o.out = false, out
		o.done <- struct{}{}
	}
}

// retire forgets a line that is neither used nor holds tokens. The shard's mutex is held.
func (s *shard) retire(ln *line) {
	if ln.running == 0 && len(ln.queue) == 0 && !ln.lease.listed && s.lines[ln.key] == ln {
		delete(s.lines, ln.key)
	}
}
