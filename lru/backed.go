package lru

import (
	"context"
	"fmt"
	"sync/atomic"
)

// A Backed is a cache in front of a store, for reads and for writes: the access patterns read-through with
// write-through, write-around or write-back as one type. (Cache-aside needs no type: it is GetOrLoad, and Remove after
// each write of the store.)
//
//	WriteThrough  after Set returned nil the store has the value, and no later read of this Backed sees an older one
//	WriteAround   the same, and the value enters the cache when it is first read
//	WriteBack     after Set returned nil every read of this Backed sees the value; the store has it after FlushEvery
//	              plus the time of the save, and a crash loses at most MaxDirty keys
//
// In every mode writes of one key reach the store in the order in which the calls took effect, one at a time, and a load
// that began before a write of its key is not cached. Keys that differ from themselves (NaN) are ErrInvalid.
type Backed[K comparable, V any] struct {
	store  Store[K, V]
	batch  BatchStore[K, V] // store, if it is that
	cache  *Cache[K, V]
	opts   BackedOptions[K, V]
	turns  turns[K]      // WriteThrough, WriteAround
	behind *behind[K, V] // WriteBack, else nil
	closed atomic.Bool   // stored by Close, read by writers
}

// NewBacked returns an empty cache of so many entries (or of that weight) in front of store. The error wraps
// ErrInvalid and names the field.
func NewBacked[K comparable, V any](store Store[K, V], capacity int, opts BackedOptions[K, V]) (*Backed[K, V], error) {
	if store == nil {
		return nil, invalid("store is nil")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	b := &Backed[K, V]{store: store, opts: opts}
	b.batch, _ = store.(BatchStore[K, V])
	cacheOpts := opts.Cache
	cacheOpts.Load = b.load
	if b.batch != nil {
		cacheOpts.LoadMany = b.loadMany
	}
	cache, err := New(capacity, cacheOpts)
	if err != nil {
		return nil, err
	}
	b.cache = cache
	if opts.Mode == WriteBack {
		b.behind = newBehind(b)
	}
	return b, nil
}

// Cache returns the cache, for Stats, Peek, All and the like. What is written into it by its own methods does not
// reach the store.
func (b *Backed[K, V]) Cache() *Cache[K, V] { return b.cache }

// Fetch returns the value of key, from the cache, from the unsaved writes or from the store, as Cache.Fetch does: one
// load per key at a time. A key that the store does not have is ErrNotFound.
func (b *Backed[K, V]) Fetch(ctx context.Context, key K) (V, error) { return b.cache.Fetch(ctx, key) }

// FetchMany is Fetch for many keys, as Cache.FetchMany: absent keys are left out of the map, other failures are joined.
func (b *Backed[K, V]) FetchMany(ctx context.Context, keys []K) (map[K]V, error) {
	return b.cache.FetchMany(ctx, keys)
}

// load is the source of the cache.
func (b *Backed[K, V]) load(ctx context.Context, key K) (V, error) {
	if b.behind != nil {
		if w, ok := b.behind.find(key); ok {
			if w.Remove {
				return w.Value, ErrNotFound
			}
			return w.Value, nil
		}
	}
	return b.store.Load(ctx, key)
}

// loadMany is the bulk source of the cache.
func (b *Backed[K, V]) loadMany(ctx context.Context, keys []K) (map[K]V, error) {
	if b.behind == nil {
		return b.batch.LoadMany(ctx, keys)
	}
	unsaved := map[K]V{}
	ask := make([]K, 0, len(keys))
	for _, key := range keys {
		switch w, ok := b.behind.find(key); {
		case !ok:
			ask = append(ask, key)
		case !w.Remove:
			unsaved[key] = w.Value
		}
	}
	if len(ask) == 0 {
		return unsaved, nil
	}
	found, err := b.batch.LoadMany(ctx, ask)
	if err != nil {
		return nil, err
	}
	for _, key := range ask { // only what was asked for: the store may return more, of keys that are unsaved here
		if v, ok := found[key]; ok {
			unsaved[key] = v
		}
	}
	return unsaved, nil
}

// Set writes a value. By WriteThrough and WriteAround an error is the one of the store (or the cause of ctx, while
// another write of the key is under way); whether the store has the value is then unknown, and the cache forgets the
// key. By WriteBack it waits while MaxDirty keys are unsaved, and an error is the cause of ctx: nothing was written.
// After Close it is ErrClosed.
func (b *Backed[K, V]) Set(ctx context.Context, key K, value V) error {
	return b.write(ctx, Write[K, V]{Key: key, Value: value})
}

// Remove removes a key, with the errors of Set.
func (b *Backed[K, V]) Remove(ctx context.Context, key K) error {
	return b.write(ctx, Write[K, V]{Key: key, Remove: true})
}

func (b *Backed[K, V]) write(ctx context.Context, w Write[K, V]) error {
	if w.Key != w.Key { //nolint:gocritic // true for NaN
		return invalid("key %v differs from itself", w.Key)
	}
	if b.behind != nil {
		return b.behind.write(ctx, w)
	}
	if b.closed.Load() {
		return ErrClosed
	}
	if err := b.turns.take(ctx, w.Key); err != nil {
		return err
	}
	given := false
	// The turn is given back inside the step that changes the cache, so that the cache sees the order of the store and
	// the listener, which runs after the step, may write.
	give := func() bool {
		b.turns.give(w.Key)
		given = true
		return true
	}
	defer func() { // Save failed, or it or a function of the options panicked
		if !given {
			b.cache.removeWith(w.Key, give)
		}
	}()
	if err := b.save(ctx, w); err != nil {
		return err
	}
	if w.Remove || b.opts.Mode == WriteAround {
		b.cache.removeWith(w.Key, give)
		return nil
	}
	b.cache.setWith(w.Key, w.Value, give)
	return nil
}

// save writes one write into the store.
func (b *Backed[K, V]) save(ctx context.Context, w Write[K, V]) error {
	if t := b.opts.Cache.Loading.Timeout; t > 0 {
		limited, cancel := context.WithTimeout(ctx, t)
		defer cancel()
		ctx = limited
	}
	if w.Remove {
		return b.store.Remove(ctx, w.Key)
	}
	return b.store.Save(ctx, w.Key, w.Value)
}

// Flush returns when every write made before the call is saved, or was given up by OnError, or ctx ends; the error is
// then its cause. It asks for the save of all of them now, apart from the pauses after failures. Without WriteBack
// there is nothing to do.
func (b *Backed[K, V]) Flush(ctx context.Context) error {
	if b.behind == nil {
		return nil
	}
	return b.behind.flush(ctx)
}

// Dirty returns the number of keys whose last write is not saved: what a crash would lose now.
func (b *Backed[K, V]) Dirty() int {
	if b.behind == nil {
		return 0
	}
	return b.behind.len()
}

// Close refuses writes from now on with ErrClosed, flushes, and closes the cache. If ctx ends first, the error says
// how many writes are left and wraps its cause; they are kept, and Close may be called again.
func (b *Backed[K, V]) Close(ctx context.Context) error {
	b.closed.Store(true)
	if b.behind != nil {
		if err := b.behind.close(ctx); err != nil {
			return fmt.Errorf("lru: %d writes are not saved: %w", b.behind.len(), err)
		}
	}
	return b.cache.Close(ctx)
}

// setWith is Set with a step under the lock of the shard, after the value was stored and before anybody hears of it.
func (c *Cache[K, V]) setWith(key K, value V, step func() bool) {
	d := c.draft(key, value, optionsTTL, c.birth())
	s := c.shard(d.hash)
	s.mu.Lock()
	e, _ := c.store(s, &d)
	step()
	s.unlock()
	c.relieve(s, e)
}

// removeWith is Remove with a step under the lock of the shard, before it; nothing is removed where that returns false.
func (c *Cache[K, V]) removeWith(key K, step func() bool) {
	h := c.hash(key)
	s := c.shard(h)
	s.mu.Lock()
	if step() {
		s.void(h, key)
		if e := c.alive(s, h, key, 0); e != nil {
			c.remove(s, e, Removed)
		}
	}
	s.unlock()
}
