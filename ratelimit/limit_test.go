package ratelimit

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestInvalidLimitsNameTheField(t *testing.T) {
	for _, c := range []struct {
		limits []Limit
		text   string
	}{
		{nil, "0 limits"},
		{make([]Limit, 9), "9 limits"},
		{[]Limit{{}}, "zero Limit"},
		{[]Limit{{Count: 1}}, "Limit.Per"},
		{[]Limit{{Count: 1, Per: -1}}, "Limit.Per"},
		{[]Limit{{Count: -1, Per: 1}}, "Limit.Count"},
		{[]Limit{{Count: 1, Per: 1, Burst: -1}}, "Limit.Burst"},
		{[]Limit{{Count: 0, Per: 1}}, "Limit.Count and Limit.Burst"},
		{[]Limit{{Count: 11, Per: 1}}, "1e10"},
		{[]Limit{{Count: math.MaxInt64 - 1, Per: time.Second}}, "Burst"},
		{[]Limit{{Count: 10_000_000_001, Per: time.Second}}, "1e10"},
		{[]Limit{{Count: 1, Per: 1, Burst: 1 << 61}}, "Limit.Burst"},
		{[]Limit{PerSecond(1), PerSecond(1)}, "Limit.Name"},
		{[]Limit{Rolling(10, time.Second, 10)}, "zero Limit"},
		{[]Limit{Rolling(10, time.Second, 0)}, "zero Limit"},
		{[]Limit{FromRate(rate.Limit(math.NaN()), 1)}, "zero Limit"},
		{[]Limit{FromRate(-1, 1)}, "zero Limit"},
		{[]Limit{FromRate(1, -1)}, "zero Limit"},
	} {
		_, err := New(c.limits...)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %v, want ErrInvalid with %q", c.limits, err, c.text)
		}
	}
	for _, capacity := range []int{-1, 1<<28 + 1} {
		if _, err := NewKeyed[int]([]Limit{PerSecond(1)}, Options{Capacity: capacity}); !errors.Is(err, ErrInvalid) {
			t.Errorf("capacity %d: %v", capacity, err)
		}
	}
	l := mustLimiter(t, PerSecond(1))
	if err := l.SetLimits(PerSecond(1), PerHour(1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("another number of limits: %v", err)
	}
	if _, err := New(Per(10, 1), Limit{Count: 1, Per: 1, Burst: 1<<61 - 1}); err != nil {
		t.Errorf("the extremes are valid: %v", err)
	}
}

func TestRatesConvertAndStay(t *testing.T) {
	for _, r := range []rate.Limit{1, 10, 0.5, 1.0 / 3, 1e-9, 2000.0 / 3600, 12345.678, 1e9, 1e10, math.Pi, 1e-6 / 7} {
		l := FromRate(r, 3)
		if err := l.check(); err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		exact := new(big.Rat).Mul(new(big.Rat).SetFrac64(l.Count, int64(l.Per)), new(big.Rat).SetInt64(1e9))
		got, _ := exact.Float64()
		if math.Abs(got/float64(r)-1) > 1e-9 {
			t.Errorf("%v became %v", r, got)
		}
		if again := FromRate(l.Rate(), 3); again.Rate() != l.Rate() {
			t.Errorf("%v: rate %v became %v", l, l.Rate(), again.Rate())
		}
	}
	for _, d := range []time.Duration{1, 97, time.Second, 3 * time.Second, 24 * time.Hour, 1000 * time.Hour} {
		if l := FromRate(rate.Every(d), 1); l.Count != 1 || l.Per != d {
			t.Errorf("Every(%v) became %v", d, l)
		}
	}
	if l := FromRate(rate.Inf, 0); l != Unlimited() || l.Rate() != rate.Inf {
		t.Errorf("Inf became %v", l)
	}
	if l := FromRate(0, 7); l.Count != 0 || l.Burst != 7 || l.Rate() != 0 {
		t.Errorf("0 became %v", l)
	}
}

func TestTextReadsBackAsTheSameLimit(t *testing.T) {
	for text, want := range map[string]Limit{
		"2000/1h":          PerHour(2000),
		"10/s burst 20":    PerSecond(10).WithBurst(20),
		"login=5/1m":       {Name: "login", Count: 5, Per: time.Minute},
		"5/m burst 5":      PerMinute(5),
		"unlimited":        Unlimited(),
		"0/1s burst 3":     {Per: time.Second, Burst: 3},
		"1/1h30m":          Per(1, 90*time.Minute),
		"a b / c=7/250ms":  {Name: "a b / c", Count: 7, Per: 250 * time.Millisecond},
		"unlimited=1/10m":  {Name: "unlimited", Count: 1, Per: 10 * time.Minute},
		"x=unlimited":      {Name: "x", Count: math.MaxInt64, Per: time.Second},
		"1/20h burst 9999": Per(1, 20*time.Hour).WithBurst(9999),
	} {
		got, err := ParseLimit(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if back, err := ParseLimit(want.String()); err != nil || back != got {
			t.Errorf("%q: %+v, %v", want.String(), back, err)
		}
	}
	for _, text := range []string{
		"", "5", "5/", "/s", "-5/s", "+5/s", "5/-1s", "5/+1s", "5/0s", "5/s ", " 5/s", "5/s burst", "5/s burst ",
		"5/s burst -1", "5/s burst 0", "5/s burst 1 x", "5/s/s", "99999999999999999999/s", "9223372036854775807/s", "=5/s",
		"5/d", "1e3/s", "unlimitedx", "5/s burst 3 burst 3", "\x00", "5/s\n", "20/1ns", "x=y=5/s",
	} {
		if l, err := ParseLimit(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %+v, %v", text, l, err)
		}
	}
	var decoded struct{ Limit Limit }
	if err := json.Unmarshal([]byte(`{"Limit":"10/s burst 20"}`), &decoded); err != nil || decoded.Limit.Burst != 20 {
		t.Errorf("JSON: %+v, %v", decoded, err)
	}
	if out, err := json.Marshal(decoded); err != nil || string(out) != `{"Limit":"10/1s burst 20"}` {
		t.Errorf("JSON: %s, %v", out, err)
	}
	if _, err := json.Marshal(Limit{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("the zero limit marshals: %v", err)
	}
}

func TestRandomLimitsReadBack(t *testing.T) {
	for range 5000 {
		l := Limit{Count: rand.Int64N(1 << rand.IntN(40)), Per: time.Duration(1 + rand.Int64N(1<<rand.IntN(62)))}
		if rand.IntN(2) == 0 {
			l.Burst = 1 + rand.Int64N(1<<rand.IntN(61))
		}
		if rand.IntN(3) == 0 {
			l.Name = "name with / burst 3"
		}
		if l.check() != nil {
			continue
		}
		want := l
		if want.Burst == want.Count {
			want.Burst = 0
		}
		if got, err := ParseLimit(l.String()); err != nil || got != want {
			t.Fatalf("%+v as %q: %+v, %v", l, l, got, err)
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"2000/1h", "10/s burst 20", "login=5/1m", "unlimited", "=", "1/1h0m0s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLimit(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if err := l.check(); err != nil {
			t.Fatalf("%q gave an invalid limit: %v", s, err)
		}
		if back, err := ParseLimit(l.String()); err != nil || back != l {
			t.Fatalf("%q: %+v reads back as %+v, %v", s, l, back, err)
		}
	})
}

// TestClockNeverRunsAheadOfTheRate compares v with exact arithmetic at random times, for random limits.
func TestClockNeverRunsAheadOfTheRate(t *testing.T) {
	for range 20000 {
		l := Limit{
			Count: 1 + rand.Int64N(1<<rand.IntN(34)), Per: time.Duration(1 + rand.Int64N(1<<rand.IntN(52))),
			Burst: 1 + rand.Int64N(1<<rand.IntN(61)),
		}
		if l.check() != nil {
			continue
		}
		a := newAxis(l, 0, 0, time.Now().UnixNano())
		e := rand.Int64N(1 << (20 + rand.IntN(36)))
		want := new(big.Rat).SetFrac64(l.Count, int64(l.Per))
		want.Mul(want, num(e)).Mul(want, new(big.Rat).SetInt(new(big.Int).SetUint64(a.token)))
		v := new(big.Rat).SetInt(new(big.Int).SetUint64(a.at(e) - a.base))
		if behind := new(big.Rat).Sub(want, v); behind.Sign() < 0 || behind.Cmp(new(big.Rat).SetFrac64(11, 10)) > 0 {
			t.Fatalf("%+v at %d: v behind by %v units", l, e, behind.FloatString(6))
		}
		if a.c != 0 && want.Cmp(v) != 0 {
			t.Fatalf("%+v at %d: not exact", l, e)
		}
		if at := a.when(a.at(e)); at > e || a.at(at) < a.at(e) || at > 0 && a.at(at-1) >= a.at(e) {
			t.Fatalf("%+v: when(at(%d)) = %d", l, e, at)
		}
	}
}
