package limittest

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// slack is what a backend's clock and round trip may add to or take from a time.
const slack = 50 * time.Millisecond

// maker makes an empty backend with the given limits.
type maker = func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend

// rule is one sentence of the contract with its proof.
type rule struct {
	name  string
	prove func(t *testing.T, newBackend maker)
}

// rules lists the contract.
func rules() []rule {
	return []rule{
		{"AdmitsExactlyTheBurstThenDenies", admitsExactlyTheBurst},
		{"CountsNTokensNotOneCall", countsTokens},
		{"DenialChargesNothing", denialChargesNothing},
		{"ZeroTokensAreFree", zeroIsFree},
		{"NegativeTokensAreDenied", negativeIsDenied},
		{"MoreThanTheBurstIsNever", aboveBurstIsNever},
		{"KeysAreIndependent", keysAreIndependent},
		{"ConcurrentCallsNeverExceedTheBurst", concurrentCalls},
		{"LimitsAreReported", limitsAreReported},
		{"LimitsAreTakenTogetherOrNotAtAll", allLimitsOrNone},
		{"DoneContextDecidesNothing", doneContext},
		{"RetryAfterIsTrue", retryAfterIsTrue},
		{"ResetAfterIsTrue", resetAfterIsTrue},
		{"TokensComeBackOneByOne", tokensComeBack},
	}
}

// Run checks the contract of ratelimit.Backend. newBackend must return an empty backend with the given limits.
func Run(t *testing.T, newBackend func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend) {
	t.Helper()
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.prove(t, newBackend)
		})
	}
}

func take(t *testing.T, b ratelimit.Backend, key string, n int) ratelimit.Decision {
	t.Helper()
	d, err := b.Take(t.Context(), key, n)
	if err != nil {
		t.Fatalf("Take(%q, %d): %v", key, n, err)
	}
	if d.Remaining < 0 {
		t.Errorf("Take(%q, %d): Remaining %d is negative", key, n, d.Remaining)
	}
	if d.OK != (d.RetryAfter == 0) {
		t.Errorf("Take(%q, %d): OK %v with RetryAfter %v", key, n, d.OK, d.RetryAfter)
	}
	return d
}

// slow refills nothing while a test runs.
func slow(n int64) ratelimit.Limit { return ratelimit.Per(n, time.Duration(n)*time.Hour) }

func admitsExactlyTheBurst(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(5))
	for i := range 5 {
		d := take(t, b, "k", 1)
		if !d.OK {
			t.Fatalf("call %d of 5 was denied: %+v", i+1, d)
		}
		if want := int64(4 - i); d.Remaining != want {
			t.Errorf("call %d: Remaining %d, want %d", i+1, d.Remaining, want)
		}
		if d.Limit != 5 {
			t.Errorf("call %d: Limit %d, want 5", i+1, d.Limit)
		}
		if d.Policy != slow(5).String() {
			t.Errorf("call %d: Policy %q, want %q", i+1, d.Policy, slow(5).String())
		}
	}
	if d := take(t, b, "k", 1); d.OK || d.Remaining != 0 {
		t.Errorf("call 6 of 5: %+v", d)
	}
}

func countsTokens(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(10))
	if d := take(t, b, "k", 7); !d.OK || d.Remaining != 3 {
		t.Errorf("7 of 10: %+v", d)
	}
	if d := take(t, b, "k", 4); d.OK || d.Remaining != 3 {
		t.Errorf("4 of 3: %+v", d)
	}
	if d := take(t, b, "k", 3); !d.OK || d.Remaining != 0 {
		t.Errorf("3 of 3: %+v", d)
	}
}

func denialChargesNothing(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(3))
	take(t, b, "k", 1)
	for range 20 {
		if d := take(t, b, "k", 3); d.OK {
			t.Fatalf("3 of 2: %+v", d)
		}
	}
	if d := take(t, b, "k", 2); !d.OK {
		t.Errorf("2 of 2 after denials of 3: %+v", d)
	}
	first := take(t, b, "k", 1)
	for range 20 {
		take(t, b, "k", 1)
	}
	if d := take(t, b, "k", 1); d.RetryAfter > first.RetryAfter {
		t.Errorf("denials moved RetryAfter from %v to %v", first.RetryAfter, d.RetryAfter)
	}
}

func zeroIsFree(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(2))
	for _, left := range []int64{2, 1, 0} {
		for range 3 {
			if d := take(t, b, "k", 0); !d.OK || d.Remaining != left || d.Limit != 2 {
				t.Errorf("0 of %d: %+v", left, d)
			}
		}
		take(t, b, "k", 1)
	}
}

func negativeIsDenied(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(2))
	take(t, b, "k", 2)
	if d := take(t, b, "k", -2); d.OK || d.RetryAfter != ratelimit.Never {
		t.Errorf("-2 tokens: %+v", d)
	}
	if d := take(t, b, "k", 1); d.OK {
		t.Errorf("a negative take gave tokens back: %+v", d)
	}
}

func aboveBurstIsNever(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(2))
	for _, n := range []int{3, 1 << 30, int(^uint(0) >> 1)} {
		if d := take(t, b, "k", n); d.OK || d.RetryAfter != ratelimit.Never {
			t.Errorf("%d of burst 2: %+v", n, d)
		}
	}
	if d := take(t, b, "k", 2); !d.OK {
		t.Errorf("the refused calls charged: %+v", d)
	}
}

func keysAreIndependent(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(1))
	keys := []string{"a", "b", "", "a b", "a\x00b", "ключ", "a:1", "{a}"}
	for _, key := range keys {
		if d := take(t, b, key, 1); !d.OK {
			t.Errorf("key %q met another one: %+v", key, d)
		}
	}
	for _, key := range keys {
		if d := take(t, b, key, 1); d.OK {
			t.Errorf("key %q was forgotten: %+v", key, d)
		}
	}
}

func concurrentCalls(t *testing.T, newBackend maker) {
	t.Helper()
	const burst, callers, calls = 60, 8, 15
	b := newBackend(t, slow(burst))
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				d, err := b.Take(t.Context(), "k", 1)
				if err != nil {
					t.Error(err)
					return
				}
				if d.OK {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != burst {
		t.Errorf("%d of %d admitted", n, burst)
	}
}

func limitsAreReported(t *testing.T, newBackend maker) {
	t.Helper()
	want := []ratelimit.Limit{slow(7), {Name: "second", Count: 3, Per: time.Hour, Burst: 9}}
	if got := newBackend(t, want...).Limits(); !reflect.DeepEqual(got, want) {
		t.Errorf("Limits: %v, want %v", got, want)
	}
}

func allLimitsOrNone(t *testing.T, newBackend maker) {
	t.Helper()
	wide := ratelimit.Limit{Name: "wide", Count: 100, Per: 1000 * time.Hour}
	tight := ratelimit.Limit{Name: "tight", Count: 2, Per: 400 * time.Millisecond}
	b := newBackend(t, wide, tight)
	for range 2 {
		if d := take(t, b, "k", 1); !d.OK || d.Policy != "tight" {
			t.Fatalf("%+v", d)
		}
	}
	for range 10 {
		if d := take(t, b, "k", 2); d.OK || d.Policy != "tight" {
			t.Fatalf("%+v", d)
		}
	}
	<-time.After(400*time.Millisecond + slack)
	if d := take(t, b, "k", 0); !d.OK || d.Remaining != 2 {
		t.Errorf("%+v", d)
	}
	wideOnly := take(t, b, "k", 3)
	if wideOnly.OK || wideOnly.Policy != "tight" {
		t.Errorf("3 of 2: %+v", wideOnly)
	}
	c := newBackend(t, wide, ratelimit.Limit{Name: "once", Count: 1, Per: 200 * time.Millisecond})
	for range 50 {
		take(t, c, "k", 1)
	}
	take(t, c, "k", 1)
	other := newBackend(t, ratelimit.Limit{Name: "few", Count: 3, Per: 3 * time.Hour}, tight)
	take(t, other, "k", 2)
	for range 5 {
		take(t, other, "k", 1)
	}
	<-time.After(200*time.Millisecond + slack)
	if d := take(t, other, "k", 1); !d.OK || d.Remaining != 0 {
		t.Errorf("what one limit refused was charged to the other: %+v", d)
	}
}

func doneContext(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, slow(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := b.Take(ctx, "k", 1); err == nil {
		t.Errorf("a done context got %+v", d)
	}
	if d := take(t, b, "k", 1); !d.OK {
		t.Errorf("a done context charged: %+v", d)
	}
}

func retryAfterIsTrue(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, ratelimit.Per(5, time.Second))
	take(t, b, "k", 5)
	start := time.Now()
	d := take(t, b, "k", 2)
	if d.OK || d.RetryAfter > 400*time.Millisecond || d.RetryAfter < 400*time.Millisecond-time.Since(start)-slack {
		t.Fatalf("2 tokens at 5/s: %+v, want 400ms", d)
	}
	<-time.After(d.RetryAfter / 2)
	if early := take(t, b, "k", 2); early.OK && time.Since(start) < d.RetryAfter-slack {
		t.Errorf("admitted after %v instead of %v", time.Since(start), d.RetryAfter)
	} else if early.OK {
		return // the machine stood still meanwhile
	}
	<-time.After(d.RetryAfter - time.Since(start) + time.Millisecond)
	if late := take(t, b, "k", 2); !late.OK {
		t.Errorf("denied after waiting RetryAfter %v: %+v", d.RetryAfter, late)
	}
}

func resetAfterIsTrue(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, ratelimit.Per(10, time.Second))
	start := time.Now()
	d := take(t, b, "k", 4)
	if d.ResetAfter > 400*time.Millisecond || d.ResetAfter < 400*time.Millisecond-time.Since(start)-slack {
		t.Errorf("4 tokens at 10/s: ResetAfter %v, want 400ms", d.ResetAfter)
	}
	<-time.After(d.ResetAfter + time.Millisecond)
	if d := take(t, b, "k", 0); d.Remaining != 10 || d.ResetAfter != 0 {
		t.Errorf("not whole after ResetAfter: %+v", d)
	}
}

func tokensComeBack(t *testing.T, newBackend maker) {
	t.Helper()
	b := newBackend(t, ratelimit.Per(4, 800*time.Millisecond))
	start := time.Now()
	take(t, b, "k", 4)
	admitted := 0
	for time.Since(start) < 700*time.Millisecond {
		if take(t, b, "k", 1).OK {
			admitted++
		}
		<-time.After(20 * time.Millisecond)
	}
	elapsed := time.Since(start)
	if most := int(elapsed / (200 * time.Millisecond)); admitted > most {
		t.Errorf("%d tokens came back in %v, at most %d may", admitted, elapsed, most)
	}
	if least := int((700*time.Millisecond - slack) / (200 * time.Millisecond)); admitted < least {
		t.Errorf("%d tokens came back in %v, want %d", admitted, elapsed, least)
	}
}
