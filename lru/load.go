package lru

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// Fetch returns the value of key, from the cache or from Options.Load (LoadMany, if that stands alone). However many
// callers ask for a missing key, it is loaded once; each of them waits with its own context and leaves with its
// cause. A write or removal of the key voids a load in flight: its callers get the value, the cache does not.
//
// Fetch returns ErrNoLoader without a loader, ErrClosed after Close, ErrRecursion to a loader that asks for the key
// that it is loading, a *PanicError if the loader panicked, and otherwise the error of the loader as it is.
func (c *Cache[K, V]) Fetch(ctx context.Context, key K) (V, error) {
	if c.opts.Load == nil && c.opts.LoadMany == nil {
		var zero V
		return zero, ErrNoLoader
	}
	return c.fetch(ctx, key, nil)
}

// GetOrLoad is Fetch with a loader of its own. load is called if this call starts the load; a call that joins a load
// in flight gets the result of that one.
func (c *Cache[K, V]) GetOrLoad(ctx context.Context, key K, load func(context.Context, K) (V, error)) (V, error) {
	return c.fetch(ctx, key, load)
}

func (c *Cache[K, V]) fetch(ctx context.Context, key K, load loader[K, V]) (V, error) {
	h := c.hash(key)
	s := c.shard(h)
	if v, ok := c.serve(ctx, s, h, key, load); ok {
		return v, nil
	}
	in := c.join(ctx, request[K, V]{key: key, hash: h, load: load})
	if in.call == nil && in.err == nil {
		c.hit() // a late one; so that every miss is a load, a shared one or an error
		return in.value, nil
	}
	s.misses.Add(1)
	if in.call == nil {
		return in.value, in.err
	}
	return c.await(ctx, in.call)
}

// serve returns what the cache may serve: a live value, or a stale one. It starts a load in the background where the
// options ask for one.
func (c *Cache[K, V]) serve(ctx context.Context, s *shard[K, V], h uint64, key K, load loader[K, V]) (v V, ok bool) {
	e := s.table.Load().find(h, key)
	if e == nil {
		return v, false
	}
	ref := e.ref.Load()
	if ref&refTimed == 0 && !c.ordered {
		v = e.load(c.kind)
		e.count(ref, c.hot)
		c.hit()
		return v, true
	}
	now := c.now()
	v = e.load(c.kind)
	switch c.dead(e, now) {
	case 0:
		if c.ordered {
			c.useOrdered(s, e)
		}
		if c.dueEarly(e, now) {
			c.background(ctx, request[K, V]{key: key, hash: h, load: load, live: true})
		}
		c.use(e, now)
		return v, true
	case Expired:
		if c.stale(e, now) {
			c.loading.stale.Add(1)
			c.background(ctx, request[K, V]{key: key, hash: h, load: load})
			return v, true
		}
	case Evicted, Removed, Replaced, Invalidated: // gone
	}
	var zero V
	return zero, false
}

// useOrdered moves an entry that was found without the lock.
func (c *Cache[K, V]) useOrdered(s *shard[K, V], e *entry[K, V]) {
	s.mu.Lock()
	if e.ref.Load()&refGone == 0 {
		s.use(e)
	}
	s.mu.Unlock()
}

// stale reports whether an expired entry may still be served by loading calls.
func (c *Cache[K, V]) stale(e *entry[K, V], now int64) bool {
	return c.opts.Loading.StaleFor > 0 && c.reclaimAt(e) > now &&
		(c.tags == nil || !c.tags.invalid(e.full().tags, e.full().birth))
}

// dueEarly decides whether a live value is loaded again now: because of its age, or by the lot of probabilistic early
// refresh (Vattani, Chierichetti and Lowenstein 2015), whose probability rises as the deadline comes near.
func (c *Cache[K, V]) dueEarly(e *entry[K, V], now int64) bool {
	l := &c.opts.Loading
	if l.RefreshAfter > 0 && now >= after(e.full().written.Load(), int64(l.RefreshAfter)) {
		return true
	}
	if l.EarlyRefresh == 0 || e.ref.Load()&refTimed == 0 {
		return false
	}
	mean := float64(c.loading.mean.Load())
	left := c.deadline(e)
	if mean == 0 || left == never {
		return false
	}
	return rand.Float64() < math.Exp(-float64(left-now)/(l.EarlyRefresh*mean))
}

// request is one key that a loading call wants.
type request[K comparable, V any] struct {
	key   K
	hash  uint64
	load  loader[K, V] // nil: that of the options
	live  bool         // the key has a live value, which stays readable
	force bool         // load even if there is a value
	into  *job         // to load with other keys; nil: a job of its own
	hold  bool         // the caller starts the job
}

// joined is the answer to a request: a call to wait for, or a value or an error.
type joined[K comparable, V any] struct {
	call  *call[K, V]
	fresh bool // the call is new
	value V
	err   error
}

// join finds the call that loads a key or starts one.
func (c *Cache[K, V]) join(ctx context.Context, r request[K, V]) joined[K, V] {
	if c.recursive(ctx, r.key) {
		return joined[K, V]{err: ErrRecursion}
	}
	s := c.shard(r.hash)
	s.mu.Lock()
	defer s.unlock()
	if s.closed {
		return joined[K, V]{err: ErrClosed}
	}
	now := c.now()
	e := s.table.Load().find(r.hash, r.key)
	live := e != nil && c.dead(e, now) == 0
	if live && !r.force { // stored since serve looked
		s.use(e)
		return joined[K, V]{value: e.load(c.kind)}
	}
	if err := context.Cause(ctx); err != nil {
		return joined[K, V]{err: err}
	}
	if cl := s.calls[r.key]; cl != nil {
		if cl.job.enter() {
			c.loading.shared.Add(1)
			return joined[K, V]{call: cl}
		}
		s.void(r.hash, r.key) // abandoned: its result must not overtake ours
	}
	if f, ok := s.failures[r.key]; ok && f.until > now && !r.force {
		return joined[K, V]{err: f.err}
	}
	r.live = live
	cl := c.open(ctx, s, r)
	cl.job.enter()
	return joined[K, V]{call: cl, fresh: true}
}

// background starts a load that nobody waits for, unless one is under way or a failure asks for a pause.
func (c *Cache[K, V]) background(ctx context.Context, r request[K, V]) {
	if r.load == nil && c.opts.Load == nil && c.opts.LoadMany == nil || c.recursive(ctx, r.key) {
		return
	}
	s := c.shard(r.hash)
	s.mu.Lock()
	defer s.unlock()
	now := c.now()
	if s.closed || s.calls[r.key] != nil || c.renewed(s, r, now) {
		return
	}
	if f, ok := s.failures[r.key]; ok && f.retry > now {
		return
	}
	cl := c.open(ctx, s, r)
	cl.job.keep()
}

// renewed reports whether the value that asked for a load in the background has been replaced since it was read: the load
// of somebody else may have ended in between.
func (c *Cache[K, V]) renewed(s *shard[K, V], r request[K, V], now int64) bool {
	e := s.table.Load().find(r.hash, r.key)
	if e == nil || c.dead(e, now) != 0 {
		return false
	}
	if !r.live {
		return true // it was stale
	}
	l := &c.opts.Loading
	return l.EarlyRefresh == 0 && l.RefreshAfter > 0 && now < after(e.full().written.Load(), int64(l.RefreshAfter))
}

// await waits for a call or for the end of the context.
func (c *Cache[K, V]) await(ctx context.Context, cl *call[K, V]) (V, error) {
	select {
	case <-cl.done:
		c.depart(cl)
		return cl.value, cl.err
	case <-ctx.Done():
		c.depart(cl)
		var zero V
		return zero, context.Cause(ctx)
	}
}

// depart takes a waiting caller off the job. Once the job is over its events belong to the callers.
func (c *Cache[K, V]) depart(cl *call[K, V]) {
	if cl.job.leave() && c.opts.OnRemove != nil {
		c.shard(cl.hash).tell()
	}
}

// scope is the context value that tells a loader's fetches what is being loaded.
type scope[K comparable] struct {
	keys   []K
	parent *scope[K]
}

type scopeKey[K comparable, V any] struct{ c *Cache[K, V] }

func (c *Cache[K, V]) recursive(ctx context.Context, key K) bool {
	sc, _ := ctx.Value(scopeKey[K, V]{c}).(*scope[K])
	for ; sc != nil; sc = sc.parent {
		if slices.Contains(sc.keys, key) {
			return true
		}
	}
	return false
}
