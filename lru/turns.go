package lru

import (
	"context"
	"sync"
)

// turns lets one goroutine at a time have the turn of a key. Whoever waits may leave with its context.
type turns[K comparable] struct {
	mu    sync.Mutex
	taken map[K]chan struct{} // closed when the turn is given back
}

func (t *turns[K]) take(ctx context.Context, key K) error {
	for {
		t.mu.Lock()
		ahead, busy := t.taken[key]
		if !busy {
			if t.taken == nil {
				t.taken = map[K]chan struct{}{}
			}
			t.taken[key] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-ahead:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *turns[K]) give(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.taken[key])
	delete(t.taken, key)
}
