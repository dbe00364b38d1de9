package bloom

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizingMeetsThePublishedTable(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		words int
		bits  int
		need  float64
	}{
		{1e-1, 2, 2, 4.91}, {1e-2, 2, 3, 10.27}, {1e-3, 4, 2, 15.82}, {1e-4, 4, 3, 22.56}, {1e-5, 8, 2, 30.00}, {1e-6, 8, 2, 39.015},
	} {
		l, err := Plan(1_000_000, c.rate)
		require.NoError(t, err)
		require.Equal(t, [2]int{c.words, c.bits}, [2]int{l.Words, l.Bits}, "rate %v", c.rate)
		got := float64(l.Blocks) * 512 / 1e6
		require.GreaterOrEqual(t, got, c.need-0.006)
		require.LessOrEqual(t, got, c.need+1.0/32+0.01, "rate %v", c.rate)
		require.LessOrEqual(t, l.RateAt(1e6), c.rate)
		require.Zero(t, l.Blocks%8)
		require.Equal(t, l.Blocks*64, l.Bytes())
	}
}

func TestPlanKeepsTheRateAtEverySize(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		rate := math.Pow(10, -9*rng.Float64()) / 2
		if rate < 1e-9 {
			continue
		}
		capacity := uint64(math.Exp(rng.Float64() * 25))
		l, err := Plan(capacity, rate)
		require.NoError(t, err)
		require.LessOrEqual(t, l.RateAt(float64(capacity)), rate*(1+1e-9), "%d keys at %v", capacity, rate)
		if l.Blocks > 10000 { // not wasteful either: a few per cent fewer blocks would miss the rate
			l.Blocks = l.Blocks * 98 / 100
			require.Greater(t, l.RateAt(float64(capacity)), rate, "%d keys at %v", capacity, rate)
		}
	}
}

func TestRateAtRisesFromZeroToOne(t *testing.T) {
	for _, s := range allShapes() {
		l := geometry(s, 10)
		require.Zero(t, l.RateAt(0))
		require.Zero(t, l.RateAt(-1))
		require.True(t, math.IsNaN(l.RateAt(math.NaN())))
		require.Equal(t, 1.0, l.RateAt(math.Inf(1)))
		last := 0.0
		for load := 0.01; load < 20000; load *= 1.3 {
			r := l.RateAt(load * 10)
			require.GreaterOrEqual(t, r, last-1e-11, "shape %d load %v", s, load)
			require.LessOrEqual(t, r, 1.0)
			last = r
		}
		require.InDelta(t, 1, last, 1e-9)
	}
}

// The sum that starts late (loads above 700) must join the one that starts at 0.
func TestCurveIsContinuousWhereTheSumStartsLate(t *testing.T) {
	for _, s := range allShapes() {
		m := newModel(s)
		a, sa := m.curve(699.999)
		b, _ := m.curve(700.001)
		require.InDelta(t, a+0.002*sa, b, 1e-9, "shape %d", s)
	}
}

// An oracle that shares nothing with the model: throw keys into one block and look.
func TestModelAgreesWithSimulation(t *testing.T) {
	oneGoroutine(t)
	rng := rand.New(rand.NewPCG(7, 8))
	for _, s := range allShapes() {
		l := geometry(s, 64)
		load := 30.0
		const rounds, probes = 60, 4000
		hits := 0
		for range rounds {
			f := makeFilter(l, Options{Unsynchronized: true})
			for range int(load) * 64 {
				f.Add(Hashed(rng.Uint64()))
			}
			for range probes {
				if f.Test(Hashed(rng.Uint64())) {
					hits++
				}
			}
		}
		want := l.RateAt(load * 64)
		got := float64(hits) / (rounds * probes)
		// Six sigma of the probes, plus 5 % for the spread of the filters themselves.
		margin := 6*math.Sqrt(want/(rounds*probes)) + 0.05*want
		require.InDelta(t, want, got, margin, "shape %d", s)
	}
}

func TestPlanRefusesWhatItCannotKeep(t *testing.T) {
	for _, rate := range []float64{0, -1, 1e-10, 0.51, 1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := Plan(100, rate)
		require.ErrorIs(t, err, ErrInvalid, "rate %v", rate)
		require.ErrorContains(t, err, "rate")
	}
	_, err := Plan(0, 0.01)
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "capacity")
	for _, n := range []uint64{math.MaxUint64, 1 << 60, 1 << 47} {
		_, err = Plan(n, 0.01)
		require.ErrorIs(t, err, ErrTooLarge, "%d keys", n)
	}
}
