package lru

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// plainStore is a store in memory that checks what a Backed promises to its store, and fails as the test says.
type plainStore struct {
	t     testing.TB
	takes time.Duration                   // of each call
	fail  func(op string, key int) error  // nil: never
	begun func(op string, key, value int) // nil: nobody wants to know; outside the lock

	mu      sync.Mutex
	values  map[int]int
	busy    map[int]string // keys of writes under way
	history map[int][]int  // per key the values saved, -1 for a removal
	loads   int
	saves   int // calls of Save, Remove and SaveMany
}

func newStore(tb testing.TB) *plainStore {
	tb.Helper()
	return &plainStore{t: tb, values: map[int]int{}, busy: map[int]string{}, history: map[int][]int{}}
}

func (s *plainStore) pause(ctx context.Context) error {
	if s.takes == 0 {
		return context.Cause(ctx)
	}
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *plainStore) failure(op string, key int) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op, key)
}

func (s *plainStore) Load(ctx context.Context, key int) (int, error) {
	s.mu.Lock()
	s.loads++
	v, ok := s.values[key]
	s.mu.Unlock()
	if s.begun != nil {
		s.begun("load", key, v)
	}
	if err := s.pause(ctx); err != nil {
		return 0, err
	}
	if err := s.failure("load", key); err != nil {
		return 0, err
	}
	if !ok {
		return 0, ErrNotFound
	}
	return v, nil
}

func (s *plainStore) Save(ctx context.Context, key, value int) error {
	return s.change(ctx, "save", []Write[int, int]{{Key: key, Value: value}})
}

func (s *plainStore) Remove(ctx context.Context, key int) error {
	return s.change(ctx, "remove", []Write[int, int]{{Key: key, Remove: true}})
}

// change applies writes, all or none, and complains about two writes of a key at a time.
func (s *plainStore) change(ctx context.Context, op string, writes []Write[int, int]) error {
	s.mu.Lock()
	s.saves++
	for _, w := range writes {
		if other := s.busy[w.Key]; other != "" {
			s.t.Errorf("%s of key %d during a %s of it", op, w.Key, other)
		}
		s.busy[w.Key] = op
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, w := range writes {
			delete(s.busy, w.Key)
		}
	}()
	if s.begun != nil {
		for _, w := range writes {
			s.begun(op, w.Key, w.Value)
		}
	}
	if err := s.pause(ctx); err != nil {
		return err
	}
	for _, w := range writes {
		if err := s.failure(op, w.Key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range writes {
		if w.Remove {
			delete(s.values, w.Key)
			s.history[w.Key] = append(s.history[w.Key], -1)
			continue
		}
		s.values[w.Key] = w.Value
		s.history[w.Key] = append(s.history[w.Key], w.Value)
	}
	return nil
}

func (s *plainStore) count() (loads, saves int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads, s.saves
}

// holds wants a value in the store; -1: none.
func (s *plainStore) holds(key, want int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got, ok := s.values[key]
	if !ok {
		got = -1
	}
	if got != want {
		s.t.Fatalf("the store has %d under key %d, want %d", got, key, want)
	}
}

// saved wants these values to have been saved under key, in this order; -1 is a removal.
func (s *plainStore) saved(key int, want ...int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := fmt.Sprint(s.history[key]); got != fmt.Sprint(want) {
		s.t.Fatalf("key %d was saved as %s, want %v", key, got, want)
	}
}

// batchStore is a plainStore with the methods for many keys.
type batchStore struct{ *plainStore }

func (s batchStore) LoadMany(ctx context.Context, keys []int) (map[int]int, error) {
	s.mu.Lock()
	s.loads++
	out := map[int]int{}
	for _, key := range keys {
		if v, ok := s.values[key]; ok {
			out[key] = v
		}
	}
	s.mu.Unlock()
	if err := s.pause(ctx); err != nil {
		return nil, err
	}
	return out, s.failure("load", keys[0])
}

func (s batchStore) SaveMany(ctx context.Context, writes []Write[int, int]) error {
	seen := map[int]bool{}
	for _, w := range writes {
		if seen[w.Key] {
			s.t.Errorf("SaveMany with key %d twice", w.Key)
		}
		seen[w.Key] = true
	}
	return s.change(ctx, "save many", writes)
}

func newBacked(tb testing.TB, store Store[int, int], capacity int, opts BackedOptions[int, int]) *Backed[int, int] {
	tb.Helper()
	b, err := NewBacked(store, capacity, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func set(tb testing.TB, b *Backed[int, int], key, value int) {
	tb.Helper()
	if err := b.Set(tb.Context(), key, value); err != nil {
		tb.Fatalf("Set(%d, %d): %v", key, value, err)
	}
}

// reads wants a value from Fetch; -1: ErrNotFound.
func reads(tb testing.TB, b *Backed[int, int], key, want int) {
	tb.Helper()
	got, err := b.Fetch(tb.Context(), key)
	if err == ErrNotFound { //nolint:errorlint // the very error is promised
		got, err = -1, nil
	}
	if err != nil || got != want {
		tb.Fatalf("Fetch(%d) = %d, %v; want %d", key, got, err, want)
	}
}

func allModes() []WriteMode { return []WriteMode{WriteThrough, WriteAround, WriteBack} }
