package idgen

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Tickets draws from several counters, one stride each, and skips those that fail. Each counter may be a ticket server
// of its own: they need not know each other, and two of them keep numbers flowing while one is down. Order holds per
// server only.
type Tickets struct {
	_       noCopy
	servers []ticketServer
	timeout time.Duration
	retry   time.Duration
	base    time.Time
	turn    atomic.Uint32 // the server asked first; every call moves it
}

type ticketServer struct {
	counter Counter
	stride  Stride
	// until is the time since base before which the server is left out. The call that saw it fail publishes, every
	// call loads.
	until atomic.Int64
}

// TicketsOptions are the options of NewTickets.
type TicketsOptions struct {
	// Servers is the most servers there will ever be; default len(counters), at most 65535.
	Servers int
	// Timeout bounds one Reserve before the next server is tried; default 1s.
	Timeout time.Duration
	// Retry is how long a server that failed is left out; default 5s.
	Retry time.Duration
}

// NewTickets returns a generator over counters; counter i numbers with Strides(len(counters), o.Servers)[i]. The order of
// the counters is part of the numbering: keep it. No counters, a nil counter, a negative duration or Servers below
// len(counters) is ErrInvalid.
func NewTickets(counters []Counter, o TicketsOptions) (*Tickets, error) {
	if o.Servers == 0 {
		o.Servers = len(counters)
	}
	strides, err := Strides(len(counters), o.Servers)
	if err != nil {
		return nil, err
	}
	if o.Timeout < 0 || o.Retry < 0 {
		return nil, fmt.Errorf("%w: Timeout is %v and Retry %v, at least 0", ErrInvalid, o.Timeout, o.Retry)
	}
	t := &Tickets{timeout: o.Timeout, retry: o.Retry, base: time.Now(), servers: make([]ticketServer, len(counters))}
	if t.timeout == 0 {
		t.timeout = time.Second
	}
	if t.retry == 0 {
		t.retry = 5 * time.Second
	}
	for i, c := range counters {
		if c == nil {
			return nil, fmt.Errorf("%w: counter %d is nil", ErrInvalid, i)
		}
		t.servers[i].counter, t.servers[i].stride = c, strides[i]
	}
	return t, nil
}

// Next returns one ID of the server whose turn it is, or of the next one that answers. When all fail, the errors are
// joined; a ctx that ends stops the search.
func (t *Tickets) Next(ctx context.Context) (ID, error) {
	var one [1]ID
	_, err := t.Fill(ctx, one[:])
	return one[0], err
}

// Fill takes len(dst) consecutive numbers of one server.
func (t *Tickets) Fill(ctx context.Context, dst []ID) (n int, err error) {
	if len(t.servers) == 0 {
		return 0, ErrClosed
	}
	if len(dst) == 0 {
		return 0, nil
	}
	var failed []error
	tried := make([]bool, len(t.servers))
	start := int(t.turn.Add(1) % uint32(len(t.servers)))
	for _, late := range []bool{false, true} { // servers that failed lately come last
		for i := range t.servers {
			at := (start + i) % len(t.servers)
			s := &t.servers[at]
			if tried[at] || !late && int64(time.Since(t.base)) < s.until.Load() {
				continue
			}
			tried[at] = true
			if err := ctx.Err(); err != nil {
				return 0, errors.Join(append(failed, err)...)
			}
			n, err := t.draw(ctx, s, dst)
			if n > 0 {
				return n, err
			}
			failed = append(failed, err)
		}
	}
	return 0, errors.Join(failed...)
}

// draw takes numbers of one server. n is 0 exactly when nothing was taken from it.
func (t *Tickets) draw(ctx context.Context, s *ticketServer, dst []ID) (n int, err error) {
	one, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	first, err := s.counter.Reserve(one, int64(len(dst)))
	if err == nil && first < 1 {
		err = fmt.Errorf("%w: a ticket server returned %d", ErrRange, first)
	}
	for n = 0; err == nil && n < len(dst); n++ {
		if dst[n], err = s.stride.At(first - 1 + int64(n)); err != nil {
			break
		}
	}
	if err != nil && ctx.Err() == nil { // the caller's own end says nothing about the server
		s.until.Store(int64(time.Since(t.base) + t.retry))
	}
	return n, err
}
