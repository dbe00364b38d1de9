package redislimit

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

const (
	shards         = 64
	defaultTimeout = 100 * time.Millisecond
	defaultLease   = time.Second
	maxLease       = 1 << 30
)

// Options of New. The zero value gives exact, central decisions that take at most 100 ms.
type Options struct {
	// Prefix is put before every key. "": "rl:".
	Prefix string
	// Timeout is what one decision may take, whatever the client does. 0: 100 ms; not negative.
	Timeout time.Duration
	// LeaseMax is how many tokens a key may hold on this node. 0: no leases, every decision is central and exact;
	// at most 1<<30.
	LeaseMax int
	// LeaseTTL is the time after which unused leased tokens go back. 0: 1 s; not negative.
	LeaseTTL time.Duration
	// Fallback answers while Redis fails. nil: Take returns the error. A Fallback with the whole limit on each of N nodes
	// admits N times the limit during an outage: divide.
	Fallback ratelimit.Backend
}

// Stats are counters since New.
type Stats struct {
	Calls         uint64 // commands sent to Redis
	Errors        uint64 // of them, those that failed
	Fallbacks     uint64 // decisions of the Fallback
	DeniedLocally uint64 // decisions of the deny cache
	LeasedLocally uint64 // decisions from leased tokens
	BreakerOpen   bool   // calls are held back at the moment
}

// Limiter is a ratelimit.Backend whose buckets live in Redis. It is safe for concurrent use.
type Limiter struct {
	do        func(ctx context.Context, args ...any) (any, error)
	o         Options
	limits    []ratelimit.Limit
	buckets   []bucket // those of limits that are not unlimited
	constants []any    // the script's arguments that never change
	most      int64    // the largest burst
	numbers   int      // of a reply, per operation
	decimals  [16]any  // small numbers as text
	sha       any
	seed      maphash.Seed
	shards    [shards]shard
	breaker   breaker
	watching  atomic.Bool   // a timer runs that ends what takes too long; see watch
	ops       sync.Pool     // of *op
	runners   sync.Pool     // of *runner
	turn      atomic.Uint32 // which shard's lapsed leases the next call looks at
	closed    atomic.Bool   // set by Close, read by every call

	// The counters are written by calls and read by Stats.
	calls, errors, fallbacks, deniedLocally, leasedLocally atomic.Uint64
}

// shard holds what this node knows about a part of the keys.
type shard struct {
	mu      sync.Mutex
	lines   map[string]*line
	denials map[uint64]denial
	gifts   uint64 // counts what made denials void; a denial that was asked for before does not enter the cache
	oldest  *line  // lines with leased tokens, in the order of their expiry
	newest  *line
	waiting ops // under way, in the order in which they time out
}

// New returns a Limiter of 1 to 8 limits that are checked as one. do sends one command: the Do method of go-redis fits,
// and any client's through a few lines. The error is an ErrInvalid that names the field.
func New[R interface{ Result() (any, error) }](
	do func(ctx context.Context, args ...any) R, limits []ratelimit.Limit, o Options,
) (*Limiter, error) {
	if do == nil {
		return nil, fmt.Errorf("%w: do is nil", ErrInvalid)
	}
	if _, err := ratelimit.New(limits...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := o.normalize(); err != nil {
		return nil, err
	}
	l := &Limiter{
		do:     func(ctx context.Context, args ...any) (any, error) { return do(ctx, args...).Result() },
		o:      o,
		limits: slices.Clone(limits),
		sha:    scriptSHA(),
		seed:   maphash.MakeSeed(),
	}
	for _, limit := range limits {
		if limit.Count == math.MaxInt64 {
			continue
		}
		b, err := newBucket(limit)
		if err != nil {
			return nil, err
		}
		l.buckets = append(l.buckets, b)
		l.most = max(l.most, b.tokens)
	}
	l.constants = append(l.constants, strconv.Itoa(len(l.buckets)))
	for _, b := range l.buckets {
		for _, n := range []uint64{b.refill, b.token, b.burst} {
			l.constants = append(l.constants, strconv.FormatUint(n, 10))
		}
		l.constants = append(l.constants, b.window())
		if l.numbers++; b.sliding {
			l.numbers++
		}
	}
	l.numbers++
	for i := range l.decimals {
		l.decimals[i] = strconv.Itoa(i)
	}
	for i := range l.shards {
		l.shards[i].lines = map[string]*line{}
		l.shards[i].denials = map[uint64]denial{}
	}
	return l, nil
}

// normalize checks the options and fills in the defaults.
func (o *Options) normalize() error {
	switch {
	case o.Timeout < 0:
		return fmt.Errorf("%w: Options.Timeout %v, must not be negative", ErrInvalid, o.Timeout)
	case o.LeaseMax < 0 || o.LeaseMax > maxLease:
		return fmt.Errorf("%w: Options.LeaseMax %d, must be 0 to 1<<30", ErrInvalid, o.LeaseMax)
	case o.LeaseTTL < 0:
		return fmt.Errorf("%w: Options.LeaseTTL %v, must not be negative", ErrInvalid, o.LeaseTTL)
	}
	if o.Prefix == "" {
		o.Prefix = "rl:"
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = defaultLease
	}
	return nil
}

// Take charges n tokens of key, all or none. It returns an error, and no decision, if Redis could not be asked and there
// is no Fallback, and the context's error if that ended first; what was charged for a caller that left is given back.
func (l *Limiter) Take(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	if d, done, err := l.simple(ctx, n); done {
		return d, err
	}
	h := maphash.String(l.seed, key)
	s := &l.shards[h%shards]
	now := time.Now()
	if l.o.LeaseMax > 0 {
		l.sweep(now) //nolint:contextcheck // what is given back is not the caller's
	}
	s.mu.Lock()
	if d, ok := l.denied(s, h, n, now); ok {
		s.mu.Unlock()
		l.deniedLocally.Add(1)
		return d, nil
	}
	if d, ok := l.fromLease(s, key, n, now); ok {
		s.mu.Unlock()
		l.leasedLocally.Add(1)
		return d, nil
	}
	s.mu.Unlock()
	d, err := l.ask(ctx, s, take, key, h, n)
	if err != nil {
		return l.fallback(ctx, key, n, err)
	}
	return d, nil
}

// simple answers what needs no Redis.
func (l *Limiter) simple(ctx context.Context, n int) (d ratelimit.Decision, done bool, err error) {
	switch {
	case l.closed.Load():
		return d, true, ErrClosed
	case ctx.Err() != nil:
		return d, true, ctx.Err()
	case len(l.buckets) == 0:
		name := l.limits[0].Name
		if name == "" {
			name = l.limits[0].String()
		}
		d = ratelimit.Decision{OK: true, Limit: math.MaxInt64, Remaining: math.MaxInt64, Policy: name}
		if n < 0 {
			d.OK, d.RetryAfter = false, ratelimit.Never
		}
		return d, true, nil
	case n < 0:
		b := &l.buckets[0]
		return ratelimit.Decision{Limit: b.tokens, RetryAfter: ratelimit.Never, Policy: b.name}, true, nil
	}
	return d, false, nil
}

// fallback answers when Redis did not. A caller whose own context is done gets no second opinion.
func (l *Limiter) fallback(ctx context.Context, key string, n int, err error) (ratelimit.Decision, error) {
	if l.o.Fallback == nil || ctx.Err() != nil {
		return ratelimit.Decision{}, err
	}
	l.fallbacks.Add(1)
	return l.o.Fallback.Take(ctx, key, n)
}

// Peek returns what Take would answer, and charges nothing. It asks Redis, not the Fallback.
func (l *Limiter) Peek(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	if d, done, err := l.simple(ctx, n); done {
		return d, err
	}
	h := maphash.String(l.seed, key)
	return l.ask(ctx, &l.shards[h%shards], peek, key, h, n)
}

// Charge corrects the account of key: n > 0 always succeeds and may put it into debt, at most one burst deep; n < 0
// gives tokens back, never above full. After an error the charge may have happened; it is never sent twice.
func (l *Limiter) Charge(ctx context.Context, key string, n int) error {
	if d, done, err := l.simple(ctx, 0); done || n == 0 {
		_ = d
		return err
	}
	h := maphash.String(l.seed, key)
	s := &l.shards[h%shards]
	if n < 0 {
		s.forgive(h)
		defer s.forgive(h)
	}
	_, err := l.ask(ctx, s, charge, key, h, n)
	return err
}

// Remove makes the bucket of key full again, and forgets what this node holds of it.
func (l *Limiter) Remove(ctx context.Context, key string) error {
	if _, done, err := l.simple(ctx, 0); done {
		return err
	}
	h := maphash.String(l.seed, key)
	s := &l.shards[h%shards]
	s.forgive(h)
	defer s.forgive(h)
	s.mu.Lock()
	if ln := s.lines[key]; ln != nil {
		s.drop(ln)
	}
	s.mu.Unlock()
	_, err := l.ask(ctx, s, remove, key, h, 0)
	return err
}

// forgive voids the denials of h, also of those that are being asked for.
func (s *shard) forgive(h uint64) {
	s.mu.Lock()
	delete(s.denials, h)
	s.gifts++
	s.mu.Unlock()
}

// Limits returns the limits.
func (l *Limiter) Limits() []ratelimit.Limit { return slices.Clone(l.limits) }

// Stats returns the counters.
func (l *Limiter) Stats() Stats {
	return Stats{
		Calls: l.calls.Load(), Errors: l.errors.Load(), Fallbacks: l.fallbacks.Load(),
		DeniedLocally: l.deniedLocally.Load(), LeasedLocally: l.leasedLocally.Load(), BreakerOpen: l.breaker.isOpen(),
	}
}

// unavailable wraps the cause of a failure.
func unavailable(cause error) error { return fmt.Errorf("%w: %w", ErrUnavailable, cause) }

// call runs the script, by its name first.
func (l *Limiter) call(ctx context.Context, key string, ops []*op, out []result) ([]result, error) {
	full := l.o.Prefix + key
	if ops[0].kind == remove {
		l.calls.Add(1)
		reply, err := l.do(ctx, "DEL", full)
		if err != nil {
			return nil, err
		}
		if _, err = integer(reply); err != nil {
			return nil, err
		}
		return append(out[:0], result{}), nil
	}
	l.calls.Add(1)
	reply, err := l.do(ctx, l.arguments("EVALSHA", l.sha, full, ops)...)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") { // the script did not run
		l.calls.Add(1)
		reply, err = l.do(ctx, l.arguments("EVAL", script, full, ops)...)
	}
	if err != nil {
		return nil, err
	}
	return l.decode(out, reply, len(ops))
}
