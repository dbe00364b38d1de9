package redislimit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/limittest"
)

func quota(n int64) ratelimit.Limit { return ratelimit.Limit{Per: time.Hour, Burst: n} }

func TestContractOverTheModelServer(t *testing.T) {
	for _, lease := range []int{0, 8} {
		t.Run(fmt.Sprint("lease=", lease), func(t *testing.T) {
			limittest.Run(t, func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
				t.Helper()
				return mustNew(t, newServer(), Options{Timeout: time.Second, LeaseMax: lease}, limits...)
			})
		})
	}
}

func TestNewRejectsWhatDoesNotFit(t *testing.T) {
	s := newServer()
	for name, c := range map[string]struct {
		limits []ratelimit.Limit
		o      Options
		text   string
	}{
		"no limit":      {nil, Options{}, "limits"},
		"nanoseconds":   {[]ratelimit.Limit{ratelimit.Per(1, 1500)}, Options{}, "coarser Per"},
		"huge burst":    {[]ratelimit.Limit{ratelimit.Per(1, 24*time.Hour).WithBurst(1 << 40)}, Options{}, "2^53"},
		"timeout":       {[]ratelimit.Limit{quota(1)}, Options{Timeout: -1}, "Timeout"},
		"lease max":     {[]ratelimit.Limit{quota(1)}, Options{LeaseMax: -1}, "LeaseMax"},
		"lease max big": {[]ratelimit.Limit{quota(1)}, Options{LeaseMax: 1<<30 + 1}, "LeaseMax"},
		"lease ttl":     {[]ratelimit.Limit{quota(1)}, Options{LeaseTTL: -1}, "LeaseTTL"},
	} {
		if _, err := New(s.do, c.limits, c.o); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New[reply](nil, []ratelimit.Limit{quota(1)}, Options{}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestUnlimitedNeedsNoRedis(t *testing.T) {
	s := newServer()
	l := mustNew(t, s, Options{}, ratelimit.Unlimited())
	if d, err := l.Take(t.Context(), "k", 1<<30); err != nil || !d.OK || s.calls != 0 {
		t.Errorf("%+v, %v, %d calls", d, err, s.calls)
	}
}

func TestMissingScriptIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		l := mustNew(t, s, Options{}, quota(10))
		for range 5 {
			if _, err := l.Take(t.Context(), "k", 1); err != nil {
				t.Fatal(err)
			}
		}
		if s.calls != 6 || l.Stats().Calls != 6 || l.Stats().Errors != 0 {
			t.Errorf("%d calls, %+v", s.calls, l.Stats())
		}
	})
}

func TestConcurrentCallsTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded, s.latency = true, 10*time.Millisecond
		l := mustNew(t, s, Options{Timeout: time.Second}, quota(50))
		var ok atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				d, err := l.Take(t.Context(), "k", 1)
				if err != nil {
					t.Error(err)
				}
				if d.OK {
					ok.Add(1)
				}
			})
		}
		wg.Wait()
		if ok.Load() != 50 || s.calls > 3 {
			t.Errorf("%d admitted in %d calls", ok.Load(), s.calls)
		}
	})
}

func TestDenialsAreAnsweredLocallyAndSoundly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded = true
		l := mustNew(t, s, Options{}, ratelimit.Per(10, time.Second))
		take := func(n int) ratelimit.Decision {
			d, err := l.Take(t.Context(), "k", n)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		take(10)
		first := take(3)
		calls := s.calls
		if d := take(3); d != first || s.calls != calls {
			t.Errorf("%+v, then %+v with %d more calls", first, d, s.calls-calls)
		}
		if d := take(4); d.OK || d.RetryAfter != 400*time.Millisecond || s.calls != calls {
			t.Errorf("a higher cost: %+v", d)
		}
		if d := take(11); d.RetryAfter != ratelimit.Never {
			t.Errorf("above the burst: %+v", d)
		}
		if d := take(1); d.OK || s.calls == calls {
			t.Errorf("a lower cost was not asked for: %+v", d)
		}
		<-time.After(100 * time.Millisecond)
		if d := take(1); !d.OK {
			t.Errorf("the denial outlived its end: %+v", d)
		}
		take(5)
		if err := l.Charge(t.Context(), "k", -5); err != nil {
			t.Fatal(err)
		}
		if d := take(5); !d.OK {
			t.Errorf("after giving back: %+v", d)
		}
		take(5)
		if err := l.Remove(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		if d := take(10); !d.OK {
			t.Errorf("after Remove: %+v", d)
		}
		if l.Stats().DeniedLocally == 0 {
			t.Error("no denial was counted")
		}
	})
}

func TestDenyCacheSeesOtherNodesAfterASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		a, b := mustNew(t, s, Options{}, quota(1)), mustNew(t, s, Options{}, quota(1))
		ctx := t.Context()
		_, _ = a.Take(ctx, "k", 1)
		if d, _ := a.Take(ctx, "k", 1); d.OK {
			t.Fatal(d)
		}
		if err := b.Remove(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if d, err := a.Take(ctx, "k", 1); err != nil || !d.OK {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestDenyCacheIsBounded(t *testing.T) {
	s := &shard{denials: map[uint64]denial{}}
	now := time.Now()
	for i := range 3 * denyMax {
		s.deny(uint64(i), 1, now, time.Hour, &result{})
	}
	if len(s.denials) > denyMax {
		t.Errorf("%d entries", len(s.denials))
	}
}

func TestMalformedRepliesAreErrorsNeverAllowed(t *testing.T) {
	at := int64(1_700_000_000_000_000)
	for name, v := range map[string]any{
		"nil": nil, "string": "OK", "short": []any{at, int64(1)}, "long": []any{at, int64(1), int64(1), int64(1)},
		"float": []any{at, 1.5, int64(1)}, "text": []any{at, "one", int64(1)}, "fraction": []any{at, "1.0", "1"},
		"negative": []any{at, int64(1), int64(-5)}, "nested": []any{at, []any{}, int64(1)}, "bool": []any{at, true, int64(1)},
		"huge": []any{at, int64(1), int64(1 << 60)}, "empty": []any{}, "no time": []any{"", int64(1), int64(1)},
		"time": []any{int64(-1), int64(1), int64(1)},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer()
			s.before = func(context.Context, []any) (any, error, bool) { return v, nil, true }
			l := mustNew(t, s, Options{}, quota(5))
			if d, err := l.Take(t.Context(), "k", 1); !errors.Is(err, ErrReply) || d.OK {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		})
	}
	got, err := mustNew(t, newServer(), Options{}, quota(5)).decode(nil, []any{at, "3", []byte("7")}, 1)
	if err != nil || got[0].granted != 3 || got[0].used[0] != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("1", int64(2), true)
	l := mustNew(f, newServer(), Options{}, quota(5))
	f.Fuzz(func(t *testing.T, text string, n int64, asBytes bool) {
		var v any = text
		if asBytes {
			v = []byte(text)
		}
		got, err := l.decode(nil, []any{int64(1), v, n}, 1)
		if err != nil && !errors.Is(err, ErrReply) {
			t.Fatal(err)
		}
		if err == nil && (n < 0 || int64(got[0].used[0]) != n) {
			t.Fatalf("%+v from %q, %d", got, text, n)
		}
	})
}

func TestTimeoutHoldsWhateverTheClientDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		hang := make(chan struct{})
		s.before = func(context.Context, []any) (any, error, bool) {
			<-hang // a client that ignores its context
			return nil, errors.New("connection lost"), true
		}
		l := mustNew(t, s, Options{Timeout: 50 * time.Millisecond}, quota(5))
		for range 20 {
			start := time.Now()
			_, err := l.Take(t.Context(), "k", 1)
			if !errors.Is(err, ErrUnavailable) || time.Since(start) > 50*time.Millisecond {
				t.Fatalf("%v after %v", err, time.Since(start))
			}
		}
		if !l.Stats().BreakerOpen {
			t.Error("the breaker is closed")
		}
		close(hang)
	})
}

// A call that the client never returns from does not hold up the key for ever.
func TestHungCallIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded = true
		hang, calls := make(chan struct{}), atomic.Int32{}
		s.before = func(context.Context, []any) (any, error, bool) {
			if calls.Add(1) == 1 {
				<-hang
				return nil, errors.New("connection lost"), true
			}
			return nil, nil, false
		}
		l := mustNew(t, s, Options{Timeout: 50 * time.Millisecond}, quota(5))
		if _, err := l.Take(t.Context(), "k", 1); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		<-time.After(60 * time.Millisecond)
		if d, err := l.Take(t.Context(), "k", 1); err != nil || d.Remaining != 4 {
			t.Errorf("%+v, %v", d, err)
		}
		close(hang)
		synctest.Wait()
		if l.lines() > 0 {
			t.Error("a line is left in memory")
		}
	})
}

// lines counts the keys that this node knows of.
func (l *Limiter) lines() int {
	n := 0
	for i := range l.shards {
		n += len(l.shards[i].lines)
	}
	return n
}

// The context of a call ends when nobody waits for it any more, so that a client that honours it lets go.
func TestCallEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		ended := make(chan error, 1)
		s.before = func(ctx context.Context, _ []any) (any, error, bool) {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 50*time.Millisecond {
				t.Errorf("deadline in %v", time.Until(deadline))
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err(), true
		}
		l := mustNew(t, s, Options{Timeout: 50 * time.Millisecond}, quota(5))
		start := time.Now()
		if _, err := l.Take(t.Context(), "k", 1); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if late := time.Since(start); late < 40*time.Millisecond {
			t.Errorf("gave up after %v of 50 ms", late)
		}
	})
}

func TestBreakerOpensAndProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		down := atomic.Bool{}
		down.Store(true)
		cause := errors.New("connection refused")
		s.before = func(context.Context, []any) (any, error, bool) { return nil, cause, down.Load() }
		l := mustNew(t, s, Options{}, quota(1000))
		take := func() error {
			_, err := l.Take(t.Context(), "k", 1)
			return err
		}
		for i := range threshold {
			if err := take(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, cause) || s.calls != i+1 {
				t.Fatalf("call %d: %v, %d sent", i, err, s.calls)
			}
		}
		if err := take(); !errors.Is(err, ErrUnavailable) || s.calls != threshold {
			t.Fatalf("with the breaker open: %v, %d sent", err, s.calls)
		}
		<-time.After(minOpen + minOpen/10 + 1)
		for range 3 {
			_ = take()
		}
		if s.calls != threshold+1 {
			t.Errorf("%d probes, want 1", s.calls-threshold)
		}
		<-time.After(minOpen + minOpen/2)
		if _ = take(); s.calls != threshold+1 {
			t.Error("the second pause is not longer than the first")
		}
		down.Store(false)
		<-time.After(minOpen)
		if err := take(); err != nil || l.Stats().BreakerOpen {
			t.Errorf("did not recover: %v", err)
		}
		if err := take(); err != nil {
			t.Error(err)
		}
	})
}

func TestFallbackAnswersWhileRedisFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.before = func(context.Context, []any) (any, error, bool) { return nil, errors.New("down"), true }
		k, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{quota(2)}, ratelimit.Options{Capacity: 10})
		if err != nil {
			t.Fatal(err)
		}
		l := mustNew(t, s, Options{Fallback: ratelimit.Local(k)}, quota(8))
		for i := range 12 {
			if d, err := l.Take(t.Context(), "k", 1); err != nil || d.OK != (i < 2) {
				t.Errorf("call %d: %+v, %v", i, d, err)
			}
		}
		if n := l.Stats().Fallbacks; n != 12 {
			t.Errorf("%d fallbacks", n)
		}
	})
}

// ever-co/ever-gauzy#10194: a reply that is lost after the server has charged must not be charged again.
func TestLostReplyChargesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded = true
		s.after = func(any) (any, error) { return nil, errors.New("i/o timeout") }
		l := mustNew(t, s, Options{}, quota(100))
		for range 3 {
			if _, err := l.Take(t.Context(), "k", 5); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if got := s.used("rl:k", 1); got != "15" || s.calls != 3 {
			t.Errorf("%s used in %d calls, want 15 in 3", got, s.calls)
		}
	})
}

func TestCallerThatLeavesGetsItsChargeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded, s.latency = true, 50*time.Millisecond
		l := mustNew(t, s, Options{Timeout: time.Second}, quota(100))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 { // the first is sent, the others queue
			wg.Go(func() {
				if _, err := l.Take(ctx, "k", 7); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		<-time.After(200 * time.Millisecond)
		if got := s.used("rl:k", 1); got != "0" {
			t.Errorf("%s used", got)
		}
		if st := l.Stats(); st.Errors != 0 || st.BreakerOpen {
			t.Errorf("a caller's own context counted as a failure: %+v", st)
		}
	})
}

func TestLeasesSaveCallsWithinTheirBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded = true
		const burst, nodes, lease = 10_000, 5, 100
		var all []*Limiter
		for range nodes {
			all = append(all, mustNew(t, s, Options{LeaseMax: lease}, quota(burst)))
		}
		admitted := 0
		for i := range 3 * burst {
			d, err := all[i%nodes].Take(t.Context(), "k", 1)
			if err != nil {
				t.Fatal(err)
			}
			if d.OK {
				admitted++
			}
		}
		if admitted > burst || admitted < burst-nodes*lease {
			t.Errorf("%d of %d admitted", admitted, burst)
		}
		if s.calls > burst/20 {
			t.Errorf("%d calls for %d decisions", s.calls, 3*burst)
		}
		for _, l := range all {
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := l.Take(t.Context(), "k", 1); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}
		if got := s.used("rl:k", 1); got != strconv.Itoa(admitted) {
			t.Errorf("%s used after Close, %d admitted", got, admitted)
		}
	})
}

func TestLapsedLeasesOfSilentKeysGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.loaded = true
		l := mustNew(t, s, Options{LeaseMax: 50}, quota(10_000))
		for i := range 200 {
			for range 20 {
				if _, err := l.Take(t.Context(), fmt.Sprint("silent", i), 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		<-time.After(2 * time.Second)
		for range 64 * 30 {
			if _, err := l.Take(t.Context(), "other", 1); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i := range 200 {
			if got := s.used(fmt.Sprint("rl:silent", i), 1); got != "20" {
				t.Fatalf("key %d: %s used, want 20", i, got)
			}
		}
		lines := 0
		for i := range l.shards {
			lines += len(l.shards[i].lines)
		}
		if lines > 1 {
			t.Errorf("%d lines left in memory", lines)
		}
	})
}

func TestCorrectionsGoThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		l := mustNew(t, s, Options{}, quota(10))
		ctx := t.Context()
		if err := l.Charge(ctx, "k", 25); err != nil {
			t.Fatal(err)
		}
		if err := l.Charge(ctx, "k", -13); err != nil {
			t.Fatal(err)
		}
		d, err := l.Peek(ctx, "k", 3)
		if err != nil || !d.OK || d.Remaining != 0 {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := l.Peek(ctx, "k", 4); err != nil || d.OK || d.Remaining != 3 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}
