package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

// windows is the model of a window limit: tokens by window number, in a map. Times are microseconds.
type windows struct {
	count, per int64
	sliding    bool
	used       map[int64]int64
}

// settled returns the model at a later time: what a window owes beyond its count is owed in the next one.
func (m windows) settled(at int64) windows {
	out := m
	out.used = map[int64]int64{}
	now, first := at/m.per, at/m.per
	for k, n := range m.used {
		out.used[k] = n
		first = min(first, k)
	}
	for k := first; k < now; k++ {
		if over := out.used[k] - m.count; over > 0 {
			out.used[k] -= over
			out.used[k+1] += over
		} else if k > first+8 && out.used[k+1] == 0 {
			k = max(k, now-2)
		}
	}
	for k := range out.used {
		if k < now-1 {
			delete(out.used, k)
		}
	}
	return out
}

// fits reports whether n tokens are there at a time.
func (m windows) fits(n, at int64) bool {
	s := m.settled(at)
	used := s.used[at/m.per] * m.per
	if m.sliding {
		used += s.used[at/m.per-1] * (m.per - at%m.per)
	}
	return used+n*m.per <= m.count*m.per
}

func (m windows) charged(n, at int64) windows {
	s := m.settled(at)
	k := at / m.per
	switch {
	case n > 0:
		s.used[k] = max(s.used[k], min(s.used[k]+n, 2*m.count))
	case m.fits(m.count+n, at):
		s.used = map[int64]int64{}
	default:
		part := min(-n, s.used[k])
		s.used[k] -= part
		if m.sliding {
			s.used[k-1] -= min(-n-part, s.used[k-1])
		}
	}
	return s
}

func (m windows) String() string { return fmt.Sprint(m.count, "/", m.per, " ", m.used) }

func TestWindowScriptAgreesWithTheCountingModel(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	for i, limit := range []ratelimit.Limit{
		{Count: 10, Per: time.Second, Algorithm: ratelimit.FixedWindow},
		{Count: 10, Per: time.Second, Algorithm: ratelimit.SlidingWindow},
		{Count: 7, Per: 997 * time.Millisecond, Algorithm: ratelimit.SlidingWindow},
		{Count: 1, Per: 3 * time.Second, Algorithm: ratelimit.SlidingWindow},
	} {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 1))
		if err := runWindows(t, c, rng, limit, fmt.Sprint("windows", i, ":")); err != nil {
			t.Errorf("%v, seed %d: %v", limit, seed, err)
		}
	}
}

func runWindows(t *testing.T, c *redis.Client, rng *rand.Rand, limit ratelimit.Limit, prefix string) error {
	t.Helper()
	w := &clockwork{c: c, now: time.Now().UnixMicro()}
	l, err := redislimit.New(w.do, []ratelimit.Limit{limit}, redislimit.Options{Prefix: prefix, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	per := limit.Per.Microseconds()
	m := windows{limit.Count, per, limit.Algorithm == ratelimit.SlidingWindow, map[int64]int64{}}
	for step := range 500 {
		n := rng.Int64N(limit.Count + 2)
		d, err := l.Peek(t.Context(), "k", int(n))
		if err != nil {
			return err
		}
		if want := n == 0 || m.fits(n, w.now); d.OK != want {
			return fmt.Errorf("step %d: peek %d: %+v, want %v; %v", step, n, d, want, m)
		}
		if retry := d.RetryAfter.Microseconds(); !d.OK && n <= limit.Count && (!m.fits(n, w.now+retry) || m.fits(n, w.now+retry-1)) {
			return fmt.Errorf("step %d: peek %d: RetryAfter %v is not tight; %v", step, n, d.RetryAfter, m)
		}
		if d, err = l.Peek(t.Context(), "k", 0); err != nil {
			return err
		}
		left := int64(0)
		for left < limit.Count && m.fits(left+1, w.now) {
			left++
		}
		if reset := d.ResetAfter.Microseconds(); d.Remaining != left || !m.fits(m.count, w.now+reset) || reset > 0 && m.fits(m.count, w.now+reset-1) {
			return fmt.Errorf("step %d: %+v, want %d remaining; %v", step, d, left, m)
		}
		if rng.IntN(3) == 0 {
			n = rng.Int64N(4*limit.Count+1) - 2*limit.Count
		} else {
			n = min(n, left)
		}
		if n != 0 {
			if err := l.Charge(t.Context(), "k", int(n)); err != nil {
				return err
			}
			m = m.charged(n, w.now)
		}
		w.now += rng.Int64N(per) >> rng.IntN(6)
	}
	return nil
}

func TestWindowsTakeOnAServer(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	for _, algorithm := range []ratelimit.Algorithm{ratelimit.FixedWindow, ratelimit.SlidingWindow} {
		limit := ratelimit.Limit{Count: 5, Per: time.Hour, Algorithm: algorithm}
		l := newLimiter(t, c, redislimit.Options{Prefix: strconv.Itoa(int(algorithm))}, limit, ratelimit.PerHour(50))
		for want := int64(4); want >= 0; want-- {
			if d := mustTake(t, l, "k", 1); !d.OK || d.Remaining != want || d.Policy != limit.String() {
				t.Fatalf("%+v", d)
			}
		}
		for range 2 { // the second one is answered by the deny cache
			if d := mustTake(t, l, "k", 1); d.OK || d.RetryAfter <= 0 || d.RetryAfter > 2*time.Hour {
				t.Errorf("%+v", d)
			}
		}
		if ttl, err := c.PTTL(t.Context(), strconv.Itoa(int(algorithm))+"k").Result(); err != nil || ttl <= time.Second || ttl > 2*time.Hour+2*time.Second {
			t.Errorf("time to live %v, %v", ttl, err)
		}
	}
}

// TestChangedAlgorithmKeepsWhatWasUsed: the same key under other limits.
func TestChangedAlgorithmKeepsWhatWasUsed(t *testing.T) {
	c := client(t, servers.Redis(t).Addr)
	limits := []ratelimit.Limit{
		{Count: 100, Per: 24 * time.Hour},
		{Count: 100, Per: 24 * time.Hour, Algorithm: ratelimit.FixedWindow},
		{Count: 100, Per: 24 * time.Hour, Algorithm: ratelimit.SlidingWindow},
		{Count: 100, Per: 48 * time.Hour, Algorithm: ratelimit.SlidingWindow},
	}
	for i, from := range limits {
		for j, to := range limits {
			key := fmt.Sprint(i, j)
			mustTake(t, newLimiter(t, c, redislimit.Options{}, from), key, 30)
			l := newLimiter(t, c, redislimit.Options{}, to)
			if d := mustTake(t, l, key, 1); !d.OK || d.Remaining != 69 && d.Remaining != 70 {
				t.Errorf("%v to %v: %+v", from, to, d)
			}
			if d := mustTake(t, l, key, 71); d.OK {
				t.Errorf("%v to %v: %+v", from, to, d)
			}
		}
	}
}
