package ratelimit

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// windowModel is the oracle for windows: tokens by window, in a map.
type windowModel struct {
	l    Limit
	used map[int64]int64 // window number since 1970: tokens
}

func (m *windowModel) window(at time.Time) (k, into int64) {
	return at.UnixNano() / int64(m.l.Per), at.UnixNano() % int64(m.l.Per)
}

// settle carries what a window owes beyond its count into the next one, up to at.
func (m *windowModel) settle(at time.Time) {
	now, _ := m.window(at)
	var first int64 = -1
	for k := range m.used {
		if first < 0 || k < first {
			first = k
		}
	}
	for k := first; first >= 0 && k < now; k++ {
		if over := m.used[k] - m.l.Count; over > 0 {
			m.used[k] -= over
			m.used[k+1] += over
		} else if m.used[k+1] == 0 {
			break
		}
	}
	for k := range m.used {
		if k < now-1 {
			delete(m.used, k)
		}
	}
}

// fits reports whether n tokens are there: used + n ≤ Count, times Per to stay in integers.
func (m *windowModel) fits(n int64, at time.Time) bool {
	copied := &windowModel{m.l, map[int64]int64{}}
	maps.Copy(copied.used, m.used)
	copied.settle(at)
	k, into := m.window(at)
	used := copied.used[k] * int64(m.l.Per)
	if m.l.Algorithm == SlidingWindow {
		used += copied.used[k-1] * (int64(m.l.Per) - into)
	}
	return used+n*int64(m.l.Per) <= m.l.Count*int64(m.l.Per)
}

func (m *windowModel) charge(n int64, at time.Time) {
	m.settle(at)
	k, _ := m.window(at)
	if n > 0 {
		m.used[k] = max(m.used[k], min(m.used[k]+n, 2*m.l.Count))
		return
	}
	if m.fits(m.l.Count+n, at) { // no more than that is used
		m.used = map[int64]int64{}
		return
	}
	part := min(-n, m.used[k])
	m.used[k] -= part
	if m.l.Algorithm == SlidingWindow {
		m.used[k-1] -= min(-n-part, m.used[k-1])
	}
}

// most is how many tokens are there.
func (m *windowModel) most(at time.Time) int64 {
	n := int64(0)
	for m.fits(n+1, at) && n < m.l.Count {
		n++
	}
	return n
}

func (m *windowModel) check(d Decision, n int64) error {
	now := time.Now()
	m.settle(now)
	if d.OK != (n == 0 || m.fits(n, now)) {
		return fmt.Errorf("take %d: %+v, used %v", n, d, m.used)
	}
	switch {
	case d.OK:
		m.charge(n, now)
		if want := m.most(now); d.Remaining != want || d.RetryAfter != 0 {
			return fmt.Errorf("take %d: %+v, want %d remaining", n, d, want)
		}
	case n <= m.l.Count:
		if !m.fits(n, now.Add(d.RetryAfter)) || m.fits(n, now.Add(d.RetryAfter-1)) {
			return fmt.Errorf("take %d: RetryAfter %v is not tight, used %v", n, d.RetryAfter, m.used)
		}
	case d.RetryAfter != Never:
		return fmt.Errorf("take %d: RetryAfter %v", n, d.RetryAfter)
	}
	if d.ResetAfter > 0 && m.fits(m.l.Count, now.Add(d.ResetAfter-1)) || !m.fits(m.l.Count, now.Add(d.ResetAfter)) {
		return fmt.Errorf("take %d: ResetAfter %v is not tight, used %v", n, d.ResetAfter, m.used)
	}
	return nil
}

func windowLimiter(t *testing.T, keyed bool, limits ...Limit) Limiter {
	t.Helper()
	if keyed {
		k, err := NewKeyed[string](limits, Options{Capacity: 100})
		if err != nil {
			t.Fatal(err)
		}
		return k.Key("a")
	}
	l, err := New(limits...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWindowsAgreeWithTheCountingModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i, limit := range []Limit{
		{Count: 10, Per: time.Second}, {Count: 1, Per: time.Minute}, {Count: 7, Per: 997 * time.Millisecond}, {Count: 16, Per: 12345},
	} {
		for _, algorithm := range []Algorithm{FixedWindow, SlidingWindow} {
			for _, keyed := range []bool{false, true} {
				limit.Algorithm = algorithm
				t.Run(fmt.Sprintf("%v/keyed=%v", limit, keyed), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(seed, uint64(i)))
					synctest.Test(t, func(t *testing.T) { runWindow(t, rng, limit, windowLimiter(t, keyed, limit)) })
				})
			}
		}
	}
}

func runWindow(t *testing.T, rng *rand.Rand, limit Limit, l Limiter) {
	t.Helper()
	m := &windowModel{limit, map[int64]int64{}}
	for step := range 3000 {
		n := rng.Int64N(limit.Count + 2)
		switch op := rng.IntN(8); op {
		case 0, 1:
			if err := m.check(l.Take(int(n)), n); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		case 2:
			if got, want := l.AllowN(int(n)), n == 0 || m.fits(n, time.Now()); got != want {
				t.Fatalf("step %d: allow %d: %v", step, n, got)
			} else if got {
				m.charge(n, time.Now())
			}
		case 3:
			m.settle(time.Now())
			want := min(n, m.most(time.Now()))
			if got := l.TakeUpTo(int(n)); int64(got) != want {
				t.Fatalf("step %d: take up to %d: %d, want %d", step, n, got, want)
			}
			m.charge(want, time.Now())
		case 4:
			n -= rng.Int64N(limit.Count + 2)
			l.Charge(int(n))
			m.charge(n, time.Now())
		case 5:
			if a, b := l.Peek(int(n)), l.Take(int(n)); a != b {
				t.Fatalf("step %d: peek %+v, take %+v", step, a, b)
			} else if err := m.check(b, n); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		default:
			<-time.After(time.Duration(rng.Int64N(int64(limit.Per)) >> rng.IntN(5)))
		}
	}
}

func TestFixedWindowGivesEverythingBackAtOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(20 * time.Minute) // a bubble begins at a full hour
		l := windowLimiter(t, false, Limit{Count: 2000, Per: time.Hour, Algorithm: FixedWindow})
		<-time.After(10 * time.Minute)
		for i := range 2000 {
			if d := l.Take(1); !d.OK || d.Remaining != int64(1999-i) || d.ResetAfter != 30*time.Minute {
				t.Fatalf("%d: %+v", i, d)
			}
		}
		if d := l.Take(1); d.OK || d.RetryAfter != 30*time.Minute {
			t.Fatalf("%+v", d)
		}
		<-time.After(30*time.Minute - 1)
		if l.Allow() {
			t.Error("a nanosecond early")
		}
		<-time.After(1)
		if d := l.Take(2000); !d.OK {
			t.Errorf("at the edge: %+v", d)
		}
	})
}

func TestSlidingWindowWeighsTheWindowBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := windowLimiter(t, true, Limit{Count: 100, Per: time.Minute, Algorithm: SlidingWindow})
		l.Take(80)
		<-time.After(75 * time.Second) // three quarters of 80 count: 60
		if d := l.Peek(0); d.Remaining != 40 {
			t.Errorf("%+v", d)
		}
		if d := l.Take(41); d.OK || d.RetryAfter != 750*time.Millisecond {
			t.Errorf("%+v, want 750 ms: 80 tokens a minute", d)
		}
	})
}

func TestWaitersOfWindowsComeInOrderAtTheirMoment(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		for _, algorithm := range []Algorithm{FixedWindow, SlidingWindow} {
			synctest.Test(t, func(t *testing.T) {
				l := windowLimiter(t, keyed, Limit{Count: 2, Per: time.Second, Algorithm: algorithm})
				start, came := time.Now(), make([]time.Duration, 5)
				for i := range came {
					go func() {
						if err := l.Wait(t.Context()); err != nil {
							t.Error(err)
						}
						came[i] = time.Since(start)
					}()
					synctest.Wait()
				}
				<-time.After(time.Minute)
				synctest.Wait()
				want := []time.Duration{0, 0, time.Second, time.Second, 2 * time.Second}
				if algorithm == SlidingWindow { // the second window's share: 2 tokens weigh 1 after half of it
					want = []time.Duration{0, 0, 1500 * time.Millisecond, 2 * time.Second, 2500 * time.Millisecond}
				}
				if fmt.Sprint(came) != fmt.Sprint(want) {
					t.Errorf("keyed %v, algorithm %d: %v, want %v", keyed, algorithm, came, want)
				}
			})
		}
	}
}

func TestSetLimitsBetweenAlgorithmsKeepsWhatWasUsed(t *testing.T) {
	limits := []Limit{
		{Count: 100, Per: time.Minute},
		{Count: 100, Per: time.Minute, Algorithm: FixedWindow},
		{Count: 100, Per: time.Minute, Algorithm: SlidingWindow},
	}
	for _, keyed := range []bool{false, true} {
		for _, from := range limits {
			for _, to := range limits {
				synctest.Test(t, func(t *testing.T) {
					l := windowLimiter(t, keyed, from)
					l.Take(30)
					for range 3 {
						if err := l.SetLimits(to); err != nil {
							t.Fatal(err)
						}
					}
					if d := l.Peek(0); d.Remaining != 70 {
						t.Errorf("%v to %v, keyed %v: %+v", from, to, keyed, d)
					}
					<-time.After(2 * time.Minute)
					if d := l.Take(100); !d.OK || d.Remaining != 0 {
						t.Errorf("%v to %v, keyed %v: %+v", from, to, keyed, d)
					}
				})
			}
		}
	}
}

func TestWindowsWithBucketsAreTakenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := windowLimiter(t, true, PerSecond(10), Limit{Count: 15, Per: time.Hour, Algorithm: FixedWindow},
			Limit{Count: 20, Per: time.Hour, Algorithm: SlidingWindow})
		other := windowLimiter(t, false, Limit{Count: 12, Per: time.Hour, Algorithm: SlidingWindow})
		if d := TakeAll(l.Claim(10), other.Claim(10)); !d.OK {
			t.Fatalf("%+v", d)
		}
		<-time.After(time.Second)
		if d := TakeAll(l.Claim(3), other.Claim(3)); d.OK || d.Policy != "12/1h sliding" {
			t.Errorf("%+v", d)
		}
		if d := l.Peek(0); d.Remaining != 5 {
			t.Errorf("not all or none: %+v", d)
		}
		if d := l.Take(6); d.OK || d.Policy != "15/1h fixed" || d.RetryAfter != time.Hour-time.Second {
			t.Errorf("%+v", d)
		}
	})
}

func TestWindowsSayWhatDoesNotFit(t *testing.T) {
	for _, l := range []Limit{
		{Count: 5, Per: time.Second, Burst: 6, Algorithm: FixedWindow},
		{Count: 5, Per: time.Second, Burst: 4, Algorithm: SlidingWindow},
		{Count: 0, Per: time.Second, Burst: 6, Algorithm: FixedWindow},
		{Count: 1 << 20, Per: time.Second, Algorithm: SlidingWindow},
		{Count: 1, Per: time.Second, Algorithm: SlidingWindow + 1},
	} {
		if _, err := New(l); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for per, most := range map[time.Duration]int64{time.Second: 1 << 12, time.Minute: 1 << 15, time.Hour: 1 << 18} {
		l := Limit{Count: most, Per: per, Algorithm: SlidingWindow}
		if _, err := New(l); err != nil || maxSliding(per) != most {
			t.Errorf("%v: %v, at most %d", l, err, maxSliding(per))
		}
	}
	for _, text := range []string{"x=2000/1h fixed", "5/1s sliding"} {
		l, err := ParseLimit(text)
		if err != nil || l.String() != text || l.Algorithm == TokenBucket {
			t.Errorf("%s: %+v %v", text, l, err)
		}
	}
}
