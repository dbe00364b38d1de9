package ratelimit

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func pause(d time.Duration) { <-time.After(d) }

// arrivals records when waiters came through.
type arrivals struct {
	mu    sync.Mutex
	start time.Time
	at    map[string]time.Duration
	order []string
}

func newArrivals() *arrivals { return &arrivals{start: time.Now(), at: map[string]time.Duration{}} }

// wait starts a waiter and returns once it waits.
func (a *arrivals) wait(ctx context.Context, l Limiter, name string, n int) {
	go func() {
		err := l.WaitN(ctx, n)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.at[name] = time.Since(a.start)
		if err != nil {
			name += " " + err.Error()
		}
		a.order = append(a.order, name)
	}()
	synctest.Wait()
}

func (a *arrivals) expect(t *testing.T, want map[string]time.Duration) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, at := range want {
		if got, ok := a.at[name]; !ok || got != at {
			t.Errorf("%s came through at %v (%v), want %v; order %v", name, got, ok, at, a.order)
		}
	}
}

func TestWaitersAreServedInOrderAtTheirMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(1).WithBurst(3))
		l.Take(3)
		a := newArrivals()
		ctx := t.Context()
		a.wait(ctx, l, "big", 3)
		a.wait(ctx, l, "one", 1)
		a.wait(ctx, l, "two", 2)
		for range 50 { // small calls may not starve the big waiter
			if l.Allow() {
				t.Fatal("overtaken")
			}
			pause(100 * time.Millisecond)
		}
		pause(time.Hour)
		a.expect(t, map[string]time.Duration{"big": 3 * time.Second, "one": 4 * time.Second, "two": 6 * time.Second})
	})
}

func TestCancelledWaiterMovesOthersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(1).WithBurst(5))
		l.Take(5)
		a := newArrivals()
		ctx, cancel := context.WithCancel(t.Context())
		a.wait(t.Context(), l, "first", 1)
		a.wait(ctx, l, "quitter", 5)
		a.wait(t.Context(), l, "behind", 1)
		pause(500 * time.Millisecond)
		cancel()
		synctest.Wait()
		a.wait(t.Context(), l, "last", 2)
		pause(time.Hour)
		a.expect(t, map[string]time.Duration{
			"quitter": 500 * time.Millisecond, "first": time.Second, "behind": 2 * time.Second, "last": 4 * time.Second,
		})
		if d := l.Peek(5); !d.OK {
			t.Errorf("not full at the end: %+v", d)
		}
	})
}

func TestSetLimitsRetimesWaiters(t *testing.T) {
	for name, c := range map[string]struct {
		limit Limit
		want  map[string]time.Duration
	}{
		"faster": {PerSecond(10).WithBurst(2), map[string]time.Duration{
			"a": 500*time.Millisecond + 50*time.Millisecond, "b": 650 * time.Millisecond, "c": 850 * time.Millisecond,
		}},
		"slower": {PerMinute(6).WithBurst(2), map[string]time.Duration{
			"a": 5500 * time.Millisecond, "b": 15500 * time.Millisecond, "c": 35500 * time.Millisecond,
		}},
		"smaller": {PerSecond(1).WithBurst(1), map[string]time.Duration{
			"a": 1500 * time.Millisecond, "b": 2500 * time.Millisecond, "c": 500 * time.Millisecond,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustLimiter(t, PerSecond(1).WithBurst(2))
				l.Take(2)
				a := newArrivals()
				a.wait(t.Context(), l, "a", 1)
				a.wait(t.Context(), l, "b", 1)
				a.wait(t.Context(), l, "c", 2)
				pause(500 * time.Millisecond)
				if err := l.SetLimits(c.limit); err != nil {
					t.Fatal(err)
				}
				pause(time.Hour)
				a.expect(t, c.want)
				if name == "smaller" && !slices.Contains(a.order, "c "+ErrExceedsBurst.Error()) {
					t.Errorf("c does not fit any more: %v", a.order)
				}
				if d := l.Peek(0); d.ResetAfter != 0 {
					t.Errorf("not full after an hour: %+v", d)
				}
			})
		})
	}
}

func TestChargeBackAndClearMoveWaitersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(1).WithBurst(5))
		l.Take(5)
		l.Charge(5)
		a := newArrivals()
		a.wait(t.Context(), l, "a", 1) // at 6 s
		a.wait(t.Context(), l, "b", 5) // at 11 s
		l.Charge(-2)
		pause(3500 * time.Millisecond)
		l.Clear() // nothing used but the waiters' 6
		pause(time.Hour)
		a.expect(t, map[string]time.Duration{"a": 3500 * time.Millisecond, "b": 4500 * time.Millisecond})
	})
}

func TestWaitErrorsChargeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(1).WithBurst(3))
		l.Take(3)
		before := l.q.words[0].Load()
		done, cancel := context.WithCancel(t.Context())
		cancel()
		near, cancelNear := context.WithTimeout(t.Context(), 999*time.Millisecond)
		defer cancelNear()
		for _, c := range []struct {
			ctx  context.Context
			n    int
			want error
		}{
			{done, 1, context.Canceled},
			{done, 0, context.Canceled},
			{near, 1, ErrDeadline},
			{near, 1, context.DeadlineExceeded},
			{t.Context(), 4, ErrExceedsBurst},
			{t.Context(), math.MaxInt, ErrExceedsBurst},
			{t.Context(), -1, ErrInvalid},
			{t.Context(), 0, nil},
		} {
			start := time.Now()
			if err := l.WaitN(c.ctx, c.n); !errors.Is(err, c.want) {
				t.Errorf("wait for %d: %v, want %v", c.n, err, c.want)
			}
			if time.Since(start) != 0 {
				t.Errorf("wait for %d took %v", c.n, time.Since(start))
			}
		}
		quota := mustLimiter(t, Limit{Per: 1, Burst: 1})
		quota.Allow()
		if err := quota.Wait(t.Context()); !errors.Is(err, ErrDeadline) {
			t.Errorf("wait for an empty quota: %v", err)
		}
		if l.q.words[0].Load() != before {
			t.Error("state changed")
		}
		enough, cancelEnough := context.WithTimeout(t.Context(), time.Second)
		defer cancelEnough()
		if err := l.Wait(enough); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// golang/go#56924 and cadence-workflow/cadence#6030: late cancels must not starve a contended limiter.
func TestCancelStormLosesNoTokens(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := mustLimiter(t, PerSecond(100).WithBurst(10))
			if keyed {
				k, err := NewKeyed[int]([]Limit{PerSecond(100).WithBurst(10)}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				l = k.Key(1)
			}
			l.Take(10)
			var wg sync.WaitGroup
			for i := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				wg.Go(func() { _ = l.WaitN(ctx, 1+i%3) })
				wg.Go(func() {
					pause(time.Duration(i) * time.Microsecond)
					cancel()
				})
			}
			wg.Wait()
			pause(100 * time.Millisecond)
			if d := l.Peek(0); d.Remaining != 10 {
				t.Errorf("keyed %v: %d tokens after all left, want 10", keyed, d.Remaining)
			}
		})
	}
}

func TestKeyedWaiterHonoursALoweredRateOnWaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := NewKeyed[string]([]Limit{PerSecond(1)}, Options{Capacity: 10})
		if err != nil {
			t.Fatal(err)
		}
		l := k.Key("x")
		l.Take(1)
		a := newArrivals()
		a.wait(t.Context(), l, "one", 1)
		a.wait(t.Context(), l, "two", 1)
		pause(500 * time.Millisecond)
		if err := k.SetLimits(PerMinute(6).WithBurst(1)); err != nil { // a tenth of the rate and half a token to go
			t.Fatal(err)
		}
		pause(time.Hour)
		a.expect(t, map[string]time.Duration{"one": 5500 * time.Millisecond, "two": 15500 * time.Millisecond})
	})
}

func TestReservationKeepsItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(1))
		if r, ok := l.Reserve(1, 0); !ok || r.Delay() != 0 {
			t.Fatal("a token is there")
		}
		for _, n := range []int{-1, 2, math.MaxInt} {
			if _, ok := l.Reserve(n, time.Hour); ok {
				t.Errorf("reserved %d of burst 1", n)
			}
		}
		if _, ok := l.Reserve(1, time.Second-1); ok {
			t.Error("reserved beyond maxWait")
		}
		r1, ok1 := l.Reserve(1, time.Second)
		r2, ok2 := l.Reserve(1, time.Hour)
		if !ok1 || !ok2 || r1.Delay() != time.Second || r2.Delay() != 2*time.Second {
			t.Fatal(r1.Delay(), r2.Delay())
		}
		r1.Cancel() // r2 relies on it
		if r3, ok := l.Reserve(1, time.Hour); !ok || r3.Delay() != 3*time.Second {
			t.Errorf("third at %v", r3.Delay())
		} else {
			r3.Cancel()
			r3.Cancel()
		}
		if r4, ok := l.Reserve(1, time.Hour); !ok || r4.Delay() != 3*time.Second {
			t.Errorf("fourth at %v, in the place of the third", r4.Delay())
		}
		pause(90 * time.Minute)
		r2.Cancel() // after its moment: nothing
		if d := l.Peek(1); !d.OK || d.Remaining != 0 || r2.Delay() != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestWaitAfterMultipleLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(2), PerMinute(3))
		a := newArrivals()
		for _, name := range []string{"a", "b", "c", "d"} {
			a.wait(t.Context(), l, name, 1)
		}
		pause(time.Hour)
		a.expect(t, map[string]time.Duration{"a": 0, "b": 0, "c": 500 * time.Millisecond, "d": 20 * time.Second})
	})
}
