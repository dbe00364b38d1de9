package hashring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var errCopy = errors.New("copy failed")

func toB(string) (string, bool) { return "B", true }

func TestDirectoryPinsOverTheFallback(t *testing.T) {
	d := NewDirectory(toB)
	ctx := t.Context()
	if err := d.Set("big", "own"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"big": "own", "other": "B"} {
		if got, ok := d.Get(key); !ok || got != want {
			t.Errorf("Get(%s) = %q, %v", key, got, ok)
		}
		if err := d.Write(ctx, key, func(_ context.Context, owner string) error {
			if owner != want {
				t.Errorf("Write(%s) goes to %q", key, owner)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if d.Len() != 1 || !maps.Equal(maps.Collect(d.All()), map[string]string{"big": "own"}) {
		t.Errorf("pins %v", maps.Collect(d.All()))
	}
	if err := errors.Join(d.Remove("big"), d.Remove("never")); err != nil {
		t.Error(err)
	}
	if got, _ := d.Get("big"); got != "B" || d.Len() != 0 || len(d.entries) != 0 {
		t.Errorf("after removal: %q, %d pins, %d entries", got, d.Len(), len(d.entries))
	}
}

func TestDirectoryWithoutOwner(t *testing.T) {
	d := NewDirectory[int](nil)
	if _, ok := d.Get("key"); ok {
		t.Error("an owner without a fallback")
	}
	err := d.Write(t.Context(), "key", func(context.Context, int) error { t.Error("written"); return nil })
	if !errors.Is(err, ErrNoNode) {
		t.Errorf("Write: %v", err)
	}
	err = d.Move(t.Context(), "key", 1, func(context.Context, int, int) error { t.Error("copied"); return nil })
	if !errors.Is(err, ErrNoNode) {
		t.Errorf("Move: %v", err)
	}
	if len(d.entries) != 0 {
		t.Errorf("%d entries are left", len(d.entries))
	}
}

func TestMoveRefusesWritesKeepsReadsAndSwitches(t *testing.T) {
	owner := "A"
	d := NewDirectory(func(string) (string, bool) { return owner, true })
	err := d.Move(t.Context(), "key", "C", func(ctx context.Context, from, to string) error {
		owner = "changed" // the fallback moves on
		if got, _ := d.Get("key"); from != "A" || to != "C" || got != "A" {
			t.Errorf("during the move: from %s to %s, reads from %s", from, to, got)
		}
		for name, err := range map[string]error{
			"Write":  d.Write(ctx, "key", func(context.Context, string) error { return nil }),
			"Move":   d.Move(ctx, "key", "D", func(context.Context, string, string) error { return nil }),
			"Set":    d.Set("key", "D"),
			"Remove": d.Remove("key"),
		} {
			if !errors.Is(err, ErrMigrating) {
				t.Errorf("%s during a move: %v", name, err)
			}
		}
		if d.Len() != 0 {
			t.Error("a move is no pin yet")
		}
		return d.Write(ctx, "other", func(context.Context, string) error { return nil })
	})
	if got, _ := d.Get("key"); err != nil || got != "C" || d.Len() != 1 {
		t.Errorf("after the move: %q, %v", got, err)
	}
}

func TestFailedMoveLeavesTheKeyAsItWas(t *testing.T) {
	for _, pinned := range []bool{false, true} {
		d := NewDirectory(toB)
		want := "B"
		if pinned {
			want = "P"
			if err := d.Set("key", want); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Move(t.Context(), "key", "C", func(context.Context, string, string) error { return errCopy }); !errors.Is(err, errCopy) {
			t.Errorf("Move: %v", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of copy was swallowed")
				}
			}()
			_ = d.Move(t.Context(), "key", "C", func(context.Context, string, string) error { panic("copy") })
		}()
		if got, _ := d.Get("key"); got != want {
			t.Errorf("owner is %q, want %q", got, want)
		}
		if err := d.Write(t.Context(), "key", func(context.Context, string) error { return errCopy }); !errors.Is(err, errCopy) {
			t.Errorf("Write after a failed move: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Write(ended, "key", func(context.Context, string) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("Write with an ended context: %v", err)
		}
		if err := d.Move(ended, "key", "C", func(context.Context, string, string) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("Move with an ended context: %v", err)
		}
		if !pinned && len(d.entries) != 0 {
			t.Errorf("%d entries are left", len(d.entries))
		}
	}
}

func TestMoveWaitsForWritesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDirectory(toB)
		release := make(chan struct{})
		var written, moved atomic.Bool
		go func() {
			_ = d.Write(t.Context(), "key", func(context.Context, string) error {
				<-release
				written.Store(true)
				return nil
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			failed <- d.Move(ctx, "key", "C", func(context.Context, string, string) error { return errCopy })
		}()
		synctest.Wait() // the move waits
		if err := d.Write(t.Context(), "key", func(context.Context, string) error { return nil }); !errors.Is(err, ErrMigrating) {
			t.Errorf("a write while a move waits: %v", err)
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled wait: %v", err)
		}
		if err := d.Write(t.Context(), "key", func(context.Context, string) error { return nil }); err != nil {
			t.Errorf("a write after a cancelled move: %v", err)
		}
		go func() {
			err := d.Move(t.Context(), "key", "C", func(context.Context, string, string) error {
				if !written.Load() {
					t.Error("copied before the write in flight ended")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			moved.Store(true)
		}()
		synctest.Wait()
		if moved.Load() {
			t.Error("the move did not wait")
		}
		close(release)
		synctest.Wait()
		if !moved.Load() {
			t.Error("the move did not go on")
		}
	})
}

// TestMovesLoseNoWrite moves keys between stores under concurrent writers: every acknowledged write is in the
// store that owns its key at the end, and no store gets a write for a key after that was copied away.
func TestMovesLoseNoWrite(t *testing.T) {
	const keys, shards, writes = 5, 3, 3000
	type shard struct {
		mu   sync.Mutex
		rows map[string][]int
		gone map[string]bool // copied away: a write now would be lost
	}
	var stores [shards]shard
	for i := range stores {
		stores[i] = shard{rows: map[string][]int{}, gone: map[string]bool{}}
	}
	d := NewDirectory(func(key string) (int, bool) { return int(Hash(key) % shards), true })
	var acknowledged [keys][]int
	var done atomic.Bool
	var writers, movers sync.WaitGroup
	for k := range keys {
		key := fmt.Sprint("key", k)
		writers.Go(func() {
			for i := 0; i < writes || len(acknowledged[k]) == 0; i++ { // until one has met no move
				err := d.Write(t.Context(), key, func(_ context.Context, owner int) error {
					s := &stores[owner]
					s.mu.Lock()
					defer s.mu.Unlock()
					if s.gone[key] {
						t.Errorf("a write of %s to shard %d after it was moved away", key, owner)
					}
					s.rows[key] = append(s.rows[key], i)
					return nil
				})
				if err == nil {
					acknowledged[k] = append(acknowledged[k], i)
				} else if !errors.Is(err, ErrMigrating) {
					t.Error(err)
				}
				runtime.Gosched()
			}
		})
		movers.Go(func() {
			for n := 0; !done.Load(); n++ {
				err := d.Move(t.Context(), key, n%shards, func(_ context.Context, from, to int) error {
					if n%7 == 3 {
						return errCopy
					}
					if from == to {
						return nil
					}
					stores[from].mu.Lock()
					rows := stores[from].rows[key]
					delete(stores[from].rows, key)
					stores[from].gone[key] = true
					stores[from].mu.Unlock()
					runtime.Gosched()
					stores[to].mu.Lock()
					stores[to].rows[key] = rows
					stores[to].gone[key] = false
					stores[to].mu.Unlock()
					return nil
				})
				if err != nil && !errors.Is(err, errCopy) {
					t.Error(err)
				}
				runtime.Gosched()
			}
		})
	}
	writers.Wait()
	done.Store(true)
	movers.Wait()
	for k := range keys {
		key := fmt.Sprint("key", k)
		owner, _ := d.Get(key)
		if got := stores[owner].rows[key]; !slices.Equal(got, acknowledged[k]) {
			t.Errorf("%s has %d rows on shard %d, %d were acknowledged", key, len(got), owner, len(acknowledged[k]))
		}
		if len(acknowledged[k]) == 0 {
			t.Errorf("%s was never written", key)
		}
	}
}
