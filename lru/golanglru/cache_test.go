package golanglru

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func mustNew(tb testing.TB, size int) *Cache[int, int] {
	tb.Helper()
	c, err := New[int, int](size)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestSizeBelowOneIsRefused(t *testing.T) {
	for _, size := range []int{0, -1} {
		if _, err := New[int, int](size); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "size") {
			t.Errorf("New(%d): %v", size, err)
		}
	}
}

func TestOrAddIsNoUseOfWhatIsThere(t *testing.T) {
	c := mustNew(t, 2)
	c.Add(1, 10)
	c.Add(2, 20)
	if v, ok, evicted := c.PeekOrAdd(1, 11); v != 10 || !ok || evicted {
		t.Fatalf("PeekOrAdd of a key with a value: %d, %v, %v", v, ok, evicted)
	}
	if ok, evicted := c.ContainsOrAdd(3, 30); ok || !evicted {
		t.Fatalf("ContainsOrAdd of a new key: %v, %v", ok, evicted)
	}
	if c.Contains(1) || !c.Contains(2) {
		t.Fatalf("keys %v, want 2 and 3: PeekOrAdd counted as a use", c.Keys())
	}
}

func TestOrAddStoresOnceWhoeverCalls(t *testing.T) {
	c := mustNew(t, 100)
	var wg sync.WaitGroup
	var added [50]int
	var mu sync.Mutex
	for range 8 {
		wg.Go(func() {
			for key := range added {
				if ok, _ := c.ContainsOrAdd(key, key); !ok {
					mu.Lock()
					added[key]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for key, n := range added {
		if n != 1 {
			t.Fatalf("key %d was added %d times", key, n)
		}
	}
}

func TestNothingStaysAfterResizeToZero(t *testing.T) {
	gone := 0
	c, err := NewWithEvict(2, func(int, int) { gone++ })
	if err != nil {
		t.Fatal(err)
	}
	c.Add(1, 1)
	if n := c.Resize(0); n != 1 || c.Cap() != 0 {
		t.Fatalf("Resize(0) evicted %d, Cap %d", n, c.Cap())
	}
	if evicted := c.Add(2, 2); !evicted || c.Len() != 0 || gone != 2 {
		t.Fatalf("Add evicted %v, Len %d, %d callbacks", evicted, c.Len(), gone)
	}
}

func TestCallbackMayCallTheCache(t *testing.T) {
	var c *Cache[int, int]
	c, err := NewWithEvict(2, func(key, _ int) {
		if key < 10 {
			c.Add(key+10, c.Len())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range 3 {
		c.Add(key, key)
	}
	// 2 evicts 0, whose callback adds 10 and so evicts 1, and so on.
	if !c.Contains(11) || !c.Contains(12) {
		t.Fatalf("keys %v, want 11 and 12", c.Keys())
	}
}

func TestKeysThatDifferFromThemselvesTakeNoMoreThanTheSize(t *testing.T) {
	c, err := New[float64, int](4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		c.Add(math.NaN(), i)
	}
	if c.Len() != 4 || len(c.s.index) != 0 {
		t.Fatalf("Len %d, index %d", c.Len(), len(c.s.index))
	}
}

func TestAddToAFullCacheAllocatesNothing(t *testing.T) {
	c := mustNew(t, 100)
	for key := range 400 {
		c.Add(key, key)
	}
	key := 400
	if n := testing.AllocsPerRun(1000, func() {
		c.Add(key%200, key)
		c.Get(key % 200)
		key++
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestExpirableTellsAtTheDeadlineWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []time.Duration
		began := time.Now()
		var mu sync.Mutex
		c := NewExpirable(0, func(int, int) {
			mu.Lock()
			heard = append(heard, time.Since(began))
			mu.Unlock()
		}, time.Second)
		c.Add(1, 1)
		<-time.After(500 * time.Millisecond)
		c.Add(2, 2)
		<-time.After(499 * time.Millisecond)
		if _, ok := c.Get(1); !ok {
			t.Fatal("absent before its deadline")
		}
		<-time.After(time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		want := []time.Duration{1010 * time.Millisecond, 1510 * time.Millisecond}
		if len(heard) != 2 || heard[0] != want[0] || heard[1] != want[1] {
			t.Fatalf("heard after %v, want %v", heard, want)
		}
	})
}

func TestExpiredEntryIsAbsentForEveryMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewExpirable[int, int](0, nil, time.Second)
		c.Add(1, 1)
		<-time.After(time.Second)
		_, got := c.Get(1)
		_, peeked := c.Peek(1)
		_, _, oldest := c.GetOldest()
		if got || peeked || oldest || c.Contains(1) || c.Len() != 0 || len(c.Keys()) != 0 || c.Remove(1) {
			t.Fatal("an expired entry was seen")
		}
	})
}

func TestUnusedExpirableIsCollected(t *testing.T) {
	collected := make(chan struct{})
	func() {
		c := NewExpirable[int, int](0, nil, time.Hour)
		c.Add(1, 1)
		runtime.AddCleanup(c, func(ch chan struct{}) { close(ch) }, collected)
	}()
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-deadline:
			t.Fatal("the armed timer keeps the cache")
		case <-time.After(time.Millisecond):
		}
	}
}
