package ratelimit

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestTakeAllTakesAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		global := mustLimiter(t, Limit{Name: "global", Count: 10, Per: time.Second})
		users := mustKeyed[string](t, Options{Capacity: 10}, Limit{Name: "user", Count: 3, Per: time.Minute}, PerHour(100))
		for i := range 3 {
			if d := TakeAll(global.Claim(1), users.Key("u").Claim(1)); !d.OK || d.Remaining != int64(2-i) || d.Policy != "user" {
				t.Fatalf("%+v", d)
			}
		}
		d := TakeAll(global.Claim(1), users.Key("u").Claim(1))
		if d.OK || d.Policy != "user" || d.RetryAfter != 20*time.Second {
			t.Errorf("%+v", d)
		}
		if left := global.Peek(0).Remaining; left != 7 {
			t.Errorf("the denied call charged the global limit: %d left", left)
		}
		var limited *LimitedError
		if err := d.Err(); !errors.Is(err, ErrLimited) || !errors.As(err, &limited) || limited.Decision != d {
			t.Errorf("%v", err)
		}
	})
}

func TestClaimsOnOneBucketAddUp(t *testing.T) {
	l := mustLimiter(t, quota(5))
	other := mustLimiter(t, quota(50))
	if d := TakeAll(l.Claim(3), other.Claim(1), l.Claim(3)); d.OK || d.RetryAfter != Never {
		t.Errorf("6 of 5: %+v", d)
	}
	if d := TakeAll(l.Claim(2), l.Claim(3), other.Claim(1)); !d.OK || d.Remaining != 0 {
		t.Errorf("5 of 5: %+v", d)
	}
	if d := TakeAll(other.Claim(math.MaxInt), other.Claim(math.MaxInt)); d.OK {
		t.Errorf("the sum overflowed: %+v", d)
	}
	if left := other.Peek(0).Remaining; left != 49 {
		t.Errorf("%d left, want 49", left)
	}
}

func TestTakeAllOfNothingAndOfNonsense(t *testing.T) {
	l := mustLimiter(t, quota(5))
	if d := TakeAll(); !d.OK || d.Err() != nil {
		t.Errorf("no claims: %+v", d)
	}
	if d := TakeAll(l.Claim(1), l.Claim(-1)); d.OK || d.RetryAfter != Never {
		t.Errorf("a negative claim: %+v", d)
	}
	if d := TakeAll(l.Claim(0)); !d.OK || d.Remaining != 5 {
		t.Errorf("claim of 0: %+v", d)
	}
	free := mustLimiter(t, Unlimited())
	if d := TakeAll(free.Claim(7), free.Claim(math.MaxInt)); !d.OK || d.Remaining != math.MaxInt64 {
		t.Errorf("unlimited: %+v", d)
	}
	if d := TakeAll(free.Claim(7), l.Claim(1)); !d.OK || d.Remaining != 4 {
		t.Errorf("unlimited and 5: %+v", d)
	}
}

// TestTakeAllEqualsOneByOne: random claims, against taking each in turn when all would fit.
func TestTakeAllEqualsOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shapes := [][]Limit{{PerSecond(5)}, {PerMinute(60), PerSecond(3)}, {Unlimited()}, {PerSecond(999_983).WithBurst(9)}}
		var ours, ref []Limiter
		for _, s := range shapes {
			ours = append(ours, mustLimiter(t, s...))
			ref = append(ref, mustLimiter(t, s...))
		}
		for range 3000 {
			var claims []Claim
			want := make([]int, len(shapes))
			for range 1 + rand.IntN(4) {
				i, n := rand.IntN(len(shapes)), rand.IntN(4)
				claims = append(claims, ours[i].Claim(n))
				want[i] += n
			}
			fits := true
			for i, n := range want {
				fits = fits && ref[i].Peek(n).OK
			}
			d := TakeAll(claims...)
			if d.OK != fits {
				t.Fatalf("%+v, want %v", d, fits)
			}
			if fits {
				for i, n := range want {
					ref[i].AllowN(n)
				}
			}
			for i := range ref {
				if a, b := ours[i].Peek(0), ref[i].Peek(0); a != b {
					t.Fatalf("bucket %d: %+v, want %+v", i, a, b)
				}
			}
			pause(time.Duration(rand.Int64N(int64(time.Second))))
		}
	})
}
