package ratelimit

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// model is the oracle: rational tokens, one loop per limit, nothing clever.
type model struct {
	limits []Limit
	used   []*big.Rat // tokens
	last   time.Time
	eps    []*big.Rat // by how much the implementation may know of more tokens used: a few of its units
	slack  []*big.Rat // what changes of limits rounded up so far
}

func newModel(limits []Limit) *model {
	m := &model{limits: limits, last: time.Now()}
	for range limits {
		m.used = append(m.used, new(big.Rat))
		m.slack = append(m.slack, new(big.Rat))
	}
	m.measure(0)
	return m
}

// measure takes the size of a unit from the axis; where that is exact and no limits changed, no tolerance is left.
func (m *model) measure(rounded int64) {
	old := m.eps
	m.eps = nil
	for i, l := range m.limits {
		a := newAxis(l, 0, 0, time.Now().UnixNano())
		if a.token == 0 {
			m.slack[i] = new(big.Rat)
			m.eps = append(m.eps, m.slack[i])
			continue
		}
		unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).SetUint64(a.token))
		if rounded > 0 {
			m.slack[i].Add(old[i], new(big.Rat).Mul(unit, num(rounded)))
		}
		e := new(big.Rat).Set(m.slack[i])
		if a.up > 0 {
			e.Add(e, unit).Add(e, unit)
		}
		m.eps = append(m.eps, e)
	}
}

func num(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func (m *model) rate(i int) *big.Rat {
	return new(big.Rat).SetFrac64(m.limits[i].Count, int64(m.limits[i].Per))
}

func (m *model) advance() {
	now := time.Now()
	dt := num(int64(now.Sub(m.last)))
	m.last = now
	for i := range m.used {
		m.used[i].Sub(m.used[i], new(big.Rat).Mul(dt, m.rate(i)))
		if m.used[i].Sign() < 0 || m.limits[i].unlimited() {
			m.used[i].SetInt64(0)
		}
	}
}

// fits with slack: as if the slack were used up too.
func (m *model) fits(n int64, slack bool) bool {
	if n <= 0 {
		return n == 0
	}
	for i, l := range m.limits {
		if l.unlimited() {
			continue
		}
		need := new(big.Rat).Add(m.used[i], num(n))
		if slack {
			need.Add(need, m.eps[i])
		}
		if need.Cmp(num(l.burst())) > 0 {
			return false
		}
	}
	return true
}

func (m *model) charge(n int64) {
	for i, l := range m.limits {
		to := new(big.Rat).Add(m.used[i], num(n))
		if deepest := num(2 * l.burst()); to.Cmp(deepest) > 0 {
			if m.used[i].Cmp(deepest) > 0 {
				to = m.used[i]
			} else {
				to = deepest
			}
		}
		if to.Sign() < 0 || l.unlimited() {
			to = new(big.Rat)
		}
		m.used[i] = to
	}
}

func floor(r *big.Rat) *big.Int { // of r ≥ 0
	return new(big.Int).Quo(r.Num(), r.Denom())
}

func ceil(r *big.Rat) *big.Int {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// wait returns ⌈tokens/rate⌉ in nanoseconds, Never if that is no time.
func (m *model) wait(i int, tokens *big.Rat) time.Duration {
	if tokens.Sign() <= 0 {
		return 0
	}
	if m.limits[i].Count == 0 {
		return Never
	}
	ns := ceil(new(big.Rat).Quo(tokens, m.rate(i)))
	if !ns.IsInt64() {
		return Never
	}
	return time.Duration(ns.Int64())
}

// retry returns the longest wait of the limits, with or without slack.
func (m *model) retry(n int64, slack bool) time.Duration {
	longest := time.Duration(0)
	for i, l := range m.limits {
		if l.unlimited() {
			continue
		}
		if n > l.burst() {
			return Never
		}
		short := new(big.Rat).Add(m.used[i], num(n-l.burst()))
		if slack {
			short.Add(short, m.eps[i])
		}
		longest = max(longest, m.wait(i, short))
	}
	return longest
}

// remaining returns the least whole number of tokens left, and the most, within the tolerance.
func (m *model) remaining() (least, most int64) {
	least, most = int64(math.MaxInt64), int64(math.MaxInt64)
	for i, l := range m.limits {
		if l.unlimited() {
			continue
		}
		left := new(big.Rat).Sub(num(l.burst()), m.used[i])
		high := new(big.Rat).Add(left, m.eps[i])
		low := new(big.Rat).Sub(left, m.eps[i])
		clamp := func(r *big.Rat) int64 {
			if r.Sign() < 0 {
				return 0
			}
			return min(l.burst(), floor(r).Int64())
		}
		least, most = min(least, clamp(low)), min(most, clamp(high))
	}
	return least, most
}

// check compares a decision on n with the model before the call, and charges the model as the call did.
func (m *model) check(d Decision, n int64, charge bool) error {
	m.advance()
	if d.OK && !m.fits(n, false) {
		return fmt.Errorf("take %d admitted early: %+v, used %v", n, d, m.used)
	}
	if !d.OK && m.fits(n, true) {
		return fmt.Errorf("take %d denied: %+v, used %v", n, d, m.used)
	}
	if !d.OK {
		if n < 0 {
			if d.RetryAfter != Never {
				return fmt.Errorf("take %d: RetryAfter %v", n, d.RetryAfter)
			}
			return nil
		}
		if lo, hi := m.retry(n, false), m.retry(n, true); d.RetryAfter < lo || d.RetryAfter > hi || d.RetryAfter == 0 {
			return fmt.Errorf("take %d: RetryAfter %d, want %d to %d", n, d.RetryAfter, lo, hi)
		}
		return nil
	}
	if charge {
		m.charge(n)
	} else {
		saved := m.used
		m.used = nil
		for _, u := range saved {
			m.used = append(m.used, new(big.Rat).Set(u))
		}
		m.charge(n)
		defer func() { m.used = saved }()
	}
	least, most := m.remaining()
	all := true
	for _, l := range m.limits {
		all = all && l.unlimited()
	}
	if !all && (d.Remaining < least || d.Remaining > most) {
		return fmt.Errorf("take %d: Remaining %d, want %d to %d; used %v", n, d.Remaining, least, most, m.used)
	}
	if d.RetryAfter != 0 {
		return fmt.Errorf("take %d: admitted with RetryAfter %v", n, d.RetryAfter)
	}
	return m.checkReset(d)
}

// checkReset compares ResetAfter of the binding limit.
func (m *model) checkReset(d Decision) error {
	for i, l := range m.limits {
		if l.policy() != d.Policy || l.unlimited() {
			continue
		}
		lo := m.wait(i, m.used[i])
		hi := m.wait(i, new(big.Rat).Add(m.used[i], m.eps[i]))
		if m.used[i].Sign() == 0 {
			hi = max(hi, lo)
		}
		if d.ResetAfter < lo || d.ResetAfter > hi {
			return fmt.Errorf("%s: ResetAfter %d, want %d to %d", d.Policy, d.ResetAfter, lo, hi)
		}
	}
	return nil
}

func (m *model) setLimits(limits []Limit) {
	m.advance()
	m.limits = limits
	for i, l := range limits {
		if b := num(l.burst()); m.used[i].Cmp(b) > 0 {
			m.used[i] = b
		}
		if l.unlimited() {
			m.used[i] = new(big.Rat)
		}
	}
	m.measure(2)
}

// shapes are limits that are exact, inexact, fast, slow, huge and tiny.
func shapes() [][]Limit {
	return [][]Limit{
		{PerSecond(10)},
		{Per(3, time.Second)},
		{PerSecond(300_000).WithBurst(100)},
		{PerHour(7).WithBurst(2)},
		{PerMinute(1000).WithBurst(5)},
		{Per(1, 24*time.Hour)},
		{Per(1, 24*time.Hour).WithBurst(1 << 40)},
		{PerSecond(1_000_000_000)},
		{Per(1, 97).WithBurst(50)},
		{PerSecond(999_983)},
		{PerSecond(9_999_999_967).WithBurst(1000)},
		{Per(10, 1).WithBurst(3)},
		{{Count: 0, Per: time.Second, Burst: 5}},
		{{Count: 7919, Per: 104729 * time.Millisecond, Burst: 31}},
		{{Count: 1, Per: time.Hour, Burst: 1<<61 - 1}},
		{Unlimited()},
		{PerSecond(10), PerHour(2000)},
		{Unlimited(), PerMinute(7), {Count: 0, Per: 1, Burst: 40}},
		{PerSecond(5), PerSecond(999_983).WithBurst(7), Rolling(100, time.Minute, 10)},
	}
}

// run interprets program on a bucket and on the model.
func run(l Limiter, limits []Limit, program []byte) error {
	m := newModel(limits)
	next := func() int {
		if len(program) == 0 {
			return 0
		}
		b := program[0]
		program = program[1:]
		return int(b)
	}
	burst := limits[0].burst()
	for step := 0; len(program) > 0; step++ {
		if err := operation(l, m, next, burst); err != nil {
			return fmt.Errorf("step %d of %v: %w", step, m.limits, err)
		}
	}
	return nil
}

func operation(l Limiter, m *model, next func() int, burst int64) error {
	op := next() % 12
	n := int64(next() % 12)
	if n == 11 {
		n = min(burst-int64(next()%3), math.MaxInt)
	}
	switch op {
	case 0, 1, 2, 3:
		return m.check(l.Take(int(n)), n, true)
	case 4:
		return m.check(l.Peek(int(n)), n, false)
	case 5:
		m.advance()
		if ok := l.AllowN(int(n)); ok && !m.fits(n, false) || !ok && m.fits(n, true) {
			return fmt.Errorf("allow %d: %v", n, ok)
		} else if ok {
			m.charge(n)
		}
	case 6:
		m.advance()
		got := int64(l.TakeUpTo(int(n)))
		least, most := m.remaining()
		if got < max(0, min(n, least)) || got > max(0, min(n, most)) || !m.fits(got, false) {
			return fmt.Errorf("take up to %d: %d, want %d to %d", n, got, least, most)
		}
		m.charge(got)
	case 7:
		m.advance()
		if next()%2 == 0 {
			n = -n
		}
		l.Charge(int(n))
		m.charge(n)
	case 8:
		if next()%8 == 0 {
			m.advance()
			l.Clear()
			for i := range m.used {
				m.used[i], m.slack[i] = new(big.Rat), new(big.Rat)
			}
			m.measure(0)
		}
	case 9:
		return change(l, m, next)
	default:
		pause := time.Duration(next()+1) << (next() % 40)
		if d := l.Peek(1); next()%2 == 0 && d.RetryAfter > 0 && d.RetryAfter < time.Hour*1000 {
			pause = d.RetryAfter
		}
		<-time.After(pause)
	}
	return nil
}

// change sets other limits of the same number.
func change(l Limiter, m *model, next func() int) error {
	if next()%4 != 0 {
		return nil
	}
	all := shapes()
	for range all {
		if limits := all[next()%len(all)]; len(limits) == len(m.limits) {
			if err := l.SetLimits(limits...); err != nil {
				return err
			}
			m.setLimits(limits)
			return nil
		}
	}
	return nil
}

func checkProgram(t *testing.T, limits []Limit, keyed bool, program []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := New(limits...)
		if err != nil {
			t.Fatal(err)
		}
		if keyed {
			k, err := NewKeyed[int](limits, Options{Capacity: 100})
			if err != nil {
				t.Fatal(err)
			}
			l = k.Key(1)
		}
		if err := run(l, limits, program); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEveryOperationAgreesWithTheRationalModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i, limits := range shapes() {
		for _, keyed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/keyed=%v", limits, keyed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				for range 20 {
					program := make([]byte, 600)
					for j := range program {
						program[j] = byte(rng.UintN(256))
					}
					checkProgram(t, limits, keyed, program)
				}
			})
		}
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint8(0), false, []byte{0, 1, 0, 2, 10, 200, 20, 1, 0, 11, 0})
	f.Add(uint8(9), true, []byte{0, 11, 0, 10, 3, 3, 0, 0, 5, 9, 0, 0, 3, 0, 4})
	f.Fuzz(func(t *testing.T, shape uint8, keyed bool, program []byte) {
		all := shapes()
		checkProgram(t, all[int(shape)%len(all)], keyed, program[:min(len(program), 2000)])
	})
}
