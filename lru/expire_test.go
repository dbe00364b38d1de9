package lru

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

func has[V any](t *testing.T, c *Cache[int, V], key int, want bool) {
	t.Helper()
	_, got := c.Peek(key)
	if _, entry := c.Entry(key); got != want || entry != want {
		t.Fatalf("key %d: present %v, want %v", key, got, want)
	}
}

func TestDeadlineIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, 10, Options[int, int]{TTL: time.Second})
		c.Set(1, 1)
		c.SetTTL(2, 2, 100*time.Millisecond)
		c.SetTTL(3, 3, math.MaxInt64)
		wait(100*time.Millisecond - 1)
		has(t, c, 2, true)
		wait(1)
		has(t, c, 2, false)
		wait(900*time.Millisecond - 1)
		has(t, c, 1, true)
		wait(1)
		has(t, c, 1, false)
		wait(200 * 365 * 24 * time.Hour)
		has(t, c, 3, true)
		check(t, c)
	})
}

func TestExpiredEntriesAreReclaimedWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Int64
		var last atomic.Int64
		c := mustNew(t, 100_000, Options[int, int]{OnRemove: func(e Entry[int, int], cause Cause) {
			if cause != Expired {
				t.Errorf("%v", cause)
			}
			last.Store(max(last.Load(), int64(time.Since(e.Expires))))
			gone.Add(1)
		}})
		rng := rand.New(rand.NewPCG(1, 1))
		const n = 2000
		for i := range n {
			c.SetTTL(i, i, time.Duration(rng.Int64N(int64(3*24*time.Hour))))
		}
		wait(3*24*time.Hour + time.Second)
		if gone.Load() != n || c.Len() != 0 {
			t.Errorf("%d of %d events, %d entries", gone.Load(), n, c.Len())
		}
		if late := time.Duration(last.Load()); late > time.Second {
			t.Errorf("an entry was reclaimed %v after its deadline", late)
		}
		if c.timer.at.Load() != never {
			t.Error("the timer is armed without a deadline")
		}
		check(t, c)
	})
}

func TestIdleTime(t *testing.T) {
	for _, policy := range []Policy{Adaptive, LRU, SIEVE} {
		synctest.Test(t, func(t *testing.T) {
			c := mustNew(t, 10, Options[int, int]{Policy: policy, TTI: time.Minute, TTL: 10 * time.Minute})
			c.Set(1, 1)
			c.Set(2, 2)
			for range 9 {
				wait(59 * time.Second)
				if _, ok := c.Get(1); !ok {
					t.Fatal("a read did not keep the entry")
				}
			}
			has(t, c, 2, false)
			wait(59 * time.Second)
			has(t, c, 1, true)
			c.Get(1)
			wait(10 * time.Second) // 10 minutes after the write
			has(t, c, 1, false)
			c.Set(3, 3)
			wait(59 * time.Second)
			c.Peek(3) // keeps nothing
			wait(time.Second)
			has(t, c, 3, false)
		})
	}
}

func TestJitterShortensWithinItsRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, 10_000, Options[int, int]{TTL: time.Hour, Jitter: 0.5})
		low, high, now := time.Hour, time.Duration(0), time.Now()
		for i := range 10_000 {
			c.Set(i, i)
			e, _ := c.Entry(i)
			d := e.Expires.Sub(now)
			low, high = min(low, d), max(high, d)
		}
		// Each of the outer hundredths stays empty with probability 0.99^10000.
		if low < 30*time.Minute || high > time.Hour || low > 31*time.Minute || high < 59*time.Minute {
			t.Errorf("lifetimes from %v to %v", low, high)
		}
	})
}

func TestNoLifetimeStoresNothing(t *testing.T) {
	var causes []string
	c := mustNew(t, 10, Options[int, int]{
		TTLFunc:  func(_, v int) time.Duration { return time.Duration(v) * time.Hour },
		OnRemove: func(e Entry[int, int], cause Cause) { causes = append(causes, fmt.Sprint(e.Value, cause)) },
	})
	c.Set(1, 1)
	c.Set(1, 0)
	has(t, c, 1, false)
	c.Set(1, 2)
	c.SetTTL(1, 9, -1)
	has(t, c, 1, false)
	if _, stored := c.SetIfAbsent(1, 0); stored {
		t.Error("stored without a lifetime")
	}
	if fmt.Sprint(causes) != "[1 Expired 2 Expired]" {
		t.Errorf("%v", causes)
	}
}

func TestWritingOverAnExpiredEntryIsACreation(t *testing.T) { // moka-rs/moka#266
	synctest.Test(t, func(t *testing.T) {
		var causes []string
		c := mustNew(t, 10, Options[int, int]{
			Policy:   LRU,
			OnRemove: func(e Entry[int, int], cause Cause) { causes = append(causes, fmt.Sprint(e.Value, cause)) },
		})
		c.SetTTL(1, 1, time.Millisecond)
		wait(time.Millisecond)
		if v, stored := c.SetIfAbsent(1, 2); v != 2 || !stored {
			t.Error("SetIfAbsent saw an expired value")
		}
		c.Set(1, 3)
		if fmt.Sprint(causes) != "[1 Expired 2 Replaced]" {
			t.Errorf("%v", causes)
		}
		has(t, c, 1, true)
	})
}

func TestInvalidatedEntriesAreAbsentAtOnceAndReclaimedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Int32
		c := mustNew(t, 10_000, Options[int, int]{
			Tags: func(k, _ int) []string { return []string{fmt.Sprint("mod", k%10), "all"} },
			OnRemove: func(_ Entry[int, int], cause Cause) {
				if cause == Invalidated {
					gone.Add(1)
				}
			},
		})
		for i := range 1000 {
			c.Set(i, i)
		}
		c.InvalidateTags("mod3", "unknown")
		for i := range 1000 {
			has(t, c, i, i%10 != 3)
		}
		c.Set(3, 33)
		has(t, c, 3, true)
		wait(2 * time.Second)
		if c.Len() != 901 || gone.Load() != 100 {
			t.Errorf("%d entries, %d events", c.Len(), gone.Load())
		}
		check(t, c)
		c.InvalidateTags("all")
		if n := c.RemoveExpired(); n != 901 || c.Len() != 0 || len(c.tags.counts()) != 0 {
			t.Errorf("%d reclaimed, %d left, tags %v", n, c.Len(), c.tags.counts())
		}
		for i := range 10 * maxUnknown {
			c.InvalidateTags(fmt.Sprint("nobody", i))
		}
		if n := len(c.tags.unknown); n > maxUnknown {
			t.Errorf("%d unknown tags are kept", n)
		}
	})
}

func TestUnusedCacheIsCollectedWithItsTimerArmed(t *testing.T) {
	before := runtime.NumGoroutine()
	c := mustNew(t, 100, Options[int, [1 << 16]byte]{TTL: time.Hour})
	for i := range 100 {
		c.Set(i, [1 << 16]byte{})
	}
	w := weak.Make(c)
	if runtime.NumGoroutine() > before {
		t.Error("the cache runs a goroutine")
	}
	c = nil
	for range 10 {
		runtime.GC()
		if w.Value() == nil {
			return
		}
	}
	t.Error("the cache is still there")
	runtime.KeepAlive(c)
}

func TestShortLivesDoNotLeaveReferencesBehind(t *testing.T) {
	c := mustNew(t, 100, Options[int, int]{TTL: 24 * time.Hour, Policy: LRU})
	for i := range 200_000 {
		c.Set(i, i)
	}
	if refs := c.shards[0].wheel.refs; refs > 1000 {
		t.Errorf("the wheel holds %d references for %d entries", refs, c.Len())
	}
	check(t, c)
}

func TestKeysThatDifferFromThemselvesCanBeEvicted(t *testing.T) {
	for _, policy := range []Policy{Adaptive, LRU, LFU, FIFO, SIEVE} {
		c := mustNew(t, 50, Options[float64, int]{Policy: policy, TTL: time.Hour})
		for i := range 5000 {
			c.Set(math.NaN(), i)
			if _, ok := c.Get(math.NaN()); ok {
				t.Fatal("NaN was found")
			}
		}
		if c.Len() != 50 {
			t.Errorf("%v: %d entries", policy, c.Len())
		}
		c.Clear()
		if c.Len() != 0 {
			t.Errorf("%v: %d entries after Clear", policy, c.Len())
		}
	}
}
