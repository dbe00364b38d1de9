package lru

import (
	"context"
	"iter"
	"testing"
	"time"
)

// These are the writes to a present key that do more than change its value, in caches that have a short way for the rest.

func TestWriteToAPresentKeyVoidsItsReload(t *testing.T) {
	loading, goOn := make(chan struct{}), make(chan struct{})
	c := mustNew(t, 10, Options[int, int]{Load: func(context.Context, int) (int, error) {
		close(loading)
		<-goOn
		return 1, nil
	}})
	c.Set(7, 0)
	done := make(chan error, 1)
	go func() { done <- c.Refresh(t.Context(), 7) }()
	<-loading
	c.Set(7, 2)
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got, ok := c.Get(7); !ok || got != 2 {
		t.Errorf("Get = %d, %v: a reload that began before the write replaced it", got, ok)
	}
}

func TestWriteToAPresentKeyIsHeededByWarm(t *testing.T) {
	c := mustNew(t, 2, Options[int, int]{Policy: LRU})
	c.Set(1, 0)
	var source iter.Seq2[Entry[int, int], error] = func(yield func(Entry[int, int], error) bool) {
		if !yield(Entry[int, int]{Key: 5, Value: 5}, nil) {
			return
		}
		c.Set(1, 2)
		c.Set(2, 2)
		c.Set(3, 3) // evicts 1
		c.Remove(3)
		yield(Entry[int, int]{Key: 1, Value: 1}, nil)
	}
	if _, err := c.Warm(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Get(1); ok {
		t.Errorf("Get = %d: Warm stored what was older than a write beside it", got)
	}
}

func TestWriteWithoutALifetimeTakesTheDeadlineAway(t *testing.T) {
	c := mustNew(t, 10, Options[int, int]{})
	c.SetTTL(1, 1, 20*time.Millisecond)
	c.Set(1, 2)
	<-time.After(30 * time.Millisecond)
	if got, ok := c.Get(1); !ok || got != 2 {
		t.Errorf("Get = %d, %v, want 2 for ever", got, ok)
	}
}
