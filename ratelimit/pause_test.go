package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauseAdmitsNothingUntilItsEnd(t *testing.T) {
	for _, limits := range [][]Limit{
		{PerHour(2000)},
		{Unlimited()},
		{{Per: time.Hour, Burst: 5}},
		{PerSecond(10), PerHour(2000)},
		{{Count: 5, Per: time.Second, Algorithm: FixedWindow}},
		{{Count: 5, Per: time.Second, Algorithm: SlidingWindow}},
	} {
		for _, keyed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				l := windowLimiter(t, keyed, limits...)
				l.Pause(time.Minute)
				l.Pause(time.Second) // the longer one counts
				before := l.Peek(0)
				if !before.OK || before.RetryAfter != 0 {
					t.Errorf("%v: nothing costs nothing: %+v", limits, before)
				}
				<-time.After(20 * time.Second)
				if d := l.Take(1); d.OK || d.RetryAfter != 40*time.Second || d.Remaining != before.Remaining || d.Policy == "" {
					t.Errorf("%v: %+v", limits, d)
				}
				if d := l.Peek(1); d.OK || d.RetryAfter != 40*time.Second {
					t.Errorf("%v: peek %+v", limits, d)
				}
				if d := TakeAll(l.Claim(1)); d.OK || d.RetryAfter != 40*time.Second {
					t.Errorf("%v: take all %+v", limits, d)
				}
				if l.Allow() || l.TakeUpTo(1) != 0 {
					t.Errorf("%v: admitted in a pause", limits)
				}
				if _, ok := l.Reserve(1, 39*time.Second); ok {
					t.Errorf("%v: reserved within the pause", limits)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 39*time.Second)
				if err := l.Wait(ctx); !errors.Is(err, ErrDeadline) {
					t.Errorf("%v: %v", limits, err)
				}
				cancel()
				<-time.After(40*time.Second - 1)
				if l.Allow() {
					t.Errorf("%v: a nanosecond early", limits)
				}
				<-time.After(1)
				if d := l.Take(1); !d.OK {
					t.Errorf("%v: after the pause: %+v", limits, d)
				}
				l.Pause(time.Hour)
				if l.Pause(0); !l.Allow() {
					t.Errorf("%v: a pause of nothing does not end one", limits)
				}
			})
		}
	}
}

func TestPauseOfOneKeyLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := NewKeyed[int]([]Limit{PerSecond(10)}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			k.Key(i).Pause(time.Duration(i) * time.Second)
		}
		<-time.After(50 * time.Second)
		for i := range 100 {
			if k.Allow(i) != (i <= 50) {
				t.Errorf("key %d", i)
			}
		}
		<-time.After(50 * time.Second)
		k.Allow(0)
		if p := k.q.aside.Load().pauses.Load(); p != nil {
			t.Errorf("%d pauses are remembered after their end", len(p.until))
		}
	})
}

// TestWaitersComeThroughAfterThePauseAtTheRate: those who queued are not let through together at its end.
func TestWaitersComeThroughAfterThePauseAtTheRate(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		for _, early := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				l := windowLimiter(t, keyed, PerSecond(1).WithBurst(2))
				l.AllowN(2)
				if early {
					l.Pause(10 * time.Second)
				}
				came, start := make([]time.Duration, 5), time.Now()
				for i := range came {
					go func() {
						if err := l.Wait(t.Context()); err != nil {
							t.Error(err)
						}
						came[i] = time.Since(start)
					}()
					synctest.Wait()
				}
				if !early {
					l.Pause(10 * time.Second)
				}
				<-time.After(time.Minute)
				synctest.Wait()
				want := []time.Duration{10, 10, 11, 12, 13}
				for i := range want {
					want[i] *= time.Second
				}
				if fmt.Sprint(came) != fmt.Sprint(want) {
					t.Errorf("keyed %v, early %v: %v, want %v", keyed, early, came, want)
				}
			})
		}
	}
}

func TestPausedUnlimitedWaits(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := windowLimiter(t, keyed, Unlimited())
			l.Pause(3 * time.Second)
			start := time.Now()
			if err := l.Wait(t.Context()); err != nil || time.Since(start) != 3*time.Second {
				t.Errorf("keyed %v: %v after %v", keyed, err, time.Since(start))
			}
		})
	}
}

func TestFullKeyIsChargedForAWaitThroughAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := windowLimiter(t, true, PerHour(5))
		l.Pause(time.Second)
		for range 5 {
			if r, ok := l.Reserve(1, time.Minute); !ok || r.Delay() != time.Second {
				t.Errorf("%v %v", ok, r.Delay())
			}
		}
		if _, ok := l.Reserve(1, time.Minute); ok {
			t.Error("the sixth of five")
		}
	})
}

// The state of a key that was charged under earlier limits moves on the line of the present ones.
func TestPauseAfterAChangeOfLimitsHoldsUpWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := mustKeyed[string](t, Options{}, PerSecond(1).WithBurst(2))
		l := k.Key("a")
		l.AllowN(2)
		start := time.Now()
		came := make(chan time.Duration, 1)
		go func() {
			if err := l.WaitN(t.Context(), 2); err != nil {
				t.Error(err)
			}
			came <- time.Since(start)
		}()
		synctest.Wait()
		if err := k.SetLimits(PerSecond(2).WithBurst(2)); err != nil {
			t.Fatal(err)
		}
		l.Pause(10 * time.Second)
		// What the bucket owed was cut to the burst; the waiter's place in the line was not.
		if at := <-came; at < 10*time.Second || at > 11*time.Second {
			t.Errorf("the waiter came at %v", at)
		}
		if d := l.Peek(0); d.Remaining > 2 || d.ResetAfter > 2*time.Second {
			t.Errorf("%+v", d)
		}
	})
}
