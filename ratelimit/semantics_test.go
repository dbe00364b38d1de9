package ratelimit

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// The lines of the contract that the other tests do not name.

func TestUnlimitedBindsOnlyAlone(t *testing.T) {
	alone := mustLimiter(t, Unlimited())
	if d := alone.Take(math.MaxInt); !d.OK || d.Limit != math.MaxInt64 || d.Remaining != math.MaxInt64 || d.ResetAfter != 0 || d.RetryAfter != 0 {
		t.Errorf("%+v", d)
	}
	both := mustLimiter(t, Unlimited(), PerHour(3))
	if d := both.Take(1); !d.OK || d.Limit != 3 || d.Remaining != 2 || d.Policy != "3/1h" {
		t.Errorf("%+v", d)
	}
	if d := both.Take(3); d.OK || d.Policy != "3/1h" {
		t.Errorf("%+v", d)
	}
}

func TestAmountsOfNothingAndNonsenseChargeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limits := range [][]Limit{{PerHour(5)}, {PerHour(5), PerSecond(7)}, {{Count: 5, Per: time.Hour, Algorithm: SlidingWindow}}} {
			for _, keyed := range []bool{false, true} {
				l := windowLimiter(t, keyed, limits...)
				l.Take(1)
				for _, n := range []int{-1, math.MinInt} {
					d, p := l.Take(n), l.Peek(n)
					if d.OK || d.RetryAfter != Never || p != d || l.AllowN(n) || l.TakeUpTo(n) != 0 {
						t.Errorf("%v: n = %d: %+v, %+v", limits, n, d, p)
					}
					if err := l.WaitN(t.Context(), n); !errors.Is(err, ErrInvalid) {
						t.Errorf("%v: wait for %d: %v", limits, n, err)
					}
					if _, ok := l.Reserve(n, time.Hour); ok {
						t.Errorf("%v: reserved %d", limits, n)
					}
				}
				for _, n := range []int{6, math.MaxInt} {
					d := l.Take(n)
					if d.OK || d.RetryAfter != Never || d.Policy != limits[0].String() || l.AllowN(n) {
						t.Errorf("%v: n = %d: %+v", limits, n, d)
					}
					if err := l.WaitN(t.Context(), n); !errors.Is(err, ErrExceedsBurst) {
						t.Errorf("%v: wait for %d: %v", limits, n, err)
					}
				}
				if d := l.Take(0); !d.OK || d.Remaining != 4 || d.Limit != 5 || d.ResetAfter == 0 || !l.AllowN(0) {
					t.Errorf("%v: n = 0: %+v", limits, d)
				}
			}
		}
	})
}

func TestBindingLimitIsTheLongestWaitOrTheFewestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(4), PerMinute(4).WithBurst(5), PerHour(8))
		if d := l.Take(1); d.Policy != "4/1s" || d.Remaining != 3 {
			t.Errorf("fewest tokens: %+v", d)
		}
		l.Take(3)
		if d := l.Take(2); d.OK || d.Policy != "4/1m burst 5" || d.RetryAfter != 15*time.Second {
			t.Errorf("longest wait: %+v", d)
		}
		<-time.After(15 * time.Second)
		if d := l.Take(2); !d.OK || d.Policy != "4/1m burst 5" || d.Remaining != 0 {
			t.Errorf("obeying the longest wait is enough: %+v", d)
		}
		same := mustLimiter(t, Limit{Name: "first", Count: 3, Per: time.Hour}, Limit{Name: "second", Count: 3, Per: time.Hour})
		if d := same.Take(1); d.Policy != "first" {
			t.Errorf("of equals the first: %+v", d)
		}
		same.Take(2)
		if d := same.Take(1); d.Policy != "first" {
			t.Errorf("of equal waits the first: %+v", d)
		}
	})
}

func TestDebtIsAtMostOneBurstAndAnyChargeIsLegal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, algorithm := range []Algorithm{TokenBucket, FixedWindow, SlidingWindow} {
			for _, keyed := range []bool{false, true} {
				limit := Limit{Count: 10, Per: time.Second, Algorithm: algorithm}
				l := windowLimiter(t, keyed, limit)
				l.Charge(math.MaxInt)
				l.Charge(7)
				d := l.Take(10)
				if want := 2 * time.Second; d.OK || d.RetryAfter != want && algorithm != SlidingWindow || d.RetryAfter > 3*time.Second {
					t.Errorf("%v: %+v, want %v", limit, d, want)
				}
				l.Charge(math.MinInt)
				if d := l.Take(10); !d.OK {
					t.Errorf("%v: everything was given back: %+v", limit, d)
				}
				l.Charge(-4)
				l.Charge(0)
				if d := l.Peek(0); d.Remaining != 4 {
					t.Errorf("%v: %+v", limit, d)
				}
				<-time.After(5 * time.Second)
			}
		}
	})
}

func TestTakeUpToGrantsTheScarcestAndChargesAllAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerHour(10), PerHour(7))
		for _, c := range [][2]int{{3, 3}, {0, 0}, {9, 4}, {1, 0}} {
			if got := l.TakeUpTo(c[0]); got != c[1] {
				t.Errorf("up to %d: %d, want %d", c[0], got, c[1])
			}
		}
		if err := l.SetLimits(PerHour(10), PerHour(100)); err != nil {
			t.Fatal(err)
		}
		if d := l.Take(4); d.OK || d.Remaining != 3 {
			t.Errorf("7 were charged to both: %+v", d)
		}
	})
}

// A limiter made outside a bubble began, as the bubble sees it, in the future.
func TestTimeBeforeTheStartCountsAsZero(t *testing.T) {
	l := mustLimiter(t, PerSecond(2))
	k := mustKeyed[string](t, Options{}, PerSecond(2))
	all := []Limiter{l, k.Key("a")}
	synctest.Test(t, func(t *testing.T) {
		for _, l := range all {
			for i := range 4 {
				if ok := l.Allow(); ok != (i < 2) {
					t.Errorf("call %d: %v", i, ok)
				}
			}
			if d := l.Peek(1); d.RetryAfter <= 0 || d.RetryAfter > time.Second/2 {
				t.Errorf("%+v", d)
			}
		}
	})
}

func TestPeekEqualsTheNextTakeAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limits := range shapes() {
			for _, keyed := range []bool{false, true} {
				l := windowLimiter(t, keyed, limits...)
				for i := range 40 {
					n := i % 5
					before := words(l.q)
					peek := l.Peek(n)
					if !equal(before, words(l.q)) {
						t.Fatalf("%v: Peek(%d) wrote", limits, n)
					}
					if take := l.Take(n); take != peek {
						t.Fatalf("%v: peek %d %+v, take %+v", limits, n, peek, take)
					}
					<-time.After(time.Duration(i) * time.Millisecond)
				}
			}
		}
	})
}

func words(q *pool) []uint64 {
	out := make([]uint64, len(q.words))
	for i := range q.words {
		out[i] = q.words[i].Load()
	}
	return out
}

func equal(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// A call sees the old limits or the new ones, never one of each.
func TestAChangeIsSeenAsAWhole(t *testing.T) {
	pair := func(n int64) []Limit {
		return []Limit{{Name: "a", Per: time.Hour, Burst: n}, {Name: "b", Per: time.Hour, Burst: n}}
	}
	for _, keyed := range []bool{false, true} {
		l := windowLimiter(t, keyed, pair(1000)...)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for !stop.Load() {
					// With the old limits both are dry at 1000, with the new ones both at 2000: a is first either way.
					if d := l.Take(0); d.Policy != "a" || d.Limit != 1000 && d.Limit != 2000 {
						t.Errorf("%+v", d)
						return
					}
				}
			})
		}
		for i := range int64(2000) {
			if err := l.SetLimits(pair(1000 * (1 + i%2))...); err != nil {
				t.Fatal(err)
			}
		}
		stop.Store(true)
		wg.Wait()
	}
}

func TestKeyedRejectsAnotherNumberOfLimits(t *testing.T) {
	k := mustKeyed[string](t, Options{}, PerSecond(2))
	for _, limits := range [][]Limit{nil, {PerSecond(1), PerHour(1)}, {{}}} {
		if err := k.SetLimits(limits...); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", limits, err)
		}
	}
	if l := k.Limits(); len(l) != 1 || l[0] != PerSecond(2) {
		t.Errorf("limits changed: %v", l)
	}
}

func TestRateOfALimitComesBack(t *testing.T) {
	for _, l := range []Limit{PerSecond(10), PerHour(2000), Per(1, 97), Unlimited(), {Per: time.Hour, Burst: 3}} {
		back := FromRate(l.Rate(), 3)
		if back.Rate() != l.Rate() {
			t.Errorf("%v: %v, back %v", l, l.Rate(), back.Rate())
		}
	}
	if l := FromRate(rate.Every(97), 2); l.Count != 1 || l.Per != 97 || l.Burst != 2 {
		t.Errorf("%+v", l)
	}
}

// A waiter that gives up on a key's bucket gives its cost back; the sleepers keep their moments.
func TestKeyedCancelledWaiterGivesItsCostBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := mustKeyed[string](t, Options{}, PerSecond(1).WithBurst(10))
		l := k.Key("a")
		l.Take(10)
		ctx, cancel := context.WithCancel(t.Context())
		came := make(chan time.Duration, 1)
		start := time.Now()
		go func() { _ = l.WaitN(ctx, 5) }()
		synctest.Wait()
		go func() {
			if err := l.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			came <- time.Since(start)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if d := l.Take(1); d.OK || d.RetryAfter != 2*time.Second {
			t.Errorf("%+v: one token is still owed to the sleeper", d)
		}
		if at := <-came; at != 6*time.Second {
			t.Errorf("the sleeper came at %v, want its moment of 6 s", at)
		}
	})
}
