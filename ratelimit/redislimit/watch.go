package redislimit

import (
	"context"
	"sync"
	"time"
)

// watchParts is how often per Timeout the operations under way are looked at. One timer for all, wound while there are
// any, costs less than one per operation: each that becomes the earliest wakes the runtime's poller.
const watchParts = 8

// flight is one call. It is the context of that call, without a timer of its own: it ends when the call has returned, or
// when the last of those it was made for has given up.
type flight struct {
	deadline time.Time
	counted  bool // the breaker knows of its failure; guarded by the shard's mutex
	pending  int  // operations that have not timed out; guarded by the shard's mutex

	mu   sync.Mutex
	done chan struct{} // made when somebody asks for it
	err  error
}

// Deadline implements context.Context.
func (f *flight) Deadline() (time.Time, bool) { return f.deadline, true }

// Done implements context.Context.
func (f *flight) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.err != nil {
			close(f.done)
		}
	}
	return f.done
}

// Err implements context.Context.
func (f *flight) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Value implements context.Context: a call belongs to several callers, so it carries no values of theirs.
func (f *flight) Value(any) any { return nil }

// cancel ends the context.
func (f *flight) cancel(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	f.err = err
	if f.done != nil {
		close(f.done)
	}
}

// ops is a list of operations, the oldest first. All have the same Timeout, so that is the order of their deadlines.
type ops struct{ first, last *op }

func (q *ops) push(o *op) {
	o.listed, o.older, o.newer = true, q.last, nil
	if q.last != nil {
		q.last.newer = o
	} else {
		q.first = o
	}
	q.last = o
}

func (q *ops) remove(o *op) {
	if !o.listed {
		return
	}
	if o.older != nil {
		o.older.newer = o.newer
	} else {
		q.first = o.newer
	}
	if o.newer != nil {
		o.newer.older = o.older
	} else {
		q.last = o.older
	}
	o.listed, o.older, o.newer = false, nil, nil
}

// watch sees to it that the timer runs.
func (l *Limiter) watch() {
	if !l.watching.Load() && l.watching.CompareAndSwap(false, true) {
		time.AfterFunc(l.tick(), l.look)
	}
}

func (l *Limiter) tick() time.Duration { return max(1, l.o.Timeout/watchParts) }

// look ends the operations that would have taken more than Timeout at the next look.
func (l *Limiter) look() {
	l.watching.Store(false) // before the lists are read: who pushes after that winds the timer again
	more, limit := false, time.Now().Add(l.tick())
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for o := s.waiting.first; o != nil && o.deadline.Before(limit); o = s.waiting.first {
			l.late(s, o)
		}
		more = more || s.waiting.first != nil
		s.mu.Unlock()
	}
	if more {
		l.watch()
	}
}

// late gives o up and tells the breaker of a call that took too long, once per call. What it charged is given back
// should it return after all. The shard's mutex is held.
func (l *Limiter) late(s *shard, o *op) {
	waited := o.waits
	o.left = true // before its caller hears of it, who would use o again
	s.finish(o, outcome{err: unavailable(errTimeout)})
	call := o.call
	if call == nil {
		if waited {
			l.breaker.failed() // behind a call that does not return
		}
		return
	}
	if !call.counted {
		call.counted = true
		l.breaker.failed()
	}
	if call.pending--; call.pending == 0 {
		call.cancel(context.DeadlineExceeded)
	}
}
