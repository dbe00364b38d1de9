package lru

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

type loader[K comparable, V any] func(context.Context, K) (V, error)

// call is the record of one key in flight. While it stands in shard.calls it may store its result; a write or
// removal of the key takes it out and so voids it.
type call[K comparable, V any] struct {
	key   K
	hash  uint64
	job   *job
	live  bool // the key had a live value when the call began
	force bool // a new value is wanted, not the one in the tier

	void  bool          // under the lock of the shard
	done  chan struct{} // closed when value and err are set
	value V
	err   error
}

// job is one run of a loader, for one key or many.
type job struct {
	ctx    context.Context //nolint:containedctx // the context of the loader, made before its goroutine
	cancel context.CancelFunc
	birth  uint64 // tag clock at its beginning

	mu      sync.Mutex
	waiters int
	kept    bool // runs on without waiters
	dead    bool // cancelled because the last waiter left
	over    bool // all results are set
}

// enter adds a waiter, unless the job was given up.
func (j *job) enter() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead {
		return false
	}
	j.waiters++
	return true
}

// leave takes a waiter off, cancels the job after the last one, and reports whether the job is over.
func (j *job) leave() (over bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.waiters--; j.waiters == 0 && !j.kept && !j.over {
		j.dead = true
		j.cancel()
	}
	return j.over
}

// keep makes the job independent of waiters.
func (j *job) keep() {
	j.mu.Lock()
	j.kept = true
	j.mu.Unlock()
}

func (j *job) abandoned() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dead
}

// end marks the job as over and reports whether somebody waits.
func (j *job) end() (awaited bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	j.cancel()
	return j.waiters > 0
}

// failure is a remembered error of a key.
type failure struct {
	err   error
	until int64 // served up to here
	retry int64 // a key with a value is not loaded again before
}

// maxFailures bounds the remembered errors of a shard: whoever asks for keys that do not exist must not be able to
// fill the memory.
const maxFailures = 4096

// loading is what the loading calls share.
type loading[K comparable, V any] struct {
	slots chan struct{} // one token per running loader; nil: no limit

	// Counters, added to by loads and read by Stats.
	loads, errors, shared, stale, refreshes atomic.Uint64
	time                                    atomic.Int64
	mean                                    atomic.Int64 // moving mean duration; a lost update does no harm

	mu      sync.Mutex // inside the lock of a shard
	closed  bool
	running map[*job]struct{}
	idle    chan struct{} // closed when closed and nothing runs
	batch   *batch[K, V]  // keys that wait for the window to close
}

func (l *loading[K, V]) init(o *Options[K, V]) {
	if o.Loading.Concurrency > 0 {
		l.slots = make(chan struct{}, o.Loading.Concurrency)
	}
}

// void takes the key's load in flight, what is remembered of failed ones, and what the tier has, out.
func (s *shard[K, V]) void(h uint64, key K) {
	s.writes++
	if s.warming != nil {
		s.warming.mark(h)
	}
	if s.cache.overflow.on() {
		s.later(key, &spill[K, V]{})
	}
	if len(s.calls) > 0 {
		if cl := s.calls[key]; cl != nil {
			cl.void = true
			delete(s.calls, key)
		}
	}
	if len(s.failures) > 0 {
		delete(s.failures, key)
	}
}

func (s *shard[K, V]) voidAll() {
	s.writes++
	if s.warming != nil {
		s.warming.all = true
	}
	clear(s.pending)
	for _, cl := range s.calls {
		cl.void = true
	}
	clear(s.calls)
	clear(s.failures)
}

// newJob derives the context of a loader: the values of its first caller, a cancellation of its own.
func (c *Cache[K, V]) newJob(ctx context.Context) *job {
	j := &job{birth: c.birth()}
	j.ctx = context.WithoutCancel(ctx)
	if t := c.opts.Loading.Timeout; t > 0 {
		j.ctx, j.cancel = context.WithTimeout(j.ctx, t)
	} else {
		j.ctx, j.cancel = context.WithCancel(j.ctx)
	}
	return j
}

// open registers a call for a key and starts its job, unless the caller of join does that. Under the shard's lock.
func (c *Cache[K, V]) open(ctx context.Context, s *shard[K, V], r request[K, V]) *call[K, V] {
	cl := &call[K, V]{key: r.key, hash: r.hash, job: r.into, live: r.live, force: r.force, done: make(chan struct{})}
	if s.calls == nil {
		s.calls = map[K]*call[K, V]{}
	}
	if r.key == r.key { //nolint:gocritic // NaN could never be deleted
		s.calls[r.key] = cl
	} else {
		cl.void = true
	}
	switch {
	case r.into != nil:
	case r.load == nil && c.opts.Loading.BatchWindow > 0:
		c.enqueue(ctx, cl)
	default:
		cl.job = c.newJob(ctx)
		if !r.hold {
			c.launch(cl, r.load, nil)
		}
	}
	return cl
}

// launch runs the loader of one call on a goroutine of its own: the caller must be able to leave before it, and to
// survive it. gate limits how many of a group run at the same time.
func (c *Cache[K, V]) launch(cl *call[K, V], load loader[K, V], gate chan struct{}) {
	if load == nil {
		load = c.opts.Load
	}
	calls := []*call[K, V]{cl}
	if load == nil {
		c.run(cl.job, calls, gate, c.loadMany)
		return
	}
	c.run(cl.job, calls, gate, func(ctx context.Context, calls []*call[K, V]) outcome[K, V] {
		v, err := load(ctx, calls[0].key)
		return outcome[K, V]{one: v, single: true, err: err}
	})
}

// outcome is what a loader returned.
type outcome[K comparable, V any] struct {
	one    V
	single bool
	many   map[K]V
	before []uint64 // write counters of the shards when LoadMany was called
	err    error
}

// start registers a job, so that Close can cancel and await it.
func (l *loading[K, V]) start(j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.running == nil {
		l.running = map[*job]struct{}{}
	}
	l.running[j] = struct{}{}
	return true
}

func (l *loading[K, V]) finish(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, j)
	if l.closed && len(l.running) == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// run starts the goroutine of a job.
func (c *Cache[K, V]) run(j *job, calls []*call[K, V], gate chan struct{},
	load func(context.Context, []*call[K, V]) outcome[K, V],
) {
	registered := c.loading.start(j)
	go func() {
		var (
			out      outcome[K, V]
			results  []result[K, V]
			returned bool
		)
		defer func() { // also when the loader panicked or ended the goroutine
			if !returned {
				perr := &PanicError{Value: recover(), Stack: debug.Stack()}
				results = append(results, c.failAll(calls, perr)...)
				c.loading.errors.Add(1)
			}
			c.conclude(j, results)
			if registered {
				c.loading.finish(j)
			}
		}()
		out.err = ErrClosed
		if registered {
			if calls, results = c.promote(j, calls); len(calls) == 0 {
				returned = true
				return
			}
			out = c.call(j, calls, gate, load)
		}
		if out.err != nil && !errors.Is(out.err, ErrNotFound) {
			c.loading.errors.Add(1)
		}
		results = append(results, c.results(j, calls, out)...)
		returned = true
	}()
}

// call takes the slots, calls the loader and measures it.
func (c *Cache[K, V]) call(j *job, calls []*call[K, V], gate chan struct{},
	load func(context.Context, []*call[K, V]) outcome[K, V],
) (out outcome[K, V]) {
	for _, slots := range []chan struct{}{gate, c.loading.slots} {
		if slots == nil {
			continue
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-j.ctx.Done():
			out.err = context.Cause(j.ctx)
			return out
		}
	}
	if err := context.Cause(j.ctx); err != nil {
		out.err = err
		return out
	}
	keys := make([]K, len(calls))
	for i, cl := range calls {
		keys[i] = cl.key
	}
	parent, _ := j.ctx.Value(scopeKey[K, V]{c}).(*scope[K])
	ctx := context.WithValue(j.ctx, scopeKey[K, V]{c}, &scope[K]{keys, parent})
	c.loading.loads.Add(1)
	for _, cl := range calls {
		if cl.live {
			c.loading.refreshes.Add(1)
		}
	}
	begin := time.Now()
	defer func() {
		took := int64(time.Since(begin))
		c.loading.time.Add(took)
		if mean := c.loading.mean.Load(); mean != 0 {
			took = mean + (took-mean)/8
		}
		c.loading.mean.Store(took)
	}()
	return load(ctx, calls)
}

// result is what becomes of one call; draft is what to store.
type result[K comparable, V any] struct {
	call  *call[K, V]
	value V
	err   error
	draft *draft[K, V]
	found bool // err is not ErrNotFound
}

// results prepares what a loader returned for storing, which calls Weight, TTLFunc and Tags.
func (c *Cache[K, V]) results(j *job, calls []*call[K, V], out outcome[K, V]) []result[K, V] {
	list := make([]result[K, V], 0, len(calls))
	for _, cl := range calls {
		r := result[K, V]{call: cl, value: out.one, err: out.err}
		if !out.single && out.err == nil {
			v, ok := out.many[cl.key]
			if r.value = v; !ok {
				r.err = ErrNotFound
			}
		}
		r.found = r.err == nil || !errors.Is(r.err, ErrNotFound)
		list = append(list, r)
	}
	done := false
	defer func() { // a user function panicked: give the tags back
		for i := range list {
			if !done && list[i].draft != nil {
				c.discard(list[i].draft)
			}
		}
	}()
	for i := range list {
		if list[i].err == nil {
			d := c.draft(list[i].call.key, list[i].value, optionsTTL, j.birth)
			list[i].draft = &d
		}
	}
	list = c.extras(j, list, out)
	done = true
	return list
}

func (c *Cache[K, V]) failAll(calls []*call[K, V], err error) []result[K, V] {
	list := make([]result[K, V], 0, len(calls))
	for _, cl := range calls {
		list = append(list, result[K, V]{call: cl, err: err, found: true})
	}
	return list
}

// conclude stores the results, lets the callers go, and then delivers the events, unless there are callers to do it.
func (c *Cache[K, V]) conclude(j *job, results []result[K, V]) {
	quiet := j.abandoned() || c.loading.isClosed() // its error says nothing about the key
	for i := range results {
		c.settle(&results[i], quiet)
	}
	awaited := j.end()
	for i := range results {
		close(results[i].call.done)
	}
	if awaited || c.opts.OnRemove == nil {
		return
	}
	for i := range results {
		c.shard(results[i].call.hash).tell()
	}
}

func (l *loading[K, V]) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// settle commits one result under the lock of its shard.
func (c *Cache[K, V]) settle(r *result[K, V], quiet bool) {
	cl := r.call
	s := c.shard(cl.hash)
	s.mu.Lock()
	valid := !cl.void && !s.closed
	if s.calls[cl.key] == cl {
		delete(s.calls, cl.key)
	}
	var e *entry[K, V]
	switch {
	case r.draft != nil:
		if valid && (c.tags == nil || !c.tags.voids(r.draft.tags, r.draft.birth)) {
			e, _ = c.store(s, r.draft)
		} else {
			c.discard(r.draft)
		}
	case !valid:
	case !r.found:
		if old := c.alive(s, cl.hash, cl.key, 0); old != nil {
			c.remove(s, old, Removed)
		}
		s.remember(cl, r.err, int64(c.opts.Loading.NegativeTTL), 0)
	case !quiet:
		pause := int64(c.opts.Loading.ErrorTTL)
		if cl.live {
			pause = max(pause, int64(time.Second))
		}
		s.remember(cl, r.err, int64(c.opts.Loading.ErrorTTL), pause)
	}
	cl.value, cl.err = r.value, r.err
	s.unlockQuietly()
	c.relieve(s, e)
}

// remember keeps an error of a key, for callers without a value for ttl, for the next refresh for pause.
func (s *shard[K, V]) remember(cl *call[K, V], err error, ttl, pause int64) {
	if ttl <= 0 && pause <= 0 {
		return
	}
	if s.failures == nil {
		s.failures = map[K]failure{}
	}
	if len(s.failures) >= maxFailures {
		for key := range s.failures {
			delete(s.failures, key)
			break
		}
	}
	now := s.cache.now()
	f := failure{err: err, until: after(now, ttl), retry: after(now, pause)}
	s.failures[cl.key] = f
	s.cache.timer.arm(s.cache, after(max(f.until, f.retry), 1<<wheelShift))
}
