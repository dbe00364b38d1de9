package bloom

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// blockRates is the naive reading of a filter: the chance that a fresh key is covered, block by block, and its variance.
func blockRates(f *Filter) (mean, variance float64) {
	l := f.layout
	w := 8 / l.Words
	var covered [65]float64
	for n := range covered {
		covered[n] = math.Pow(float64(n)/64, float64(l.Bits))
	}
	for i := range f.blocks {
		rate := 1.0
		for g := range l.Words {
			group := 0.0
			for _, word := range f.blocks[i][g*w : (g+1)*w] {
				group += covered[bits.OnesCount64(word)] / float64(w)
			}
			rate *= group
		}
		mean += rate
		variance += rate * rate
	}
	n := float64(len(f.blocks))
	mean /= n
	return mean, max(0, variance/n-mean*mean)
}

// addRandom adds n random keys, in batches: there are tens of millions.
func addRandom(f *Filter, rng *rand.Rand, n uint64) {
	var part [512]Key
	for n > 0 {
		keys := part[:min(n, uint64(len(part)))]
		for i := range keys {
			keys[i] = Hashed(rng.Uint64())
		}
		f.AddMany(keys)
		n -= uint64(len(keys))
	}
}

// The rate is read from the bits, exactly, and averaged over fresh filters; TestStatsRateIsTheProbedRate ties that reading
// to probing. It must stay within five standard deviations of the model (a false alarm once in 1e6) and below 1.02
// of the target. For few blocks the Poisson model is pessimistic, so there it is a bound from above only.
func TestRateIsMetAtCapacity(t *testing.T) {
	oneGoroutine(t)
	seed := uint64(20240607)
	for _, rate := range []float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6} {
		for _, capacity := range []uint64{1, 10, 1000, 100_000, 1_000_000, 10_000_000} {
			if testing.Short() && capacity > 100_000 {
				continue
			}
			seed++
			rng := rand.New(rand.NewPCG(seed, 1))
			f, err := New(capacity, rate, Options{Unsynchronized: true})
			require.NoError(t, err)
			expect := f.Layout().RateAt(float64(capacity))
			rounds := max(1, min(4000, int(1_000_000/capacity)))
			var mean, variance float64
			for range rounds {
				f.Clear()
				addRandom(f, rng, capacity)
				m, v := blockRates(f)
				mean += m / float64(rounds)
				variance += v / float64(rounds)
			}
			sd := math.Sqrt(variance / float64(f.Layout().Blocks) / float64(rounds))
			require.LessOrEqual(t, mean, expect+5*sd, "rate %v, %d keys", rate, capacity)
			require.LessOrEqual(t, mean, 1.02*rate+5*sd, "rate %v, %d keys", rate, capacity)
			if f.Layout().Blocks >= 20 {
				// The Poisson model overstates the spread of the load by the factor 1-1/blocks.
				slack := 5*sd + expect*4/float64(f.Layout().Blocks)
				require.GreaterOrEqual(t, mean, expect-slack, "rate %v, %d keys", rate, capacity)
			}
		}
	}
}

func TestStatsRateIsTheProbedRate(t *testing.T) {
	oneGoroutine(t)
	rng := rand.New(rand.NewPCG(11, 12))
	for _, rate := range []float64{1e-1, 1e-2, 1e-3} {
		f, err := New(20_000, rate, Options{})
		require.NoError(t, err)
		added := 0
		for _, fill := range []float64{0.1, 0.5, 1, 1.5, 2, 4} {
			for ; added < int(fill*20_000); added++ {
				f.Add(Hashed(rng.Uint64()))
			}
			s := f.Stats()
			const probes = 400_000
			hits := 0
			for range probes {
				if f.Test(Hashed(rng.Uint64())) {
					hits++
				}
			}
			// 5.3 standard deviations: a false alarm once in 1e7.
			margin := 5.3*math.Sqrt(s.Rate*(1-s.Rate)*probes) + 3
			require.InDelta(t, s.Rate*probes, hits, margin, "rate %v fill %v", rate, fill)
			require.InEpsilon(t, float64(added), s.Keys, 0.05, "rate %v fill %v", rate, fill)
			exact, variance := blockRates(f)
			require.InEpsilon(t, exact, s.Rate, 1e-9)
			sd := math.Sqrt(variance / float64(len(f.blocks)))
			require.InDelta(t, f.Layout().RateAt(float64(added)), s.Rate, 6*sd, "rate %v fill %v", rate, fill)
		}
	}
}

func TestOverfillingRaisesTheRateSmoothly(t *testing.T) {
	l, err := Plan(1_000_000, 0.01)
	require.NoError(t, err)
	require.InDelta(t, 0.045, l.RateAt(1.5e6), 0.002)
	require.InDelta(t, 0.11, l.RateAt(2e6), 0.005)
	require.InDelta(t, 0.54, l.RateAt(4e6), 0.01)
}

func TestStatsOfEmptyAndSaturatedFilters(t *testing.T) {
	f, err := New(1000, 0.01, Options{})
	require.NoError(t, err)
	s := f.Stats()
	require.Zero(t, s.Keys)
	require.Zero(t, s.Rate)
	require.Zero(t, s.Fill)
	require.Equal(t, 1, s.Filters)
	require.Equal(t, uint64(1000), s.Capacity)
	require.Equal(t, f.Layout().Bytes(), s.Bytes)
	for i := range f.blocks {
		for w := range f.blocks[i] {
			f.blocks[i][w] = ^uint64(0)
		}
	}
	s = f.Stats()
	require.True(t, math.IsInf(s.Keys, 1))
	require.Equal(t, 1.0, s.Rate)
	require.Equal(t, 1.0, s.Fill)
	require.Zero(t, (&Filter{}).Stats().Rate)
}
