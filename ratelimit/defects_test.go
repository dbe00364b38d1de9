package ratelimit

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// The tests of this file are named after defects that other limiters had.

// golang/go#56287, #56263: an older reading of the clock was stored as the last one, so that racing callers minted tokens.
func TestOlderClockReadingsMintNothing(t *testing.T) {
	for _, limit := range []Limit{PerSecond(1000).WithBurst(10), PerSecond(999_983).WithBurst(10)} {
		l := mustLimiter(t, limit)
		got := 0
		const end = int64(time.Second)
		for range 200_000 {
			if _, _, v := l.q.charge1(0, 1, rand.Int64N(end)); v == granted {
				got++
			}
		}
		if most := 10 + int(float64(limit.Rate())); got > most {
			t.Errorf("%v admitted %d in a second of shuffled times, at most %d may", limit, got, most)
		}
	}
}

// sethvargo/go-limiter#29: the refill was wrong once tokens exceeded the root of the interval.
// boinkor-net/governor: 3e5/s with burst 100 admitted 99, as one token is not a whole number of nanoseconds.
func TestBurstAndRateAreExactAtAnyRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			limit Limit
			after time.Duration
			more  int
		}{
			{PerSecond(3), time.Second, 3},
			{PerSecond(300_000).WithBurst(100), 100 * time.Microsecond, 30},
			{PerHour(7).WithBurst(2), 3600 * time.Second / 7, 0},
			{PerHour(7).WithBurst(2), 3600*time.Second/7 + 1, 1},
			{PerMinute(1000).WithBurst(5), 60 * time.Millisecond, 1},
			{Per(1, 24*time.Hour), 24*time.Hour - 1, 0},
			{Per(1, 24*time.Hour), 24 * time.Hour, 1},
			{PerSecond(1_000_000_000), 1000, 1000},
			{Per(1, 97), 96, 0},
			{Per(1, 97), 97, 1},
			{PerSecond(10_000_000_000).WithBurst(1000), 7, 70},
		} {
			l := mustLimiter(t, c.limit)
			if got := l.TakeUpTo(math.MaxInt); int64(got) != c.limit.burst() {
				t.Errorf("%v: a burst of %d", c.limit, got)
			}
			pause(c.after)
			if got := l.TakeUpTo(math.MaxInt); got != c.more {
				t.Errorf("%v: %d more after %v, want %d", c.limit, got, c.after, c.more)
			}
		}
	})
}

// AlaskanTuna/Rokabot#149: a bucket of N refilled at N per T admits almost 2N in T. Rolling admits N in any T.
func TestRollingNeverExceedsItsCountInAnyWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, per = 50, time.Minute
		l := mustLimiter(t, Rolling(n, per, 10))
		var at []time.Time
		for range 20_000 {
			if l.AllowN(1) {
				at = append(at, time.Now())
			}
			pause(time.Duration(rand.Int64N(int64(500 * time.Millisecond))))
		}
		for i := n; i < len(at); i++ {
			if window := at[i].Sub(at[i-n]); window < per {
				t.Fatalf("%d admitted within %v", n+1, window)
			}
		}
	})
}

// TestBoundHoldsOverEveryPairOfAdmissions checks admitted ≤ Burst + ⌊rate·T⌋ for every interval.
func TestBoundHoldsOverEveryPairOfAdmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []Limit{PerSecond(10).WithBurst(4), Per(7, 13).WithBurst(5), PerSecond(999_983).WithBurst(3)} {
			l := mustLimiter(t, limit)
			var at []int64
			start := time.Now()
			step := int64(float64(limit.Per) / float64(limit.Count) * 1.3)
			for range 1500 {
				if l.Allow() {
					at = append(at, int64(time.Since(start)))
				}
				pause(time.Duration(rand.Int64N(max(2, step))))
			}
			for i := range at {
				for j := i; j < len(at); j++ {
					made := num(at[j] - at[i])
					made.Mul(made, num(limit.Count)).Quo(made, num(int64(limit.Per)))
					if most := limit.burst() + floor(made).Int64(); int64(j-i+1) > most {
						t.Fatalf("%v: %d admitted within %d ns, at most %d may", limit, j-i+1, at[j]-at[i], most)
					}
				}
			}
		}
	})
}

// upstash/ratelimit-js#156, envoyproxy/ratelimit: a refused request consumed. A denial here changes no word.
func TestDenialLeavesEveryWordAsItWas(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 100}, PerHour(10), Limit{Name: "b", Per: time.Hour, Burst: 7})
	for i := range 50 {
		k.Take(i, i%8)
	}
	before := make([]uint64, len(k.q.words))
	for i := range before {
		before[i] = k.q.words[i].Load()
	}
	for i := range 50 {
		l := k.Key(i)
		l.Take(8)
		l.Take(math.MaxInt)
		l.Take(-1)
		l.Take(0)
		l.Peek(3)
		l.AllowN(9)
		TakeAll(l.Claim(1), l.Claim(7))
	}
	for i := range before {
		if got := k.q.words[i].Load(); got != before[i] {
			t.Fatalf("word %d was %x and is %x", i, before[i], got)
		}
	}
}

// throttled/throttled, go-redis/redis_rate#110, YasserShkeir/django-smart-ratelimit#75: rate zero divided by zero.
// DataDog/draino#15: burst 0 silently denied everything; here it is Count.
func TestZeroRateIsAQuotaAndZeroBurstIsCount(t *testing.T) {
	l := mustLimiter(t, Limit{Per: time.Second, Burst: 2})
	if d := l.Take(2); !d.OK || d.ResetAfter != Never {
		t.Errorf("%+v", d)
	}
	if d := l.Take(1); d.OK || d.RetryAfter != Never || d.ResetAfter != Never {
		t.Errorf("%+v", d)
	}
	if d := mustLimiter(t, PerHour(5)).Take(5); !d.OK || d.Limit != 5 {
		t.Errorf("%+v", d)
	}
}

// golang/go#54541: the errors of Wait could not be told apart. See also TestWaitErrorsChargeNothing.
// didip/tollbooth: eviction refilled an abuser's bucket; see TestFloodNeitherGrowsMemoryNorFreesAnAbuser.
// uber-go/ratelimit#119, #120: unexpected slack after a pause.
func TestPaceHasNoSlackAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, PerSecond(10).WithBurst(1))
		pause(time.Hour)
		var at []time.Time
		for range 20 {
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Now())
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap != 100*time.Millisecond {
				t.Fatalf("gap %d is %v", i, gap)
			}
		}
	})
}

// TestAgreesWithXTimeRate: with times that never go back, x/time/rate is right but within a millionth of a token. Where the
// rate is not exact, two of our units are added: that late a token may be.
func TestAgreesWithXTimeRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []Limit{PerSecond(10), PerSecond(3).WithBurst(7), PerMinute(1000).WithBurst(5), PerSecond(999_983).WithBurst(50)} {
			l := mustLimiter(t, limit)
			x := rate.NewLimiter(limit.Rate(), int(limit.burst()))
			step := int64(float64(limit.Per) / float64(limit.Count) * 3)
			a := &l.q.params.Load().axes[0]
			tolerance := 1e-6 + 2*float64(a.up)/float64(a.token)
			for i := range 20_000 {
				n := rand.IntN(4)
				tokens := x.Tokens()
				d := l.Peek(n)
				if whole := math.Abs(tokens - float64(n)); d.OK != (tokens >= float64(n)) && whole > tolerance && n > 0 {
					t.Fatalf("%v step %d: take %d is %v with %v tokens", limit, i, n, d.OK, tokens)
				}
				if d.OK && x.AllowN(time.Now(), n) {
					l.Take(n)
				}
				pause(time.Duration(rand.Int64N(step)))
			}
		}
	})
}

// TestRetryAfterIsTight: the same call fails just before RetryAfter and succeeds at it.
func TestRetryAfterIsTight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limits := range shapes() {
			for range 50 {
				l := mustLimiter(t, limits...)
				n := 1 + rand.IntN(3)
				for l.TakeUpTo(1+rand.IntN(3)) > 0 && l.Peek(n).OK && limits[0].burst() < 1000 {
					pause(time.Duration(rand.IntN(3)))
				}
				d := l.Peek(n)
				if d.OK || d.RetryAfter == Never || d.RetryAfter < 2 || d.RetryAfter > 1<<55 {
					continue
				}
				pause(d.RetryAfter - 1)
				if early := l.Peek(n); early.OK {
					t.Fatalf("%v: %d tokens 1 ns before %v", limits, n, d.RetryAfter)
				}
				pause(1)
				if late := l.Take(n); !late.OK {
					t.Fatalf("%v: %d tokens denied after %v: %+v", limits, n, d.RetryAfter, late)
				}
			}
		}
	})
}

// TestGivingBackIsTheInverseOfTaking on random states.
func TestGivingBackIsTheInverseOfTaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limits := range shapes() {
			l := mustLimiter(t, limits...)
			l.TakeUpTo(1)
			for range 100 {
				before := l.Peek(0)
				n := 1 + rand.IntN(5)
				if before.ResetAfter == 0 || !l.AllowN(n) {
					l.TakeUpTo(1)
					pause(time.Duration(rand.IntN(100)))
					continue
				}
				l.Charge(-n)
				if after := l.Peek(0); after != before {
					t.Fatalf("%v: %+v, after taking %d and giving back %+v", limits, before, n, after)
				}
			}
		}
	})
}
