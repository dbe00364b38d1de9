package lru

import (
	"context"
	"errors"
	"time"
)

// bulkWidth is how many keys FetchMany loads at the same time without LoadMany and Loading.Concurrency.
const bulkWidth = 16

// FetchMany is Fetch for many keys, each loaded once however often it stands in keys. Missing ones go to LoadMany,
// BatchSize at a time, or one by one to Load, at most 16 (or Concurrency) at a time; keys in flight are joined.
//
// The map holds what was found. Keys that do not exist are left out and are no error; all other failures are joined
// into the error.
func (c *Cache[K, V]) FetchMany(ctx context.Context, keys []K) (map[K]V, error) {
	if c.opts.Load == nil && c.opts.LoadMany == nil {
		return nil, ErrNoLoader
	}
	return c.many(ctx, keys, false)
}

// Refresh loads the keys now, whether they have values or not, and waits. Old values stay readable until the new
// ones are there; a failure leaves them. Keys that turn out not to exist are removed, which is no error.
func (c *Cache[K, V]) Refresh(ctx context.Context, keys ...K) error {
	if c.opts.Load == nil && c.opts.LoadMany == nil {
		return ErrNoLoader
	}
	_, err := c.many(ctx, keys, true)
	return err
}

func (c *Cache[K, V]) many(ctx context.Context, keys []K, force bool) (map[K]V, error) {
	out := make(map[K]V, len(keys))
	seen := make(map[K]struct{}, len(keys))
	var (
		waits []*call[K, V]
		fresh []*call[K, V]
		errs  []error
		group *job
	)
	bulk := c.opts.LoadMany != nil
	for _, key := range keys {
		if _, twice := seen[key]; twice {
			continue
		}
		seen[key] = struct{}{}
		r := request[K, V]{key: key, hash: c.hash(key), force: force, hold: true}
		s := c.shard(r.hash)
		if !force {
			if v, ok := c.serve(ctx, s, r.hash, key, nil); ok {
				out[key] = v
				continue
			}
		}
		if bulk {
			if group == nil {
				group = c.newJob(ctx)
			}
			r.into = group
		}
		in := c.join(ctx, r)
		late := in.call == nil && in.err == nil // as in fetch
		if late && !force {
			c.hit()
		} else if !force {
			s.misses.Add(1)
		}
		switch {
		case in.call != nil:
			waits = append(waits, in.call)
			if !in.fresh {
				break
			}
			if fresh = append(fresh, in.call); bulk && len(fresh) == c.batchSize() {
				c.run(group, fresh, nil, c.loadMany)
				group, fresh = nil, nil
			}
		case in.err == nil:
			out[key] = in.value
		case !errors.Is(in.err, ErrNotFound):
			errs = append(errs, in.err)
		}
	}
	c.launchAll(group, fresh)
	for _, cl := range waits {
		switch v, err := c.await(ctx, cl); {
		case err == nil:
			out[cl.key] = v
		case !errors.Is(err, ErrNotFound):
			errs = append(errs, err)
		}
	}
	return out, joinDistinct(errs)
}

// launchAll starts the loads of fresh calls: one job for all, or a job for each behind a common gate.
func (c *Cache[K, V]) launchAll(group *job, fresh []*call[K, V]) {
	if group != nil {
		if len(fresh) == 0 {
			group.cancel()
			return
		}
		c.run(group, fresh, nil, c.loadMany)
		return
	}
	width := bulkWidth
	if n := c.opts.Loading.Concurrency; n > 0 {
		width = n
	}
	gate := make(chan struct{}, width)
	for _, cl := range fresh {
		c.launch(cl, nil, gate)
	}
}

// joinDistinct joins errors; one that all keys of a batch got stands once.
func joinDistinct(errs []error) error {
	var distinct []error
	for i, err := range errs {
		if i == 0 || !same(err, errs[i-1]) {
			distinct = append(distinct, err)
		}
	}
	return errors.Join(distinct...)
}

// same compares two errors where that cannot panic.
func same(a, b error) (equal bool) {
	defer func() { _ = recover() }() // errors of uncomparable types
	return a == b                    //nolint:errorlint // identity is meant
}

func (c *Cache[K, V]) batchSize() int {
	if n := c.opts.Loading.BatchSize; n > 0 {
		return n
	}
	return defaultBatchSize
}

// loadMany is the bulk loader as a job runs it.
func (c *Cache[K, V]) loadMany(ctx context.Context, calls []*call[K, V]) outcome[K, V] {
	keys := make([]K, len(calls))
	for i, cl := range calls {
		keys[i] = cl.key
	}
	before := c.writes()
	many, err := c.opts.LoadMany(ctx, keys)
	return outcome[K, V]{many: many, err: err, before: before}
}

// writes is the write counter of each shard.
func (c *Cache[K, V]) writes() []uint64 {
	list := make([]uint64, len(c.shards))
	for i := range c.shards {
		c.shards[i].mu.Lock()
		list[i] = c.shards[i].writes
		c.shards[i].mu.Unlock()
	}
	return list
}

// extras stores the keys that LoadMany returned unasked, where they are absent. There is no call that a removal could
// have voided, so a shard that saw any write since the load began takes none.
func (c *Cache[K, V]) extras(j *job, list []result[K, V], out outcome[K, V]) []result[K, V] {
	if out.err != nil || len(out.many) <= len(list) {
		return list
	}
	asked := make(map[K]struct{}, len(list))
	for i := range list {
		asked[list[i].call.key] = struct{}{}
	}
	for key, v := range out.many {
		if _, ok := asked[key]; ok {
			continue
		}
		d := c.draft(key, v, optionsTTL, j.birth)
		s := c.shard(d.hash)
		s.mu.Lock()
		var e *entry[K, V]
		if s.writes == out.before[d.hash&c.mask] && s.calls[key] == nil && c.alive(s, d.hash, key, 0) == nil {
			e, _ = c.store(s, &d)
			s.writes-- // a value loaded here does not make the next one old
		} else {
			c.discard(&d)
		}
		s.unlock()
		c.relieve(s, e)
	}
	return list
}

// batch collects the misses of Loading.BatchWindow.
type batch[K comparable, V any] struct {
	job   *job
	calls []*call[K, V]
	timer *time.Timer
}

// enqueue adds a call to the open batch or opens one. Under the lock of the call's shard.
func (c *Cache[K, V]) enqueue(ctx context.Context, cl *call[K, V]) {
	l := &c.loading
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.batch
	if b == nil || b.job.abandoned() {
		b = &batch[K, V]{job: c.newJob(ctx)}
		b.timer = time.AfterFunc(c.opts.Loading.BatchWindow, func() { c.flush(b) })
		if l.batch != nil {
			go c.runBatch(l.batch)
		}
		l.batch = b
	}
	cl.job = b.job
	b.calls = append(b.calls, cl)
	if len(b.calls) >= c.batchSize() {
		l.batch = nil
		b.timer.Stop()
		go c.runBatch(b) // not here: the lock of a shard is held
	}
}

// flush closes the window of a batch.
func (c *Cache[K, V]) flush(b *batch[K, V]) {
	c.loading.mu.Lock()
	mine := c.loading.batch == b
	if mine {
		c.loading.batch = nil
	}
	c.loading.mu.Unlock()
	if mine {
		c.runBatch(b)
	}
}

func (c *Cache[K, V]) runBatch(b *batch[K, V]) {
	b.timer.Stop()
	c.run(b.job, b.calls, nil, c.loadMany)
}

// Close ends the loading of a cache: it cancels the loads in flight, waits for them or for ctx, and clears the cache
// with events. Afterwards Get misses, Set and the like do nothing, and loading calls return ErrClosed. Only a cache
// that loads needs it, and only to be sure that no loader runs any more.
func (c *Cache[K, V]) Close(ctx context.Context) error {
	l := &c.loading
	l.mu.Lock()
	l.closed = true
	if l.idle == nil && len(l.running) > 0 {
		l.idle = make(chan struct{})
	}
	idle, open := l.idle, l.batch
	l.batch = nil
	for j := range l.running {
		j.cancel()
	}
	l.mu.Unlock()
	if open != nil {
		c.runBatch(open) // its callers get ErrClosed
	}
	for i := range c.shards {
		c.clearShard(&c.shards[i], true)
	}
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
