package hashring

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Directory pins single keys to owners over a fallback, and moves them one at a time: a big customer gets a
// shard of its own, everybody else stays on the ring. Memory is one entry per pin and per key in use.
// It is safe for concurrent use and in-process: several processes need a shared lock or store.
type Directory[T any] struct {
	fallback func(key string) (T, bool)
	mu       sync.RWMutex // guards all below; never held while a callback runs
	entries  map[string]*entry[T]
	pins     int
}

// entry is a key that is pinned, being written, or being moved; an idle one without a pin is dropped.
type entry[T any] struct {
	pinned bool
	moving bool
	owner  T             // while pinned or moving
	writes int           // in flight
	idle   chan struct{} // closed by the last write in flight; made by the move that waits for it
}

// NewDirectory returns a directory without pins. fallback is asked for keys that have none, ring.Get fits; it
// must be safe for concurrent use. nil means pins only.
func NewDirectory[T any](fallback func(key string) (T, bool)) *Directory[T] {
	if fallback == nil {
		fallback = func(string) (T, bool) {
			var none T
			return none, false
		}
	}
	return &Directory[T]{fallback: fallback, entries: make(map[string]*entry[T])}
}

// Get returns the owner of a key for reads: the old owner while a move is open. False without an owner.
func (d *Directory[T]) Get(key string) (T, bool) {
	d.mu.RLock()
	if e := d.entries[key]; e != nil && (e.pinned || e.moving) {
		owner := e.owner
		d.mu.RUnlock()
		return owner, true
	}
	d.mu.RUnlock()
	return d.fallback(key)
}

// Write calls write with the owner of the key and holds the key's place for that time: a Move waits for it.
// It is ErrMigrating at once while the key moves, ErrNoNode without an owner, the error of ctx when it has
// ended before, otherwise the error of write. Do not move the same key inside write: it would wait for itself.
func (d *Directory[T]) Write(ctx context.Context, key string, write func(ctx context.Context, owner T) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("hashring: write of key %q: %w", key, err)
	}
	d.mu.Lock()
	e := d.entry(key)
	if e.moving {
		d.mu.Unlock()
		return fmt.Errorf("%w: %q", ErrMigrating, key)
	}
	e.writes++
	owner, ok := e.owner, e.pinned
	d.mu.Unlock()
	defer d.written(key, e) // also when a callback panics
	if !ok {
		if owner, ok = d.fallback(key); !ok {
			return fmt.Errorf("%w: %q", ErrNoNode, key)
		}
	}
	return write(ctx, owner)
}

// written ends a write.
func (d *Directory[T]) written(key string, e *entry[T]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.writes--; e.writes == 0 && e.idle != nil {
		close(e.idle)
		e.idle = nil
	}
	d.tidy(key, e)
}

// Move moves a key: from its first moment new writes are refused and Get keeps the old owner, even if the
// fallback changes; it waits for the writes in flight, as long as ctx lasts, calls transfer to copy the data, and when that returns
// nil pins the key to the new owner. On an error, an ended ctx or a panic the key is as before.
// A key that is moving already is ErrMigrating, one without an owner ErrNoNode.
func (d *Directory[T]) Move(ctx context.Context, key string, to T, transfer func(ctx context.Context, from, to T) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("hashring: move of key %q: %w", key, err)
	}
	e, idle, err := d.beginMove(key)
	if err != nil {
		return err
	}
	done := false
	from := e.owner // of this move until endMove: nobody else changes a moving entry
	defer func() { d.endMove(key, e, done, to) }()
	if idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("hashring: move of key %q: %w", key, ctx.Err())
		}
	}
	if err := transfer(ctx, from, to); err != nil {
		return err
	}
	done = true
	return nil
}

// beginMove marks the key as moving, with its present owner, and returns a channel if writes are in flight.
func (d *Directory[T]) beginMove(key string) (*entry[T], <-chan struct{}, error) {
	owner, ok := d.fallback(key) // outside the lock, and before it: no write may begin once the key is marked
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entry(key)
	switch {
	case e.moving:
		return nil, nil, fmt.Errorf("%w: %q", ErrMigrating, key)
	case !e.pinned && !ok:
		d.tidy(key, e)
		return nil, nil, fmt.Errorf("%w: %q", ErrNoNode, key)
	case !e.pinned:
		e.owner = owner
	}
	e.moving = true
	if e.writes > 0 {
		e.idle = make(chan struct{})
	}
	return e, e.idle, nil
}

func (d *Directory[T]) endMove(key string, e *entry[T], done bool, to T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.moving, e.idle = false, nil
	if done {
		d.pin(e, to)
	}
	d.tidy(key, e)
}

// Set pins a key to an owner without moving data. It does not wait for writes in flight. A moving key is
// ErrMigrating.
func (d *Directory[T]) Set(key string, owner T) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entry(key)
	if e.moving {
		return fmt.Errorf("%w: %q", ErrMigrating, key)
	}
	d.pin(e, owner)
	return nil
}

// Remove gives a key back to the fallback, without moving data; a key without a pin is ignored. A moving key
// is ErrMigrating.
func (d *Directory[T]) Remove(key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[key]
	if e == nil {
		return nil
	}
	if e.moving {
		return fmt.Errorf("%w: %q", ErrMigrating, key)
	}
	if e.pinned {
		e.pinned = false
		d.pins--
	}
	d.tidy(key, e)
	return nil
}

// All yields the pins in ascending order of key, as they are when the loop begins.
func (d *Directory[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		d.mu.RLock()
		pins := make(map[string]T, d.pins)
		for key, e := range d.entries {
			if e.pinned {
				pins[key] = e.owner
			}
		}
		d.mu.RUnlock()
		for _, key := range slices.Sorted(maps.Keys(pins)) {
			if !yield(key, pins[key]) {
				return
			}
		}
	}
}

// Len returns the number of pins.
func (d *Directory[T]) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.pins
}

// entry returns the entry of a key, a new one if need be; the caller holds mu.
func (d *Directory[T]) entry(key string) *entry[T] {
	e := d.entries[key]
	if e == nil {
		e = new(entry[T])
		d.entries[key] = e
	}
	return e
}

func (d *Directory[T]) pin(e *entry[T], owner T) {
	if !e.pinned {
		e.pinned = true
		d.pins++
	}
	e.owner = owner
}

// tidy drops an entry that says nothing, and an owner that no longer counts; the caller holds mu.
func (d *Directory[T]) tidy(key string, e *entry[T]) {
	if e.pinned || e.moving {
		return
	}
	var none T
	e.owner = none
	if e.writes == 0 {
		delete(d.entries, key)
	}
}
