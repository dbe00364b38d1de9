package lru

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// TestAllMethodsTogether runs everything at once; the race detector and the invariants judge.
func TestAllMethodsTogether(t *testing.T) {
	for _, policy := range []Policy{Adaptive, LRU, LFU, FIFO, SIEVE} {
		t.Run(policy.String(), func(t *testing.T) {
			var c *Cache[int, [4]int]
			c = mustNew(t, 2500, Options[int, [4]int]{
				Policy: policy, TTL: 50 * time.Millisecond, TTI: 20 * time.Millisecond, CountHits: true,
				Weight:   func(k int, _ [4]int) int { return k % 4 },
				Tags:     func(k int, _ [4]int) []string { return []string{strconv.Itoa(k % 8)} },
				Load:     func(_ context.Context, k int) ([4]int, error) { return [4]int{k, k, k, k}, nil },
				Loading:  Loading{StaleFor: 10 * time.Millisecond, RefreshAfter: 10 * time.Millisecond},
				OnRemove: func(e Entry[int, [4]int], _ Cause) { c.Peek(e.Key + 1) },
			})
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(w), 9))
					for range 4000 {
						stressStep(t, c, rng)
					}
				})
			}
			wg.Wait()
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if c.Len() != 0 || c.Weight() != 0 {
				t.Errorf("%d entries of weight %d after Close", c.Len(), c.Weight())
			}
			check(t, c)
		})
	}
}

func stressStep(t *testing.T, c *Cache[int, [4]int], rng *rand.Rand) {
	t.Helper()
	k, x := rng.IntN(3000), rng.IntN(1000)
	v := [4]int{x, x, x, x}
	switch rng.IntN(40) {
	case 0:
		c.Remove(k)
	case 1:
		c.Expire(k, time.Millisecond)
	case 2:
		c.InvalidateTags(strconv.Itoa(k % 8))
	case 3:
		c.Compute(k, func(old [4]int, _ bool) ([4]int, Action) { return old, Action(x % 3) })
	case 4:
		_, _ = c.FetchMany(t.Context(), []int{k, k + 1, k + 2})
	case 5:
		_ = c.Refresh(t.Context(), k)
	case 6:
		if x < 20 {
			c.RemoveFunc(func(k int, _ [4]int) bool { return k%97 == 0 })
		}
	case 7:
		if x < 20 {
			_, _ = c.Resize(1500 + x*50)
		}
	case 8:
		if x < 5 {
			c.Clear()
			c.RemoveExpired()
		}
	case 9:
		if x < 20 {
			for _, v := range c.All() {
				whole(t, v)
			}
			for e := range c.Coldest() {
				whole(t, e.Value)
			}
			c.Stats()
		}
	case 10, 11, 12, 13, 14, 15:
		v, err := c.Fetch(t.Context(), k)
		if err != nil {
			t.Error(err)
		}
		whole(t, v)
	case 16, 17, 18, 19, 20, 21, 22:
		c.Set(k, v)
	case 23, 24:
		c.SetTTL(k, v, time.Duration(x)*time.Microsecond*100)
	case 25:
		c.SetIfAbsent(k, v)
	default:
		v, _ := c.Get(k)
		whole(t, v)
	}
}

func whole(t *testing.T, v [4]int) {
	t.Helper()
	if v[0] != v[1] || v[1] != v[2] || v[2] != v[3] {
		t.Errorf("torn value %v", v)
	}
}

func TestListenerMayCallTheCacheAndPanic(t *testing.T) { // hashicorp/golang-lru#233, jellydator/ttlcache#173
	var c *Cache[int, int]
	var heard []int
	angry := true
	c = mustNew(t, 2, Options[int, int]{Policy: LRU, OnRemove: func(e Entry[int, int], _ Cause) {
		heard = append(heard, e.Key)
		c.Get(e.Key)
		c.Remove(100 + e.Key)
		if angry && e.Key == 1 {
			panic("listener")
		}
	}})
	func() {
		defer func() {
			if recover() != "listener" {
				t.Error("the panic did not reach the caller")
			}
		}()
		for i := range 4 {
			c.Set(i, i)
		}
	}()
	angry = false
	c.Clear()
	if fmt.Sprint(heard) != "[0 1 2 3]" {
		t.Errorf("heard %v", heard)
	}
	check(t, c)
}

func TestPanicOfAUserFunctionLeavesTheCacheAsItIs(t *testing.T) {
	c := mustNew(t, 10, Options[int, int]{
		Weight:  func(_, v int) int { return angryAt(v, 10) },
		TTLFunc: func(_, v int) time.Duration { return time.Hour * time.Duration(angryAt(v, 20)) },
		Tags:    func(_, v int) []string { return []string{"a", "b"}[:angryAt(v, 30)] },
	})
	c.Set(1, 1)
	for _, f := range []func(){
		func() { c.Set(1, 10) },
		func() { c.Set(1, 20) },
		func() { c.Set(1, 30) },
		func() { c.Compute(1, func(int, bool) (int, Action) { panic("compute") }) },
		func() { c.RemoveFunc(func(int, int) bool { panic("match") }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			f()
		}()
		if v, ok := c.Get(1); v != 1 || !ok {
			t.Error("the value changed")
		}
		done := make(chan struct{})
		go func() { // and with Goexit, on a goroutine that may end
			defer close(done)
			c.Compute(1, func(int, bool) (int, Action) { runtime.Goexit(); return 0, Keep })
		}()
		<-done
		check(t, c)
	}
}

func angryAt(v, limit int) int {
	if v == limit {
		panic("user function")
	}
	return 1
}

func TestUncomparableKeysPanicBeforeALockIsTaken(t *testing.T) {
	c := mustNew(t, 10, Options[any, int]{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		c.Set([]int{1}, 1)
	}()
	c.Set("a", 1)
	if _, ok := c.Get("a"); !ok {
		t.Error("the cache is wedged")
	}
}

func TestAllocationsAndSizes(t *testing.T) {
	c := mustNew(t, 1000, Options[int, int]{})
	for i := range 1000 {
		c.Set(i, i)
	}
	i := 0
	for _, f := range []struct {
		name string
		want float64
		f    func()
	}{
		{"hit", 0, func() { c.Get(i % 1000) }},
		{"miss", 0, func() { c.Get(-1) }},
		{"update", 0, func() { c.Set(500, i) }},
		{"insert", 1, func() { c.Set(1_000_000+i, i) }},
	} {
		if n := testing.AllocsPerRun(500, func() { i++; f.f() }); n > f.want {
			t.Errorf("%s allocates %v times", f.name, n)
		}
	}
	if size := unsafe.Sizeof(entry[uint64, uint64]{}); size != 24 {
		t.Errorf("an entry has %d bytes", size)
	}
	if size := unsafe.Sizeof(bucket[int, int]{}); unsafe.Sizeof(uintptr(0)) == 8 && size != 64 {
		t.Errorf("a bucket has %d bytes", size)
	}
	if size := unsafe.Sizeof(timedEntry[uint64, uint64]{}); size != 32 {
		t.Errorf("an entry with a deadline has %d bytes", size)
	}
}

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	for want, o := range map[string]Options[int, int]{
		"Policy": {Policy: 9}, "TTL": {TTL: -1}, "TTI": {TTI: -1}, "TTLFunc": {TTL: 1, TTLFunc: func(int, int) time.Duration { return 1 }},
		"Jitter": {Jitter: 1.5}, "Concurrency": {Loading: Loading{Concurrency: -1}}, "BatchWindow": {Loading: Loading{BatchWindow: 1}},
		"StaleFor": {Loading: Loading{StaleFor: 1}}, "NegativeTTL": {Loading: Loading{NegativeTTL: -1}},
	} {
		checkInvalid(t, want, func() error { _, err := New(1, o); return err })
	}
	checkInvalid(t, "capacity", func() error { _, err := New(0, Options[int, int]{}); return err })
	checkInvalid(t, "Weight", func() error {
		_, err := New(Unbounded, Options[int, int]{Weight: func(int, int) int { return 1 }})
		return err
	})
	checkInvalid(t, "samples", func() error { _, err := NewCurve[int](-1); return err })
}
