package ratelimit

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxLimits = 8              // limits of one bucket; a Decision looks at each of them
	maxBurst  = int64(1) << 61 // exclusive; a state word holds twice the burst and the clock beside it
	maxPerNs  = 10             // tokens per nanosecond, that is 1e10 per second
)

// Limit is Count tokens per Per, holding at most Burst. The zero Limit is invalid, so that a forgotten setting neither
// blocks nor opens anything.
type Limit struct {
	// Name is the policy name in decisions and headers; "" means the limit's own text, such as "2000/1h".
	Name string
	// Count is the number of tokens per Per, at most 1e10 per second. 0: never refilled, a quota of Burst tokens.
	// math.MaxInt64: unlimited.
	Count int64
	// Per is the time in which Count tokens come back, evenly spread. It must be positive.
	Per time.Duration
	// Burst is how many tokens the bucket holds, below 1<<61. 0: Count. A window holds its Count, nothing else.
	Burst int64
	// Algorithm is how tokens come back. Zero: TokenBucket, evenly.
	Algorithm Algorithm
}

// Per returns the limit of n tokens per d, with a burst of n.
func Per(n int64, d time.Duration) Limit { return Limit{Count: n, Per: d} }

// PerSecond returns the limit of n tokens per second, with a burst of n.
func PerSecond(n int64) Limit { return Per(n, time.Second) }

// PerMinute returns the limit of n tokens per minute, with a burst of n.
func PerMinute(n int64) Limit { return Per(n, time.Minute) }

// PerHour returns the limit of n tokens per hour, with a burst of n.
func PerHour(n int64) Limit { return Per(n, time.Hour) }

// Rolling returns a limit that admits at most n in any interval of length per, wherever it starts: n-burst tokens per
// per and a burst of burst, since a bucket admits at most Burst + Count in an interval of Per. It needs 0 < burst < n;
// otherwise it returns the zero Limit, which New rejects.
func Rolling(n int64, per time.Duration, burst int64) Limit {
	if burst <= 0 || burst >= n {
		return Limit{}
	}
	return Limit{Count: n - burst, Per: per, Burst: burst}
}

// Unlimited returns the limit that never denies, charges nothing, and is not the binding limit unless it stands alone.
func Unlimited() Limit { return Limit{Count: math.MaxInt64, Per: time.Second} }

// FromRate converts the limit and burst of golang.org/x/time/rate. rate.Inf gives Unlimited, 0 a quota of burst,
// rate.Every(d) exactly one per d; any other rate is met within 1e-9. A rate below one in 292 years counts as 0.
// NaN, a negative rate or burst, and a burst of 0 (which would deny everything) give the zero Limit, which New rejects.
func FromRate(r rate.Limit, burst int) Limit {
	switch {
	case r == rate.Inf || math.IsInf(float64(r), 1):
		return Unlimited()
	case math.IsNaN(float64(r)) || r < 0 || burst <= 0:
		return Limit{}
	}
	count, per := simplest(float64(r))
	return Limit{Count: count, Per: per, Burst: int64(burst)}
}

// simplest returns the fraction with the smallest terms, in tokens per nanoseconds, within the precision of a float64
// of r tokens per second: a convergent of its continued fraction.
func simplest(r float64) (count int64, per time.Duration) {
	quota := func() (int64, time.Duration) { return 0, time.Second }
	if r == 0 {
		return quota()
	}
	if per := math.Round(1e9 / r); per >= 1 && per < 1<<62 && 1/(per/1e9) == r {
		return 1, time.Duration(per) // rate.Every
	}
	if r > 1e18 {
		return math.MaxInt64 - 1, 1 // far above the highest rate: New will name the field
	}
	x := new(big.Rat)
	x.SetFloat64(r)
	x.Quo(x, new(big.Rat).SetInt64(1e9))
	tolerance := new(big.Rat).Mul(x, new(big.Rat).SetFloat64(0x1p-54)) // rounds to the same float64
	p0, q0, p1, q1 := big.NewInt(0), big.NewInt(1), big.NewInt(1), big.NewInt(0)
	num, den := new(big.Int).Set(x.Num()), new(big.Int).Set(x.Denom())
	for den.Sign() > 0 {
		a, rest := new(big.Int).QuoRem(num, den, new(big.Int))
		p0, p1 = p1, new(big.Int).Add(new(big.Int).Mul(a, p1), p0)
		q0, q1 = q1, new(big.Int).Add(new(big.Int).Mul(a, q1), q0)
		if !p1.IsInt64() || !q1.IsInt64() {
			break
		}
		if p1.Sign() > 0 {
			count, per = p1.Int64(), time.Duration(q1.Int64())
			diff := new(big.Rat).SetFrac(p1, q1)
			if diff.Sub(diff, x).Abs(diff).Cmp(tolerance) <= 0 {
				break
			}
		}
		num, den = den, rest
	}
	if per == 0 {
		return quota()
	}
	return count, per
}

// WithBurst returns l with another burst.
func (l Limit) WithBurst(burst int64) Limit {
	l.Burst = burst
	return l
}

// Rate returns the refill rate as golang.org/x/time/rate counts it, in tokens per second; rate.Inf for Unlimited, 0 for
// a quota and for an invalid limit.
func (l Limit) Rate() rate.Limit {
	if l.unlimited() {
		return rate.Inf
	}
	if l.Per <= 0 || l.Count <= 0 {
		return 0
	}
	if l.Count == 1 {
		return rate.Every(l.Per)
	}
	perSecond := new(big.Rat).SetFrac64(l.Count, int64(l.Per))
	r, _ := perSecond.Mul(perSecond, new(big.Rat).SetInt64(1e9)).Float64()
	return rate.Limit(r)
}

func (l Limit) unlimited() bool { return l.Count == math.MaxInt64 }

// burst is the number of tokens the bucket holds.
func (l Limit) burst() int64 {
	if l.Burst == 0 || l.unlimited() {
		return l.Count
	}
	return l.Burst
}

// policy is the name under which decisions report l.
func (l Limit) policy() string {
	if l.Name != "" {
		return l.Name
	}
	return l.String()
}

// check returns an ErrInvalid that names the first field out of range.
func (l Limit) check() error {
	switch {
	case l == Limit{}:
		return fmt.Errorf("%w: the zero Limit", ErrInvalid)
	case l.Per <= 0:
		return fmt.Errorf("%w: Limit.Per %v, must be positive", ErrInvalid, l.Per)
	case l.Count < 0:
		return fmt.Errorf("%w: Limit.Count %d, must not be negative", ErrInvalid, l.Count)
	case l.Burst < 0:
		return fmt.Errorf("%w: Limit.Burst %d, must not be negative", ErrInvalid, l.Burst)
	case l.unlimited():
		if l.Algorithm != TokenBucket {
			return fmt.Errorf("%w: Limit.Algorithm %d of an unlimited Limit, must be TokenBucket", ErrInvalid, l.Algorithm)
		}
		return nil
	case l.Count == 0 && l.Burst == 0:
		return fmt.Errorf("%w: Limit.Count and Limit.Burst are both 0, which would admit nothing", ErrInvalid)
	case l.burst() >= maxBurst:
		return fmt.Errorf("%w: Limit.Burst %d, must be below 1<<61", ErrInvalid, l.burst())
	}
	hi, lo := bits.Mul64(uint64(l.Per), maxPerNs)
	if hi == 0 && uint64(l.Count) > lo {
		return fmt.Errorf("%w: Limit.Count %d per %v, must be at most 1e10 per second", ErrInvalid, l.Count, l.Per)
	}
	return l.checkWindow()
}

// checkWindow checks what windows ask for beyond a bucket.
func (l Limit) checkWindow() error {
	most := maxWindow
	switch l.Algorithm {
	case TokenBucket:
		return nil
	case FixedWindow:
	case SlidingWindow:
		most = maxSliding(l.Per)
	default:
		return fmt.Errorf("%w: Limit.Algorithm %d, must be at most %d", ErrInvalid, l.Algorithm, SlidingWindow)
	}
	if l.Count == 0 || l.Count > most {
		return fmt.Errorf("%w: Limit.Count %d of a window of %v, must be 1 to %d", ErrInvalid, l.Count, l.Per, most)
	}
	if l.burst() != l.Count {
		return fmt.Errorf("%w: Limit.Burst %d of a window, must be its Count %d or 0", ErrInvalid, l.Burst, l.Count)
	}
	return nil
}

// checkLimits checks a bucket's limits one by one and together.
func checkLimits(limits []Limit) error {
	if len(limits) == 0 || len(limits) > maxLimits {
		return fmt.Errorf("%w: %d limits, must be 1 to %d", ErrInvalid, len(limits), maxLimits)
	}
	for i, l := range limits {
		if err := l.check(); err != nil {
			return err
		}
		for _, other := range limits[:i] {
			if l.policy() == other.policy() {
				return fmt.Errorf("%w: Limit.Name: two limits are named %q", ErrInvalid, l.policy())
			}
		}
	}
	return nil
}
