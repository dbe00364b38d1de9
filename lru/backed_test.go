package lru

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errStore = errors.New("store is down")

func TestBackedRefusesOptionsByName(t *testing.T) {
	store := newStore(t)
	for field, opts := range map[string]BackedOptions[int, int]{
		"Cache.Load":     {Cache: Options[int, int]{Load: store.Load}},
		"Cache.LoadMany": {Cache: Options[int, int]{LoadMany: batchStore{store}.LoadMany}},
		"Mode":           {Mode: 9},
		"FlushEvery":     {Mode: WriteBack, FlushEvery: -1},
		"BatchSize":      {Mode: WriteBack, BatchSize: -1},
		"MaxDirty":       {Mode: WriteBack, MaxDirty: -1},
		"WriteBack":      {MaxDirty: 1},
		"TTL":            {Cache: Options[int, int]{TTL: -1}},
	} {
		if _, err := NewBacked[int, int](store, 1, opts); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := NewBacked[int, int](nil, 1, BackedOptions[int, int]{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("without a store: %v", err)
	}
	if _, err := NewBacked[int, int](store, 0, BackedOptions[int, int]{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("capacity 0: %v", err)
	}
}

func TestWriteThroughHasBothWhenSetReturns(t *testing.T) {
	store := newStore(t)
	b := newBacked(t, store, 10, BackedOptions[int, int]{})
	set(t, b, 1, 10)
	store.holds(1, 10)
	if v, ok := b.Cache().Peek(1); !ok || v != 10 {
		t.Fatalf("the cache has %d, %v", v, ok)
	}
	if err := b.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	store.holds(1, -1)
	reads(t, b, 1, -1)
}

func TestWriteAroundFillsTheCacheOnDemand(t *testing.T) {
	store := newStore(t)
	b := newBacked(t, store, 10, BackedOptions[int, int]{Mode: WriteAround})
	set(t, b, 1, 10)
	reads(t, b, 1, 10)
	set(t, b, 1, 11)
	if v, ok := b.Cache().Peek(1); ok {
		t.Fatalf("the cache has %d after a write around it", v)
	}
	reads(t, b, 1, 11)
	reads(t, b, 1, 11)
	if loads, _ := store.count(); loads != 2 {
		t.Fatalf("%d loads, want 2", loads)
	}
}

func TestFailedSaveMakesTheCacheForget(t *testing.T) {
	for _, mode := range []WriteMode{WriteThrough, WriteAround} {
		store := newStore(t)
		b := newBacked(t, store, 10, BackedOptions[int, int]{Mode: mode})
		set(t, b, 1, 10)
		reads(t, b, 1, 10)
		store.fail = func(op string, _ int) error {
			if op == "load" {
				return nil
			}
			return errStore
		}
		if err := b.Set(t.Context(), 1, 11); !errors.Is(err, errStore) {
			t.Fatalf("%v: Set with a failing store: %v", mode, err)
		}
		if v, ok := b.Cache().Peek(1); ok {
			t.Fatalf("%v: the cache has %d, though nobody knows what the store has", mode, v)
		}
		reads(t, b, 1, 10)
	}
}

func TestPanicOfTheStoreReachesTheWriterAndBlocksNobody(t *testing.T) {
	store := newStore(t)
	b := newBacked(t, store, 10, BackedOptions[int, int]{})
	store.begun = func(op string, _, _ int) {
		if op == "save" {
			panic("lost the connection")
		}
	}
	func() {
		defer func() {
			if r := recover(); r != "lost the connection" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = b.Set(t.Context(), 1, 10)
	}()
	store.begun = nil
	set(t, b, 1, 11) // would wait for ever for its turn
	store.holds(1, 11)
}

func TestListenerMayWriteThroughTheBacked(t *testing.T) {
	for _, mode := range allModes() {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				var b *Backed[int, int]
				var once sync.Once
				b = newBacked(t, store, 10, BackedOptions[int, int]{Mode: mode, Cache: Options[int, int]{
					OnRemove: func(e Entry[int, int], _ Cause) {
						once.Do(func() { set(t, b, e.Key, 99) })
					},
				}})
				set(t, b, 1, 10)
				reads(t, b, 1, 10)
				set(t, b, 1, 11)
				reads(t, b, 1, 99)
				if err := b.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				store.holds(1, 99)
			})
		})
	}
}

// TestLoadThatBeganBeforeAWriteIsNotCached holds a load of the old value back until the new one is written.
func TestLoadThatBeganBeforeAWriteIsNotCached(t *testing.T) {
	for _, mode := range allModes() {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				store.values[1] = 10
				b := newBacked(t, store, 10, BackedOptions[int, int]{Mode: mode})
				reading, written := make(chan struct{}), make(chan struct{})
				store.begun = func(op string, _, _ int) {
					if op == "load" {
						close(reading)
						<-written
						store.begun = nil
					}
				}
				var early int
				done := make(chan struct{})
				go func() {
					defer close(done)
					early, _ = b.Fetch(t.Context(), 1)
				}()
				<-reading
				set(t, b, 1, 11)
				close(written)
				<-done
				if early != 10 {
					t.Errorf("the early reader got %d, want what it loaded", early)
				}
				reads(t, b, 1, 11)
				if err := b.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestKeyThatDiffersFromItselfIsRefused(t *testing.T) {
	b, err := NewBacked[float64, int](floatStore{}, 10, BackedOptions[float64, int]{Mode: WriteBack})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Set(t.Context(), math.NaN(), 1); !errors.Is(err, ErrInvalid) {
		t.Fatalf("Set(NaN): %v", err)
	}
}

type floatStore struct{}

func (floatStore) Load(context.Context, float64) (int, error) { return 0, ErrNotFound }
func (floatStore) Save(context.Context, float64, int) error   { return nil }
func (floatStore) Remove(context.Context, float64) error      { return nil }

// TestBackedEqualsAMap runs random programs against a store that is slow and fails at random. A failed write leaves
// two possible values; what is read must be one that is possible, and at the end store and cache agree.
func TestBackedEqualsAMap(t *testing.T) {
	for _, mode := range allModes() {
		for _, batches := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/batches=%v", mode, batches), func(t *testing.T) {
				for range 20 {
					seed := rand.Uint64()
					synctest.Test(t, func(t *testing.T) { runBacked(t, mode, batches, seed) })
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
				}
			})
		}
	}
}

func runBacked(t *testing.T, mode WriteMode, batches bool, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	store := newStore(t)
	store.takes = time.Millisecond
	var failing atomic.Bool
	lots := rand.New(rand.NewPCG(seed, 2))
	var lotsMu sync.Mutex
	store.fail = func(op string, _ int) error {
		lotsMu.Lock()
		defer lotsMu.Unlock()
		if failing.Load() && op != "load" && lots.IntN(3) == 0 {
			return errStore
		}
		return nil
	}
	var s Store[int, int] = store
	if batches {
		s = batchStore{store}
	}
	opts := BackedOptions[int, int]{Mode: mode, Cache: Options[int, int]{TTL: 50 * time.Millisecond}}
	if mode == WriteBack {
		opts.BatchSize, opts.MaxDirty, opts.FlushEvery = 4, 8, 10*time.Millisecond
	}
	b := newBacked(t, s, 6, opts) // smaller than the keys: dirty values are evicted
	possible := map[int][]int{}
	for i := range 400 {
		failing.Store(i/50%2 == 1)
		key := rng.IntN(12)
		if possible[key] == nil {
			possible[key] = []int{-1}
		}
		switch op := rng.IntN(10); {
		case op < 4:
			stepWrite(t, b, possible, key, i, b.Set(t.Context(), key, i))
		case op < 5:
			stepWrite(t, b, possible, key, -1, b.Remove(t.Context(), key))
		case op < 9:
			stepRead(t, b, possible, key)
		default:
			wait(time.Duration(rng.IntN(30)) * time.Millisecond)
		}
		if n := b.Dirty(); n > 8 {
			t.Fatalf("%d dirty keys, at most 8", n)
		}
	}
	failing.Store(false)
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, values := range possible {
		got, err := b.Fetch(t.Context(), key)
		if err != nil {
			got = -1
		}
		store.holds(key, got)
		if !slices.Contains(values, got) {
			t.Fatalf("key %d is %d at the end, possible %v", key, got, values)
		}
	}
	if err := b.Close(t.Context()); err != nil || b.Dirty() != 0 {
		t.Fatalf("Close: %v, %d dirty", err, b.Dirty())
	}
	if err := b.Set(t.Context(), 1, 1); !errors.Is(err, ErrClosed) {
		t.Fatalf("Set after Close: %v", err)
	}
}

func stepWrite(t *testing.T, b *Backed[int, int], possible map[int][]int, key, value int, err error) {
	t.Helper()
	if err == nil {
		possible[key] = []int{value}
		return
	}
	if b.opts.Mode == WriteBack || !errors.Is(err, errStore) {
		t.Fatalf("write of key %d: %v", key, err)
	}
	possible[key] = append(possible[key], value)
}

func stepRead(t *testing.T, b *Backed[int, int], possible map[int][]int, key int) {
	t.Helper()
	got, err := b.Fetch(t.Context(), key)
	if errors.Is(err, ErrNotFound) {
		got, err = -1, nil
	}
	if err != nil || !slices.Contains(possible[key], got) {
		t.Fatalf("Fetch(%d) = %d, %v; possible %v", key, got, err, possible[key])
	}
	possible[key] = []int{got} // a store that answered has decided
}

// TestConcurrentWritersLeaveStoreAndCacheEqual is for -race, and for the order per key: the last value saved is the one
// that the cache shows.
func TestConcurrentWritersLeaveStoreAndCacheEqual(t *testing.T) {
	for _, mode := range allModes() {
		t.Run(mode.String(), func(t *testing.T) {
			store := newStore(t)
			opts := BackedOptions[int, int]{Mode: mode}
			if mode == WriteBack {
				opts.FlushEvery, opts.BatchSize, opts.MaxDirty = time.Millisecond, 2, 4
			}
			b := newBacked(t, batchStore{store}, 100, opts)
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := range 300 {
						key := (w + i) % 5
						switch {
						case i%17 == 0:
							_ = b.Remove(t.Context(), key)
						case i%3 == 0:
							_, _ = b.Fetch(t.Context(), key)
						default:
							set(t, b, key, w*1000+i)
						}
					}
				})
			}
			wg.Wait()
			if err := b.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			for key := range 5 {
				got, err := b.Fetch(t.Context(), key)
				if err != nil {
					got = -1
				}
				store.holds(key, got)
			}
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
