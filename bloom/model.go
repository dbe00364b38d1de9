package bloom

import "math"

// model holds the false-positive model of one shape as a sum of powers.
//
// Keys per block follow a Poisson distribution. With i keys in a block, a fresh key finds one group covered with
// the chance q(i) = Σ a[t]·r[t]^i: the key's bits fall on d distinct positions with the chance S(d) (some of the
// p draws coincide), and inclusion and exclusion over the t positions that stayed clear gives
//
//	a[t] = (-1)^t Σ_d S(d)·C(d,t)      r[t] = 1 - (1-(1-t/64)^p)/w
//
// because one key leaves t given positions of a word clear unless it picks that word of the w in the group. The
// groups are independent given i, so the rate of the block is q(i)^g. Averaging over the blocks is what the
// usual formula (1-e^(-kn/m))^k lacks, and why it misses low rates of blocked filters.
type model struct {
	a, r  [6]float64
	terms int
	g     int
}

func newModel(s shape) model {
	g, p := s.words()
	w := float64(8 / g)
	// distinct[d] is S(d), by adding one draw at a time.
	distinct := [6]float64{1}
	for range p {
		for d := 5; d >= 1; d-- {
			distinct[d] = distinct[d]*float64(d)/64 + distinct[d-1]*float64(64-d+1)/64
		}
		distinct[0] = 0
	}
	m := model{terms: p + 1, g: g}
	sign := 1.0
	for t := 0; t <= p; t++ {
		choose := 1.0 // C(d,t), starting at d = t
		for d := t; d <= p; d++ {
			m.a[t] += sign * distinct[d] * choose
			choose = choose * float64(d+1) / float64(d+1-t)
		}
		m.r[t] = 1 - (1-math.Pow(1-float64(t)/64, float64(p)))/w
		sign = -sign
	}
	return m
}

// saturated is the mean number of keys per block from which the rate is 1 within rounding, for every shape: even
// (4,1) leaves a bit clear with the chance exp(-8192/128) = 2e-28 only.
const saturated = 8192

// splitBlockModel is the model of Parquet's filter: one bit in each of eight 32-bit words.
func splitBlockModel() model {
	return model{a: [6]float64{1, -1}, r: [6]float64{1, 31.0 / 32}, terms: 2, g: 8}
}

// rate returns the false-positive rate at a mean of load keys per block.
func (m *model) rate(load float64) float64 {
	switch {
	case math.IsNaN(load):
		return load
	case load <= 0:
		return 0
	case load >= saturated:
		return 1
	}
	rate, _ := m.curve(load)
	return min(rate, 1)
}

// curve returns the rate at load and its derivative, for 0 < load < saturated.
func (m *model) curve(load float64) (rate, slope float64) {
	spread := math.Sqrt(load)
	// Weights beyond ten standard deviations (and twenty keys, for small loads) are below 1e-20. From 700 on
	// exp(-load) comes near underflow, so the sum starts late.
	start, weight := 0.0, math.Exp(-load)
	pow := [6]float64{1, 1, 1, 1, 1, 1}
	if load > 700 {
		start = math.Floor(load - 10*spread)
		lg, _ := math.Lgamma(start + 1)
		weight = math.Exp(start*math.Log(load) - load - lg)
		for t := range m.terms {
			pow[t] = math.Pow(m.r[t], start)
		}
	}
	for i, end := start, load+10*spread+20; i <= end; i++ {
		q := 0.0
		for t := range m.terms {
			q += m.a[t] * pow[t]
			pow[t] *= m.r[t]
		}
		q *= q
		if m.g >= 4 {
			q *= q
		}
		if m.g == 8 {
			q *= q
		}
		if i > 0 { // an empty block covers nothing; the terms would leave a rounding error
			rate += weight * q
			slope += weight * q * (i/load - 1) // the derivative of a Poisson weight
		}
		weight *= load / (i + 1)
	}
	return rate, slope
}

// bitsPerKey returns the bits per key, blockBits/load, at which the rate reaches target, starting near guess.
//
// It takes Newton steps on the logarithm of the rate against the logarithm of the bits: nearly a straight line,
// bent downwards, so the steps converge from any start within a few evaluations. The result is exact to 1e-12 or
// so, far finer than the 1/32 bit to which it is rounded, so that processors which differ in the last digit of an
// exponential agree on the geometry.
func (m *model) bitsPerKey(blockBits, target, guess float64) float64 {
	c := guess
	for range 50 {
		load := blockBits / c
		rate, slope := m.curve(load)
		step := math.Log(rate/target) * rate / (load * slope)
		c *= math.Exp(max(-0.5, min(step, 0.5)))
		if math.Abs(step) < 1e-7 { // squared by the step just taken
			break
		}
	}
	return c
}

// slack is how much larger than the least a geometry may be to win by touching fewer words: 2 % of memory against
// half the loads and half the atomic operations.
const slack = 1.02

// choose returns the shape for a target rate and its bits per key.
func choose(target float64) (shape, float64) {
	var solved [shapeEnd]float64
	least := math.Inf(1)
	guess := 1.6 * math.Log2(1/target) // near the classic optimum of 1.44; the shapes need a little more
	// From the likely winners to the rest, so that most shapes fall at their first evaluation.
	for _, s := range [...]shape{
		shape2x3, shape4x2, shape8x2, shape4x3, shape2x2, shape2x4, shape8x1, shape4x1, shape4x4, shape2x5,
	} {
		m := newModel(s)
		if !math.IsInf(least, 1) {
			guess = least * 1.03
			if rate, _ := m.curve(512 / guess); rate > target {
				continue // more than 3 % above the least: out of the race
			}
		}
		solved[s] = m.bitsPerKey(512, target, guess)
		least = min(least, solved[s])
	}
	best := shapeNone
	for s := shape2x2; s < shapeEnd; s++ {
		if solved[s] == 0 || solved[s] > least*slack {
			continue
		}
		g, _ := s.words()
		if bg, _ := best.words(); best == shapeNone || (g == bg && solved[s] < solved[best]) {
			best = s
		}
	}
	return best, solved[best]
}
