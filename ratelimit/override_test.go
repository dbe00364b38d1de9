package ratelimit

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func TestOverrideGivesOneKeyItsOwnLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := NewKeyed[string]([]Limit{PerHour(10), PerHour(100)}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		handle := k.Key("vip") // a handle stays a handle on the key's bucket
		k.Take("vip", 7)
		k.Take("other", 7)
		if err := k.Override("vip", PerHour(50), PerHour(60)); err != nil {
			t.Fatal(err)
		}
		if d := handle.Peek(0); d.Limit != 50 || d.Remaining != 43 {
			t.Errorf("%+v, want 7 of 50 used", d)
		}
		if d := k.Take("vip", 40); !d.OK {
			t.Errorf("%+v", d)
		}
		if d := k.Take("other", 4); d.OK {
			t.Errorf("%+v", d)
		}
		if d := TakeAll(handle.Claim(3), k.Key("other").Claim(3)); !d.OK || d.Remaining != 0 {
			t.Errorf("%+v", d)
		}
		if k.Len() != 2 {
			t.Errorf("%d in use", k.Len())
		}
		if err := k.SetLimits(PerHour(20), PerHour(100)); err != nil {
			t.Fatal(err)
		}
		if l := handle.Limits(); l[0].Count != 50 {
			t.Errorf("SetLimits changed the overridden key: %v", l)
		}
		if err := k.Override("vip", PerHour(80), PerHour(90)); err != nil {
			t.Fatal(err)
		}
		if d := k.Key("vip").Peek(0); d.Remaining != 30 {
			t.Errorf("second override: %+v", d)
		}
		if err := k.Override("vip"); err != nil {
			t.Fatal(err)
		}
		if d := handle.Peek(1); d.OK || d.Remaining != 0 || d.Limit != 20 {
			t.Errorf("back at the table's limits: %+v, want 20 owed", d)
		}
		<-time.After(3 * time.Minute)
		if d := handle.Take(1); !d.OK {
			t.Errorf("owes more than the burst: %+v", d)
		}
	})
}

func TestOverrideRemoveAndClearFillTheBucket(t *testing.T) {
	k, err := NewKeyed[string]([]Limit{{Per: time.Hour, Burst: 1}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.Override("a", Limit{Per: time.Hour, Burst: 3}), k.Override("absent")); err != nil {
		t.Fatal(err)
	}
	for _, fill := range []func(){func() { k.Remove("a") }, k.Clear, func() { k.Key("a").Clear() }, func() { k.Key("a").Charge(-3) }} {
		if d := k.Take("a", 3); !d.OK {
			t.Errorf("%+v", d)
		}
		if k.Allow("a") {
			t.Error("a fourth token of three")
		}
		fill()
	}
	if n := k.Len(); n != 0 {
		t.Errorf("%d in use", n)
	}
}

func TestOverrideSaysWhatDoesNotFit(t *testing.T) {
	k, err := NewKeyed[string]([]Limit{PerHour(1)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, limits := range [][]Limit{{PerHour(1), PerHour(2)}, {{}}} {
		if err := k.Override("a", limits...); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", limits, err)
		}
	}
}

func TestOverriddenKeyWaitsAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := NewKeyed[string]([]Limit{PerHour(1)}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Override("a", PerSecond(1)); err != nil {
			t.Fatal(err)
		}
		l, start := k.Key("a"), time.Now()
		for range 3 {
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("three waits took %v", d)
		}
		l.Pause(time.Minute)
		if r, ok := l.Reserve(1, time.Hour); !ok || r.Delay() != time.Minute {
			t.Errorf("%v %v", ok, r.Delay())
		}
		if !k.Allow("b") {
			t.Error("the pause reached another key")
		}
	})
}

// TestOverrideUnderFireKeepsCounting: a quota that moves between the table and its own bucket is handed out once, but for
// the calls that are under way at a change.
func TestOverrideUnderFireKeepsCounting(t *testing.T) {
	const burst, workers, changes = 20_000, 4, 200
	quota := Limit{Per: time.Hour, Burst: burst}
	k, err := NewKeyed[int]([]Limit{quota}, Options{Capacity: 8})
	if err != nil {
		t.Fatal(err)
	}
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range 2 * burst / workers {
				if k.Allow(1) {
					admitted.Add(1)
				}
			}
		})
	}
	for range changes {
		if err := errors.Join(k.Override(1, quota), k.Override(1)); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for k.Allow(1) {
		admitted.Add(1)
	}
	if n := admitted.Load(); n < burst || n > burst+2*workers*changes {
		t.Errorf("%d admitted of %d", n, burst)
	}
}

// TestOverrideCostsWhatTheDocumentationSays.
func TestOverrideCostsWhatTheDocumentationSays(t *testing.T) {
	one := unsafe.Sizeof(pool{}) + unsafe.Sizeof(params{}) + unsafe.Sizeof(axis{}) + 8
	if more := unsafe.Sizeof(axis{}) + 8; one > 500 || more > 220 {
		t.Errorf("%d bytes, and %d per further limit", one, more)
	}
	t.Log(one, unsafe.Sizeof(axis{}))
}
