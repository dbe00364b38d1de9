package lru

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

func mustNew[K comparable, V any](tb testing.TB, capacity int, opts Options[K, V]) *Cache[K, V] {
	tb.Helper()
	c, err := New(capacity, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestNothingIsEvictedUpToTheCapacity(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 16} {
		runtime.GOMAXPROCS(procs)
		for _, policy := range []Policy{Adaptive, LRU, LFU, FIFO, SIEVE} {
			for _, capacity := range []int{1, 2, 20, 1999, 2000, 5000, 50_000} {
				c := mustNew(t, capacity, Options[uint64, int]{Policy: policy})
				seed := rand.Uint64()
				for i := range capacity {
					if c.Set(seed+uint64(i)*64, i) {
						t.Fatalf("%v, capacity %d: evicted with %d entries", policy, capacity, i+1)
					}
				}
				if c.Len() != capacity {
					t.Fatalf("%v: %d of %d entries are there", policy, c.Len(), capacity)
				}
				for i := range capacity {
					if v, ok := c.Get(seed + uint64(i)*64); !ok || v != i {
						t.Fatalf("%v: entry %d of %d is missing", policy, i, capacity)
					}
				}
				if !c.Set(seed+1, 0) || c.Len() != capacity {
					t.Fatalf("%v: a full cache of %d holds %d", policy, capacity, c.Len())
				}
				check(t, c)
			}
		}
	}
}

func TestNewcomerIsFoundByItsWriter(t *testing.T) {
	for _, capacity := range []int{1, 2, 3, 100, 10_000} {
		c := mustNew(t, capacity, Options[int, int]{})
		for i := range 5*capacity + 100 {
			c.Set(i, i)
			if v, ok := c.Get(i); !ok || v != i {
				t.Fatalf("capacity %d: key %d is missing right after Set", capacity, i)
			}
		}
		check(t, c)
	}
}

func TestHeavyEntryIsAdmittedAcrossShards(t *testing.T) {
	c := mustNew(t, 100_000, Options[int, int]{Weight: func(_, v int) int { return v }})
	for i := range 50_000 {
		c.Set(i, 2)
	}
	if len(c.shards) < 2 {
		t.Fatal("the test needs shards")
	}
	c.Set(-1, 99_999)
	if _, ok := c.Get(-1); !ok {
		t.Error("an entry of nearly the whole capacity was not stored")
	}
	if c.Weight() > 100_000 {
		t.Errorf("weight %d", c.Weight())
	}
	if !c.Set(-2, 100_001) {
		t.Error("an entry above the capacity was not refused")
	}
	if _, ok := c.Get(-2); ok || c.Stats().Rejected != 1 {
		t.Error("an entry above the capacity is there")
	}
	c.Set(-3, 0)
	for i := range 1000 {
		c.Set(i, 50_000)
	}
	if _, ok := c.Get(-3); !ok {
		t.Error("an entry of weight 0 was evicted")
	}
	check(t, c)
}

func TestConcurrentWritersKeepTheBound(t *testing.T) {
	for _, policy := range []Policy{Adaptive, LRU, SIEVE} {
		const writers, capacity = 8, 4000
		c := mustNew(t, capacity, Options[int, int]{Policy: policy})
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range 20_000 {
					c.Set(i*writers+w, i)
					if n := c.Len(); n > capacity+writers {
						t.Errorf("%v: %d entries with %d writers", policy, n, writers)
						return
					}
				}
			})
		}
		wg.Wait()
		if c.Len() != capacity {
			t.Errorf("%v: %d entries at rest, want %d", policy, c.Len(), capacity)
		}
		check(t, c)
	}
}

func TestRandomOperationsKeepTheInvariants(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	c := mustNew(t, 3000, Options[int, int]{Weight: func(_, v int) int { return v % 7 }})
	for range 200_000 {
		key, value := rng.IntN(5000), rng.IntN(1000)
		switch rng.IntN(10) {
		case 0, 1, 2, 3, 4:
			c.Set(key, value)
		case 5:
			c.Remove(key)
		default:
			c.Get(key)
		}
	}
	if _, err := c.Resize(500); err != nil {
		t.Fatal(err)
	}
	check(t, c)
	if c.Weight() > 500 || t.Failed() {
		t.Fatalf("seed %d: weight %d", seed, c.Weight())
	}
}
