package lru

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// behind is the table of unsaved writes of a write-back cache, and the goroutine that saves them. The goroutine runs
// only while there is something to save.
//
//	write ──► unsaved[key] ──► fresh (oldest first) ──► batch ──► store
//	             ▲  newer write: same record               │
//	             └───────── retries (by time) ◄── failed ──┘
//
// A record is in fresh, in retries or in the batch that is being saved. A write of a key whose record is being saved
// changes the record; it returns to fresh after the save.
type behind[K comparable, V any] struct {
	backed *Backed[K, V]

	mu       sync.Mutex // inside the lock of a shard of the cache
	unsaved  map[K]*unsaved[K, V]
	fresh    []*unsaved[K, V] // not tried yet
	retries  retries[K, V]
	reserved int    // places that writers took, but have not filled yet
	seq      uint64 // number of the last write
	urgent   uint64 // writes up to this number are due at once
	waiting  int    // writers that wait for a place
	closed   bool
	running  bool               // the goroutine
	stop     context.CancelFunc // ends it; set while running
	wake     chan struct{}      // capacity 1: something may be due earlier than the goroutine thinks
	progress chan struct{}      // closed and replaced when records leave the table; nil: nobody listens
}

// unsaved is the last write of a key.
type unsaved[K comparable, V any] struct {
	write    Write[K, V]
	last     uint64    // number of write
	first    uint64    // number of the oldest write that the store lacks
	since    time.Time // when that was made
	saving   uint64    // number of the write in the batch under way, 0: none
	before   uint64    // first when that batch was taken
	attempts int       // failed saves since the last good one
	again    time.Time // pause until then after a failure
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 30 * time.Second
	// parallelSaves is how many Save and Remove calls run at a time where there is no SaveMany.
	parallelSaves = 16
)

func newBehind[K comparable, V any](b *Backed[K, V]) *behind[K, V] {
	return &behind[K, V]{backed: b, unsaved: map[K]*unsaved[K, V]{}, wake: make(chan struct{}, 1)}
}

func (d *behind[K, V]) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.unsaved)
}

func (d *behind[K, V]) find(key K) (Write[K, V], bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if u := d.unsaved[key]; u != nil {
		return u.write, true
	}
	return Write[K, V]{}, false
}

// write puts w into the table and the cache in one step of the key.
func (d *behind[K, V]) write(ctx context.Context, w Write[K, V]) error {
	if err := d.reserve(ctx, w.Key); err != nil {
		return err
	}
	put := false
	step := func() bool {
		d.put(w)
		put = true
		return true
	}
	defer func() { // a function of the options panicked
		if !put {
			d.mu.Lock()
			d.release()
			d.mu.Unlock()
		}
	}()
	if w.Remove {
		d.backed.cache.removeWith(w.Key, step)
	} else {
		d.backed.cache.setWith(w.Key, w.Value, step)
	}
	return nil
}

// reserve takes a place in the table, so that the step under the lock of the shard need not wait.
func (d *behind[K, V]) reserve(ctx context.Context, key K) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if d.closed {
			return ErrClosed
		}
		if d.unsaved[key] != nil || len(d.unsaved)+d.reserved < d.backed.opts.MaxDirty {
			d.reserved++
			return nil
		}
		d.waiting++
		d.start() //nolint:contextcheck // saves for everybody, not for this caller
		err := d.await(ctx)
		d.waiting--
		if err != nil {
			return err
		}
	}
}

// await gives the lock up until records leave the table or ctx ends.
func (d *behind[K, V]) await(ctx context.Context) error {
	if d.progress == nil {
		d.progress = make(chan struct{})
	}
	progress := d.progress
	d.mu.Unlock()
	defer d.mu.Lock()
	select {
	case <-progress:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// signal tells those in await to look again.
func (d *behind[K, V]) signal() {
	if d.progress != nil {
		close(d.progress)
		d.progress = nil
	}
}

// release gives the place of reserve back.
func (d *behind[K, V]) release() {
	if d.reserved--; d.closed || d.waiting > 0 {
		d.signal()
	}
}

// put is the step of write under the lock of the shard.
func (d *behind[K, V]) put(w Write[K, V]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release()
	d.seq++
	u := d.unsaved[w.Key]
	if u == nil {
		u = &unsaved[K, V]{}
		d.unsaved[w.Key] = u
		d.fresh = append(d.fresh, u)
		u.first, u.since = d.seq, time.Now()
	} else if u.saving != 0 && u.first <= u.saving {
		u.first, u.since = d.seq, time.Now() // what is being saved is not this write
	}
	u.write, u.last = w, d.seq
	if !d.running || len(d.fresh) == d.backed.opts.BatchSize {
		d.start()
	}
}

// start makes sure that the goroutine runs and looks at the table.
func (d *behind[K, V]) start() {
	if d.running {
		select {
		case d.wake <- struct{}{}:
		default: // it will look anyway
		}
		return
	}
	d.running = true
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go d.run(ctx)
}

// run saves batches until nothing is left or ctx ends.
func (d *behind[K, V]) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d.mu.Lock()
		batch, wait := d.take(time.Now())
		if ctx.Err() != nil || len(d.unsaved) == 0 {
			d.putBack(batch)
			d.running = false
			d.stop()
			d.signal()
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		if len(batch) > 0 {
			d.saveBatch(ctx, batch)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-d.wake:
		case <-ctx.Done():
		}
	}
}

// take removes what is due from fresh and retries, oldest first, and marks it as being saved; if nothing is due it
// says when something will be.
func (d *behind[K, V]) take(now time.Time) (batch []*unsaved[K, V], wait time.Duration) {
	size := d.backed.opts.BatchSize
	wait = d.backed.opts.FlushEvery
	for len(d.retries) > 0 && len(batch) < size {
		if u := d.retries[0]; u.again.After(now) {
			wait = min(wait, u.again.Sub(now))
			break
		}
		batch = append(batch, heap.Pop(&d.retries).(*unsaved[K, V])) //nolint:forcetypeassert // holds nothing else
	}
	full := len(d.fresh) >= size || d.waiting > 0
	for len(d.fresh) > 0 && len(batch) < size {
		u := d.fresh[0]
		if age := now.Sub(u.since); !full && u.first > d.urgent && age < d.backed.opts.FlushEvery {
			wait = min(wait, d.backed.opts.FlushEvery-age)
			break
		}
		d.fresh[0] = nil
		d.fresh = d.fresh[1:]
		batch = append(batch, u)
	}
	for _, u := range batch {
		u.saving, u.before = u.last, u.first
	}
	return batch, wait
}

func (d *behind[K, V]) putBack(batch []*unsaved[K, V]) {
	for _, u := range batch {
		u.saving = 0
	}
	d.fresh = append(batch, d.fresh...)
}

// saveBatch saves a batch and settles what became of each write.
func (d *behind[K, V]) saveBatch(ctx context.Context, batch []*unsaved[K, V]) {
	writes := make([]Write[K, V], len(batch))
	var joined, alone []int
	d.mu.Lock()
	for i, u := range batch {
		writes[i] = u.write
		if d.backed.batch != nil && u.attempts == 0 {
			joined = append(joined, i)
		} else {
			alone = append(alone, i)
		}
	}
	d.mu.Unlock()
	errs := make([]error, len(batch))
	if len(joined) > 0 {
		together := make([]Write[K, V], 0, len(joined))
		for _, i := range joined {
			together = append(together, writes[i])
		}
		err := guard(func() error { return d.saveMany(ctx, together) })
		for _, i := range joined {
			errs[i] = err
		}
	}
	slots := make(chan struct{}, parallelSaves)
	var group sync.WaitGroup
	for _, i := range alone {
		slots <- struct{}{}
		group.Go(func() {
			errs[i] = guard(func() error { return d.backed.save(ctx, writes[i]) })
			<-slots
		})
	}
	group.Wait()
	for i, u := range batch {
		// A batch fails as a whole, whoever is to blame: its writes are tried again alone before OnError hears.
		shared := u.attempts == 0 && len(joined) > 1
		d.settle(ctx, u, writes[i], errs[i], shared)
	}
	d.mu.Lock()
	d.signal()
	d.mu.Unlock()
}

func (d *behind[K, V]) saveMany(ctx context.Context, writes []Write[K, V]) error {
	if t := d.backed.opts.Cache.Loading.Timeout; t > 0 {
		limited, cancel := context.WithTimeout(ctx, t)
		defer cancel()
		ctx = limited
	}
	return d.backed.batch.SaveMany(ctx, writes)
}

// guard calls the store on a goroutine of its own and makes an error of a panic or runtime.Goexit: nobody who could be
// told waits, and the value must not be lost with the goroutine.
func guard(call func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if !returned {
				err = &PanicError{Value: recover(), Stack: debug.Stack()}
			}
		}()
		err = call()
		returned = true
	}()
	<-done
	return err
}

// settle takes a saved write off the table, or plans the next attempt. attempts belongs to this goroutine while u is
// being saved.
func (d *behind[K, V]) settle(ctx context.Context, u *unsaved[K, V], w Write[K, V], err error, shared bool) {
	retry := true
	if err != nil && ctx.Err() == nil { // a save that Close broke off is not a failure
		u.attempts++
		if d.backed.opts.OnError != nil && !shared {
			retry = d.backed.opts.OnError(w, u.attempts, err)
		}
	}
	if !retry {
		// The record goes in the step that empties the cache: a read sees the value until then and the store after.
		d.backed.cache.removeWith(w.Key, func() bool { return d.finish(u, nil) })
		return
	}
	d.finish(u, err)
}

// finish ends the save of u and reports whether that was its last write.
func (d *behind[K, V]) finish(u *unsaved[K, V], err error) (gone bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	saved := u.saving
	u.saving = 0
	switch {
	case err != nil:
		u.first = u.before // the writes that were to be saved still are
		u.again = time.Now().Add(pause(u.attempts))
		heap.Push(&d.retries, u)
	case u.last == saved:
		delete(d.unsaved, u.write.Key)
		gone = true
	default:
		u.attempts = 0
		d.fresh = append(d.fresh, u)
	}
	return gone
}

// pause is the time before the next attempt: doubling, with full jitter.
func pause(attempts int) time.Duration {
	limit := lastPause
	if shift := max(attempts-1, 0); shift < 10 {
		limit = min(limit, firstPause<<shift)
	}
	return rand.N(limit) + 1
}

// flush waits until all writes up to now have left the table.
func (d *behind[K, V]) flush(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	target := d.seq
	d.urgent = max(d.urgent, target)
	for d.holds(target) {
		d.start() //nolint:contextcheck // saves for everybody, not for this caller
		if err := d.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether the store lacks a write with a number up to target.
func (d *behind[K, V]) holds(target uint64) bool {
	for _, u := range d.unsaved {
		if u.first <= target || u.saving != 0 && u.saving <= target {
			return true
		}
	}
	return false
}

// close refuses writes and flushes; if ctx ends first it stops the goroutine, which leaves the rest on the table.
func (d *behind[K, V]) close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	d.signal() // writers that wait for a place
	for d.reserved > 0 {
		if err := d.await(ctx); err != nil {
			d.mu.Unlock()
			return err
		}
	}
	d.mu.Unlock()
	err := d.flush(ctx)
	if err == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running {
		d.stop()
	}
	return err
}

// retries is a heap of records by the time of their next attempt.
type retries[K comparable, V any] []*unsaved[K, V]

func (r retries[K, V]) Len() int           { return len(r) }
func (r retries[K, V]) Less(i, j int) bool { return r[i].again.Before(r[j].again) }
func (r retries[K, V]) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push is for package heap.
func (r *retries[K, V]) Push(x any) {
	*r = append(*r, x.(*unsaved[K, V])) //nolint:forcetypeassert // holds nothing else
}

// Pop is for package heap.
func (r *retries[K, V]) Pop() any {
	old := *r
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return u
}
