package lru

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errSource = errors.New("source is down")

// source is a loader that counts its calls and answers as the test says.
type source struct {
	calls atomic.Int32
	value atomic.Int64
	err   atomic.Pointer[error]
	takes time.Duration
}

func (s *source) load(ctx context.Context, _ int) (int, error) {
	s.calls.Add(1)
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	if err := s.err.Load(); err != nil {
		return 0, *err
	}
	return int(s.value.Load()), nil
}

func (s *source) fail(err error) { s.err.Store(&err) }

func (s *source) answer(v int) {
	s.err.Store(nil)
	s.value.Store(int64(v))
}

// fetch wants a value from Fetch.
func fetch(t *testing.T, c *Cache[int, int], key, want int) {
	t.Helper()
	if v, err := c.Fetch(t.Context(), key); err != nil || v != want {
		t.Fatalf("Fetch(%d) = %d, %v; want %d", key, v, err, want)
	}
}

func fetchErr(t *testing.T, c *Cache[int, int], key int, want error) {
	t.Helper()
	if v, err := c.Fetch(t.Context(), key); !errors.Is(err, want) {
		t.Fatalf("Fetch(%d) = %d, %v; want error %v", key, v, err, want)
	}
}

func (s *source) called(t *testing.T, want int) {
	t.Helper()
	synctest.Wait()
	if n := int(s.calls.Load()); n != want {
		t.Fatalf("%d loads, want %d", n, want)
	}
}

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestOneLoadPerKeyWhoeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Second}
		src.answer(7)
		c := mustNew(t, 10, Options[int, int]{Load: src.load})
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				var v int
				var err error
				if i%2 == 0 {
					v, err = c.Fetch(t.Context(), 1)
				} else {
					v, err = c.GetOrLoad(t.Context(), 1, src.load)
				}
				if v != 7 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		src.called(t, 1)
		if st := c.Stats(); st.Loads != 1 || st.Shared != 99 || st.LoadTime != time.Second {
			t.Errorf("%+v", st)
		}
	})
}

// voids are the ways to void a load of key 1 that leave it without a value.
func voids() map[string]func(c *Cache[int, int]) {
	return map[string]func(c *Cache[int, int]){
		"Set":            func(c *Cache[int, int]) { c.Set(1, 99); c.Remove(1) },
		"Remove":         func(c *Cache[int, int]) { c.Remove(1) },
		"Clear":          func(c *Cache[int, int]) { c.Clear() },
		"InvalidateTags": func(c *Cache[int, int]) { c.InvalidateTags("all") },
		"RemoveFunc":     func(c *Cache[int, int]) { c.RemoveFunc(func(int, int) bool { return true }) },
		"Compute":        func(c *Cache[int, int]) { c.Compute(1, func(int, bool) (int, Action) { return 0, Remove }) },
	}
}

func TestVoidedLoadStoresNothing(t *testing.T) {
	for name, void := range voids() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{takes: time.Second}
				src.answer(1)
				c := mustNew(t, 10, Options[int, int]{
					Load: src.load, Tags: func(int, int) []string { return []string{"all"} },
				})
				go func() {
					if v, err := c.Fetch(t.Context(), 1); v != 1 || err != nil {
						t.Errorf("the caller of the voided load got %d, %v", v, err)
					}
				}()
				wait(500 * time.Millisecond)
				void(c)
				wait(time.Second)
				if v, ok := c.Get(1); ok {
					t.Errorf("a voided load stored %d", v)
				}
				check(t, c)
			})
		})
	}
}

func TestWriteAndRemovalVoidALoadInFlight(t *testing.T) {
	for name, void := range voids() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{takes: time.Second}
				src.answer(1)
				c := mustNew(t, 10, Options[int, int]{
					Load: src.load, Tags: func(int, int) []string { return []string{"all"} },
				})
				first := make(chan int, 1)
				go func() {
					v, _ := c.Fetch(t.Context(), 1)
					first <- v
				}()
				wait(500 * time.Millisecond)
				void(c)
				if name == "InvalidateTags" { // stamps, and lets the callers of the load join it
					wait(time.Second)
				}
				src.answer(2)
				if name != "InvalidateTags" {
					fetch(t, c, 1, 2)
					src.called(t, 2)
				}
				<-first
				if v, ok := c.Get(1); ok && v != 2 {
					t.Errorf("a voided load stored %d", v)
				}
				check(t, c)
			})
		})
	}
}

func TestCallerLeavesWithItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: 10 * time.Second}
		src.answer(3)
		c := mustNew(t, 10, Options[int, int]{Load: src.load})
		cause := errors.New("the user went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := c.Fetch(ctx, 1)
			left <- err
		}()
		synctest.Wait()
		stayed := make(chan int, 1)
		go func() {
			v, _ := c.Fetch(t.Context(), 1)
			stayed <- v
		}()
		synctest.Wait()
		cancel(cause)
		if err := <-left; !errors.Is(err, cause) {
			t.Errorf("the caller left with %v", err)
		}
		if v := <-stayed; v != 3 {
			t.Errorf("the other caller got %d", v)
		}
		src.called(t, 1)
		// The last caller that leaves cancels the load, and the next one starts afresh.
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := c.Fetch(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		fetch(t, c, 2, 3)
		src.called(t, 3)
		if _, err := c.Fetch(ctx, 1); err != nil {
			t.Errorf("a done context did not get the cached value: %v", err)
		}
		if _, err := c.Fetch(ctx, 9); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a done context got %v", err)
		}
		src.called(t, 3)
	})
}

func TestFailuresAreRememberedForTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		c := mustNew(t, 10, Options[int, int]{
			Load: src.load, Loading: Loading{NegativeTTL: time.Minute, ErrorTTL: time.Second},
		})
		src.fail(ErrNotFound)
		for range 3 {
			fetchErr(t, c, 1, ErrNotFound)
		}
		src.called(t, 1)
		src.fail(errSource)
		fetchErr(t, c, 2, errSource)
		fetchErr(t, c, 2, errSource)
		src.called(t, 2)
		wait(time.Second)
		src.answer(5)
		fetch(t, c, 2, 5)
		fetchErr(t, c, 1, ErrNotFound)
		wait(time.Minute)
		fetch(t, c, 1, 5)
		// A write ends what is remembered.
		src.fail(errSource)
		fetchErr(t, c, 3, errSource)
		c.Set(3, 1)
		fetch(t, c, 3, 1)
	})
}

func TestNotFoundRemovesTheCachedValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		var causes []Cause
		c := mustNew(t, 10, Options[int, int]{Load: src.load, OnRemove: func(_ Entry[int, int], cause Cause) {
			causes = append(causes, cause)
		}})
		c.Set(1, 1)
		src.fail(errSource)
		if err := c.Refresh(t.Context(), 1); !errors.Is(err, errSource) {
			t.Errorf("Refresh: %v", err)
		}
		fetch(t, c, 1, 1)
		src.fail(ErrNotFound)
		if err := c.Refresh(t.Context(), 1); err != nil {
			t.Errorf("Refresh of a key that is gone: %v", err)
		}
		if _, ok := c.Get(1); ok || len(causes) != 1 || causes[0] != Removed {
			t.Errorf("the value is still there, or left by %v", causes)
		}
	})
}

func TestStaleValueIsServedUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		var expired atomic.Int32
		c := mustNew(t, 10, Options[int, int]{
			TTL: time.Minute, Load: src.load,
			Loading:  Loading{StaleFor: time.Hour, ErrorTTL: 10 * time.Second},
			OnRemove: func(_ Entry[int, int], cause Cause) { expired.Add(int32(cause - Replaced + 100)) },
		})
		src.answer(1)
		fetch(t, c, 1, 1)
		wait(2 * time.Minute)
		if _, ok := c.Get(1); ok {
			t.Fatal("Get shows a stale value")
		}
		src.fail(errSource)
		for range 5 { // one attempt, then a pause
			fetch(t, c, 1, 1)
			synctest.Wait()
		}
		src.called(t, 2)
		wait(11 * time.Second)
		src.answer(2)
		fetch(t, c, 1, 1)
		synctest.Wait()
		fetch(t, c, 1, 2)
		if st := c.Stats(); st.Stale != 6 || st.Expired != 1 {
			t.Errorf("%+v", st)
		}
		wait(time.Minute + time.Hour + time.Second)
		if c.Len() != 0 {
			t.Error("a stale value outlived StaleFor")
		}
		src.fail(errSource)
		fetchErr(t, c, 1, errSource)
	})
}

func TestRefreshAfterServesTheOldValueMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Second}
		src.answer(1)
		c := mustNew(t, 10, Options[int, int]{
			TTL: time.Hour, Load: src.load, Loading: Loading{RefreshAfter: time.Minute},
		})
		fetch(t, c, 1, 1)
		wait(time.Minute)
		src.fail(errSource)
		for range 3 {
			fetch(t, c, 1, 1)
		}
		src.called(t, 2)
		wait(1500 * time.Millisecond)
		fetch(t, c, 1, 1) // the failure asks for a pause of a second
		src.called(t, 2)
		wait(time.Second)
		src.answer(2)
		fetch(t, c, 1, 1)
		wait(2 * time.Second)
		fetch(t, c, 1, 2)
		src.called(t, 3)
		if st := c.Stats(); st.Refreshes != 2 {
			t.Errorf("%d refreshes", st.Refreshes)
		}
	})
}

func TestHangingRefreshDoesNotKeepTheValue(t *testing.T) { // ben-manes/caffeine#373
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		c := mustNew(t, 10, Options[int, int]{
			TTL: time.Minute, Load: src.load, Loading: Loading{RefreshAfter: time.Second},
		})
		src.answer(1)
		fetch(t, c, 1, 1)
		wait(2 * time.Second)
		src.takes = 10 * time.Hour
		fetch(t, c, 1, 1)
		wait(time.Minute)
		if _, ok := c.Get(1); ok || c.Len() != 0 {
			t.Error("the value is still there")
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestEarlyRefreshBecomesLikelyNearTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Second}
		src.answer(1)
		c := mustNew(t, 10, Options[int, int]{TTL: time.Minute, Load: src.load, Loading: Loading{EarlyRefresh: 1}})
		fetch(t, c, 1, 1)
		for range 100 { // e^-59 each
			fetch(t, c, 1, 1)
		}
		src.called(t, 1)
		wait(59 * time.Second)
		for range 100 { // e^-1 each: all stay out with probability 10^-20
			fetch(t, c, 1, 1)
		}
		src.called(t, 2)
		wait(2 * time.Second)
		fetch(t, c, 1, 1)
		src.called(t, 2)
	})
}

func TestTimeoutAndConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Minute}
		c := mustNew(t, 10, Options[int, int]{Load: src.load, Loading: Loading{Timeout: time.Second}})
		fetchErr(t, c, 1, context.DeadlineExceeded)

		var now, most atomic.Int32
		c = mustNew(t, 100, Options[int, int]{Loading: Loading{Concurrency: 3}, Load: func(context.Context, int) (int, error) {
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Second)
			now.Add(-1)
			return 1, nil
		}})
		keys := make([]int, 30)
		for i := range keys {
			keys[i] = i
		}
		begin := time.Now()
		if m, err := c.FetchMany(t.Context(), keys); len(m) != 30 || err != nil {
			t.Errorf("%d values, %v", len(m), err)
		}
		if most.Load() != 3 || time.Since(begin) != 10*time.Second {
			t.Errorf("%d at once, %v", most.Load(), time.Since(begin))
		}
		// Waiting for a slot obeys the context of the caller.
		go func() { _, _ = c.FetchMany(t.Context(), []int{101, 102, 103}) }()
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		if _, err := c.Fetch(ctx, 104); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wait(time.Minute)
	})
}

func TestPanicAndGoexitOfALoaderReachEveryCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, load := range map[string]func(context.Context, int) (int, error){
			"panic":  func(context.Context, int) (int, error) { <-time.After(time.Second); panic(errSource) },
			"Goexit": func(context.Context, int) (int, error) { <-time.After(time.Second); runtime.Goexit(); return 0, nil },
		} {
			c := mustNew(t, 10, Options[int, int]{Load: load})
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					_, err := c.Fetch(t.Context(), 1)
					var p *PanicError
					if !errors.As(err, &p) || len(p.Stack) == 0 || (name == "panic") != errors.Is(err, errSource) || (name == "Goexit") != (p.Value == nil) {
						t.Errorf("%s: got %v", name, err)
					}
				})
			}
			wg.Wait()
			if v, err := c.GetOrLoad(t.Context(), 1, func(context.Context, int) (int, error) { return 4, nil }); v != 4 || err != nil {
				t.Errorf("%s: afterwards %d, %v", name, v, err)
			}
		}
	})
}

func TestPanicOfWeightInALoadReachesTheCaller(t *testing.T) {
	bad := true
	c := mustNew(t, 10, Options[int, int]{
		Load: func(_ context.Context, k int) (int, error) { return k, nil },
		Weight: func(int, int) int {
			if bad {
				panic("weight")
			}
			return 1
		},
	})
	var p *PanicError
	if _, err := c.Fetch(t.Context(), 1); !errors.As(err, &p) || p.Value != "weight" {
		t.Errorf("got %v", err)
	}
	bad = false
	fetch(t, c, 1, 1)
	check(t, c)
}

func TestLoaderThatAsksForItsOwnKey(t *testing.T) {
	var c *Cache[int, int]
	load := func(ctx context.Context, key int) (int, error) {
		if key == 3 {
			return 30, nil
		}
		return c.Fetch(ctx, map[int]int{1: 1, 2: 4, 4: 2, 5: 3}[key])
	}
	c = mustNew(t, 10, Options[int, int]{Load: load})
	fetchErr(t, c, 1, ErrRecursion)
	fetchErr(t, c, 2, ErrRecursion) // 2 asks for 4 asks for 2
	fetch(t, c, 5, 30)
}

func TestCloseCancelsAndAwaitsLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Hour}
		c := mustNew(t, 10, Options[int, int]{Load: src.load})
		c.Set(2, 2)
		done := make(chan error, 1)
		go func() {
			_, err := c.Fetch(t.Context(), 1)
			done <- err
		}()
		synctest.Wait()
		for range 2 {
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; err == nil {
			t.Error("the load went on")
		}
		c.Set(3, 3)
		c.SetIfAbsent(4, 4)
		if _, ok := c.Get(2); ok || c.Len() != 0 {
			t.Error("a closed cache holds entries")
		}
		fetchErr(t, c, 1, ErrClosed)
		if _, err := c.FetchMany(t.Context(), []int{1, 2}); !errors.Is(err, ErrClosed) {
			t.Errorf("FetchMany: %v", err)
		}
		if err := c.Refresh(t.Context(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("Refresh: %v", err)
		}
	})
}

func TestBulkLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // two batches load at the same time
		var calls [][]int
		many := func(_ context.Context, keys []int) (map[int]int, error) {
			mu.Lock()
			calls = append(calls, keys)
			mu.Unlock()
			out := map[int]int{1000: 1000} // nobody asked for this one
			for _, k := range keys {
				if k%10 != 0 {
					out[k] = k
				}
			}
			return out, nil
		}
		c := mustNew(t, 100, Options[int, int]{LoadMany: many, Loading: Loading{BatchSize: 4}})
		c.Set(2, 22)
		m, err := c.FetchMany(t.Context(), []int{1, 2, 1, 3, 10, 4, 5, 1})
		if err != nil || len(m) != 5 || m[2] != 22 || m[5] != 5 {
			t.Errorf("%v, %v", m, err)
		}
		if len(calls) != 2 || len(calls[0])+len(calls[1]) != 5 {
			t.Errorf("calls %v", calls)
		}
		// Of two batches each may see the other's write, and then stores nothing unasked; one alone stores it.
		if _, err := c.FetchMany(t.Context(), []int{6}); err != nil {
			t.Error(err)
		}
		if v, ok := c.Get(1000); !ok || v != 1000 {
			t.Error("the key that came unasked is not there")
		}
		fetch(t, c, 7, 7)
		fetchErr(t, c, 20, ErrNotFound)
		check(t, c)
	})
}

func TestSingleMissesJoinIntoABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, keys atomic.Int32
		many := func(_ context.Context, ks []int) (map[int]int, error) {
			calls.Add(1)
			keys.Add(int32(len(ks)))
			out := map[int]int{}
			for _, k := range ks {
				out[k] = -k
			}
			return out, nil
		}
		c := mustNew(t, 100, Options[int, int]{LoadMany: many, Loading: Loading{BatchWindow: time.Millisecond, BatchSize: 10}})
		var wg sync.WaitGroup
		for i := range 25 {
			wg.Go(func() { fetch(t, c, i, -i) })
		}
		wg.Wait()
		if calls.Load() != 3 || keys.Load() != 25 {
			t.Errorf("%d calls for %d keys", calls.Load(), keys.Load())
		}
	})
}

func TestNoLoader(t *testing.T) {
	c := mustNew(t, 1, Options[int, int]{})
	fetchErr(t, c, 1, ErrNoLoader)
	if err := c.Refresh(t.Context(), 1); !errors.Is(err, ErrNoLoader) {
		t.Errorf("Refresh: %v", err)
	}
	if v, err := c.GetOrLoad(t.Context(), 1, func(context.Context, int) (int, error) { return 5, nil }); v != 5 || err != nil {
		t.Errorf("GetOrLoad: %d, %v", v, err)
	}
}

// TestEveryMissIsALoadOrSharesOne reads hot keys that are dropped all the time, so that many readers find on their second look
// what somebody else has stored since their first one: a hit, and neither a load nor a shared one.
func TestEveryMissIsALoadOrSharesOne(t *testing.T) {
	const readers, reads, keys = 8, 20_000, 4
	for name, read := range map[string]func(c *Cache[int, int], key int) error{
		"Fetch": func(c *Cache[int, int], key int) error {
			_, err := c.Fetch(t.Context(), key)
			return err
		},
		"FetchMany": func(c *Cache[int, int], key int) error {
			_, err := c.FetchMany(t.Context(), []int{key})
			return err
		},
	} {
		c, err := New(100, Options[int, int]{
			Load:      func(context.Context, int) (int, error) { return 1, nil },
			CountHits: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for r := range readers {
			all.Go(func() {
				for i := range reads {
					if err := read(c, i%keys); err != nil {
						t.Error(err)
						return
					}
					if r == 0 {
						c.Remove(i % keys)
					}
				}
			})
		}
		all.Wait()
		s := c.Stats()
		if s.Hits+s.Misses != readers*reads || s.Misses != s.Loads+s.Shared {
			t.Errorf("%s: %d reads, %d hits, %d misses, %d loads, %d shared", name, readers*reads, s.Hits, s.Misses, s.Loads, s.Shared)
		}
	}
}
