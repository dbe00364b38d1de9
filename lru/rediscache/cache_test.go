package rediscache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestOptionsAreRefusedByName(t *testing.T) {
	r, o := newFake(), newOrigin()
	good := func() Options[string, string] {
		return Options[string, string]{Local: lru.Options[string, string]{Load: o.load, TTL: time.Second}}
	}
	for field, change := range map[string]func(*Options[string, string]){
		"TTL":        func(o *Options[string, string]) { o.TTL = time.Microsecond },
		"Lease":      func(o *Options[string, string]) { o.Lease = -1 },
		"Local.Load": func(o *Options[string, string]) { o.Local.Load = nil },
		"Local.TTL":  func(o *Options[string, string]) { o.Local.TTL = 0 },
	} {
		opts := good()
		change(&opts)
		if _, err := New(r.do, 10, opts); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := New(r.do, 0, good()); !errors.Is(err, lru.ErrInvalid) {
		t.Errorf("capacity 0: %v", err)
	}
	type point struct{ X, Y int }
	structs := Options[point, int]{Local: lru.Options[point, int]{
		TTL: 1, Load: func(context.Context, point) (int, error) { return 0, nil },
	}}
	if _, err := New(r.do, 10, structs); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "Key") {
		t.Errorf("keys without a name: %v", err)
	}
}

func TestSecondProcessFindsWhatTheFirstLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		first, second := process(t, r, o, Options[string, string]{}), process(t, r, o, Options[string, string]{})
		reads(t, first, "a", "1")
		reads(t, second, "a", "1")
		reads(t, second, "a", "1")
		if o.count() != 1 {
			t.Fatalf("%d loads, want 1", o.count())
		}
		r.holds(t, "lru:a", "V1")
	})
}

func TestOneProcessLoadsWhileTheOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		o.takes = time.Second
		var group sync.WaitGroup
		for range 10 {
			c := process(t, r, o, Options[string, string]{})
			for range 10 {
				group.Go(func() { reads(t, c, "a", "1") })
			}
		}
		group.Wait()
		if o.count() != 1 {
			t.Fatalf("%d loads for 10 processes with 10 callers each", o.count())
		}
	})
}

func TestWriteVoidsALoadThatBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "old")
		o.takes = time.Second
		reader, writer := process(t, r, o, Options[string, string]{}), process(t, r, o, Options[string, string]{})
		done := make(chan string)
		go func() {
			v, _ := reader.Fetch(t.Context(), "a")
			done <- v
		}()
		wait(500 * time.Millisecond)
		o.set("a", "new")
		if err := writer.Set(t.Context(), "a", "new"); err != nil {
			t.Fatal(err)
		}
		<-done // it may have either
		synctest.Wait()
		reads(t, reader, "a", "new")
		r.holds(t, "lru:a", "Vnew")
	})
}

func TestWriteReachesEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		opts := Options[string, string]{}
		first, second := process(t, r, o, opts), process(t, r, o, opts)
		synctest.Wait()
		reads(t, first, "a", "1")
		reads(t, second, "a", "1")
		if err := first.Set(t.Context(), "a", "2"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		reads(t, first, "a", "2")
		reads(t, second, "a", "2")
		o.set("a", "3")
		if err := second.Remove(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		reads(t, first, "a", "3")
		reads(t, second, "a", "3")
		if o.count() != 2 {
			t.Fatalf("%d loads, want the first and the one after Remove", o.count())
		}
	})
}

func TestLoaderThatTakesLongerThanItsLeaseStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		o.takes = 3 * time.Second
		slow := process(t, r, o, Options[string, string]{Lease: time.Second})
		reads(t, slow, "a", "1")
		if v, ok := slow.Local().Peek("a"); ok {
			t.Fatalf("this process keeps %q, which nobody can invalidate", v)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if v := r.keys["lru:a"].value; strings.HasPrefix(v, "V") {
			t.Fatalf("the server has %q", v)
		}
	})
}

func TestFailedLoadGivesItsLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin()
		c := process(t, r, o, Options[string, string]{})
		reads(t, c, "a", "")
		r.holds(t, "lru:a", "")
		o.set("a", "1")
		reads(t, c, "a", "1")
	})
}

func TestReplyThatComesTooLateGivesItsLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		var mu sync.Mutex
		var troubles []error
		c := process(t, r, o, Options[string, string]{OnError: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			troubles = append(troubles, err)
		}})
		synctest.Wait()
		r.mu.Lock()
		r.takes = time.Second
		r.mu.Unlock()
		began := time.Now()
		reads(t, c, "a", "1")
		if took := time.Since(began); took != patience {
			t.Fatalf("took %v, want %v and then the source", took, patience)
		}
		mu.Lock()
		if len(troubles) == 0 || !errors.Is(troubles[0], ErrSlow) {
			t.Fatalf("OnError heard %v", troubles)
		}
		mu.Unlock()
		r.mu.Lock()
		r.takes = 0
		r.mu.Unlock()
		wait(3 * time.Second)
		r.holds(t, "lru:a", "")
	})
}

func TestWithoutRedisItIsLocalAndSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1", "b", "1")
		c := process(t, r, o, Options[string, string]{})
		r.down()
		r.cut()
		synctest.Wait()
		reads(t, c, "a", "1")
		reads(t, c, "a", "1")
		if o.count() != 1 {
			t.Fatalf("%d loads", o.count())
		}
		if err := c.Set(t.Context(), "a", "2"); !errors.Is(err, errDown) {
			t.Fatalf("Set: %v", err)
		}
		o.set("a", "3")
		reads(t, c, "a", "3") // Set dropped what this process had
		for i := range tolerated {
			reads(t, c, fmt.Sprint("missing", i), "")
		}
		r.mu.Lock()
		before := r.calls
		r.mu.Unlock()
		reads(t, c, "b", "1")
		r.mu.Lock()
		after := r.calls
		r.mu.Unlock()
		if after != before {
			t.Fatal("the breaker let a call through")
		}
		r.up()
		wait(breakTime)
		reads(t, c, "c", "")
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.calls == after {
			t.Fatal("the breaker did not close again")
		}
	})
}

func TestLostSubscriptionLeavesNothingStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		reader, writer := process(t, r, o, Options[string, string]{}), process(t, r, o, Options[string, string]{})
		synctest.Wait()
		reads(t, reader, "a", "1")
		r.mu.Lock()
		r.fail = func(args []any) error { // calls work, subscriptions do not
			if args[0] == "SUBSCRIBE" {
				return errDown
			}
			return nil
		}
		r.mu.Unlock()
		r.cut()
		synctest.Wait()
		if err := writer.Set(t.Context(), "a", "2"); err != nil {
			t.Fatal(err)
		}
		wait(deafTTL)
		reads(t, reader, "a", "2")
		// Without a subscription what is loaded lives for a second at most.
		if err := writer.Set(t.Context(), "a", "3"); err != nil {
			t.Fatal(err)
		}
		wait(deafTTL)
		reads(t, reader, "a", "3")
		// When it comes back, everything that was missed is forgotten.
		if err := writer.Set(t.Context(), "a", "4"); err != nil {
			t.Fatal(err)
		}
		r.up()
		wait(2 * lastRetry)
		reads(t, reader, "a", "4")
		reads(t, writer, "a", "4")
	})
}

func TestSilentSubscriptionCountsAsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		c := process(t, r, o, Options[string, string]{})
		synctest.Wait()
		wait(time.Minute) // signs of life keep it
		if !c.feed.live.Load() {
			t.Fatal("a quiet subscription was given up")
		}
		reads(t, c, "a", "1")
		r.mu.Lock()
		r.deaf = true // the connection stands, but brings nothing
		r.mu.Unlock()
		o.set("a", "2")
		r.mu.Lock()
		delete(r.keys, "lru:a")
		r.mu.Unlock()
		wait(silence + 2*quiet + deafTTL)
		reads(t, c, "a", "2")
	})
}

func TestQuietProcessesShareOneSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin()
		for range 20 {
			process(t, r, o, Options[string, string]{})
		}
		synctest.Wait()
		r.mu.Lock()
		r.calls = 0
		r.mu.Unlock()
		wait(time.Minute)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.calls < 20 || r.calls > 400 { // one by one it would be 60 × 20
			t.Fatalf("%d signs of life of 20 processes in a minute", r.calls)
		}
	})
}

func TestForeignValueIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		c := process(t, r, o, Options[string, string]{})
		r.mu.Lock()
		r.keys["lru:a"] = fakeEntry{"something else", time.Now().Add(time.Hour)}
		r.mu.Unlock()
		reads(t, c, "a", "1")
		r.holds(t, "lru:a", "V1")
	})
}

func TestLocalCopyLivesNoLongerThanTheOneInRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		first := process(t, r, o, Options[string, string]{TTL: 10 * time.Second})
		synctest.Wait()
		reads(t, first, "a", "1")
		wait(9 * time.Second)
		second := process(t, r, o, Options[string, string]{TTL: 10 * time.Second})
		synctest.Wait()
		reads(t, second, "a", "1")
		o.set("a", "2")
		wait(time.Second)
		reads(t, second, "a", "2")
	})
}

func TestFetchManyAsksTheSourceOnceForWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFake()
		var asked [][]string
		c, err := New(r.do, 100, Options[string, string]{
			Subscribe: r.subscribe,
			Local: lru.Options[string, string]{LoadMany: func(_ context.Context, keys []string) (map[string]string, error) {
				asked = append(asked, keys)
				out := map[string]string{}
				for _, key := range keys {
					if key != "none" {
						out[key] = key + "!"
					}
				}
				return out, nil
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if v, err := c.Fetch(t.Context(), "a"); v != "a!" || err != nil {
			t.Fatalf("Fetch = %q, %v", v, err)
		}
		c.Local().Clear()
		got, err := c.FetchMany(t.Context(), []string{"a", "b", "c", "none"})
		if err != nil || len(got) != 3 || got["a"] != "a!" || got["c"] != "c!" {
			t.Fatalf("FetchMany = %v, %v", got, err)
		}
		if len(asked) != 2 || len(asked[1]) != 3 {
			t.Fatalf("the source was asked %v", asked)
		}
		r.holds(t, "lru:b", "Vb!")
		r.holds(t, "lru:none", "")
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnyBytesMayBeAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin()
		first, second := process(t, r, o, Options[string, string]{}), process(t, r, o, Options[string, string]{})
		synctest.Wait()
		for _, key := range []string{"", " ", "{}", "}{", "a b", "a\r\nb", "\x00\xff", "a{b}c"} {
			o.set(key, "1")
			reads(t, first, key, "1")
			reads(t, second, key, "1")
			if err := first.Set(t.Context(), key, "2"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			reads(t, second, key, "2")
		}
	})
}

func TestCallsAfterCloseSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := newFake(), newOrigin("a", "1")
		c := process(t, r, o, Options[string, string]{})
		synctest.Wait()
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Set(t.Context(), "a", "2"); !errors.Is(err, ErrClosed) {
			t.Fatalf("Set: %v", err)
		}
		if _, err := c.Fetch(t.Context(), "a"); !errors.Is(err, lru.ErrClosed) {
			t.Fatalf("Fetch: %v", err)
		}
	})
}
