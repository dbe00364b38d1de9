package bloom

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func newScalable(tb testing.TB, capacity uint64, rate float64, o Options) *Scalable {
	tb.Helper()
	s, err := NewScalable(capacity, rate, o)
	require.NoError(tb, err)
	return s
}

// A peer's scalable filter gives 4.3 % for 1 % after seven growths, at 34 bits per key (tylertreat/BoomFilters).
func TestScalableKeepsItsCompoundRate(t *testing.T) {
	oneGoroutine(t)
	for _, o := range []Options{{}, {Unsynchronized: true}} {
		s := newScalable(t, 1000, 0.01, o)
		rng := rand.New(rand.NewPCG(21, 22))
		n, end := uint64(0), uint64(1_270_000)
		for n < end {
			s.Add(Uint64(n))
			n++
			if n%2 == 0 { // half of the adds are repeats
				s.Add(Uint64(rng.Uint64N(n)))
			}
		}
		st := s.Stats()
		require.GreaterOrEqual(t, st.Filters, 6)
		require.Greater(t, st.Filters, 10)
		require.LessOrEqual(t, st.Rate, 0.01)
		require.Equal(t, 0.01, st.TargetRate)
		require.InEpsilon(t, float64(n), st.Keys, 0.02)
		require.LessOrEqual(t, float64(st.Bytes*8)/float64(st.Capacity), 21.0)
		hits := 0
		const probes = 300_000
		for range probes {
			if s.Test(Hashed(rng.Uint64())) {
				hits++
			}
		}
		require.LessOrEqual(t, float64(hits), 0.01*probes+5*math.Sqrt(0.01*probes))
		for i := range n {
			require.True(t, s.Test(Uint64(i)))
		}
	}
}

// Seven stages from 1e4 to 1.27e6 keys: 17.5 bits per key of stage capacity at 1 %.
func TestScalableMemory(t *testing.T) {
	oneGoroutine(t)
	s := newScalable(t, 10_000, 0.01, Options{})
	for i := range uint64(1_270_000) {
		s.Add(Uint64(i))
	}
	st := s.Stats()
	require.Equal(t, 7, st.Filters)
	require.Equal(t, uint64(1_270_000), st.Capacity)
	require.LessOrEqual(t, float64(st.Bytes*8)/float64(st.Capacity), 17.5)
	require.LessOrEqual(t, st.Rate, 0.01)
}

// Repeats count as growth in a peer.
func TestRepeatsNeverGrowAScalable(t *testing.T) {
	s := newScalable(t, 100, 0.001, Options{})
	for range 1000 {
		for i := range uint64(90) {
			s.Add(Uint64(i))
		}
		s.AddMany([]Key{Uint64(1), Uint64(2)})
	}
	require.Equal(t, 1, s.Stats().Filters)
}

func TestScalableOverfillsAtItsMemoryLimit(t *testing.T) {
	s := newScalable(t, 100, 0.01, Options{MaxBytes: 1000})
	for i := range uint64(5000) {
		s.Add(Uint64(i))
	}
	st := s.Stats()
	require.LessOrEqual(t, st.Bytes, uint64(1000))
	require.Greater(t, st.Rate, 0.1)
	for i := range uint64(5000) {
		require.True(t, s.Test(Uint64(i)))
	}
	_, err := NewScalable(1000, 0.01, Options{MaxBytes: 1000})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = NewScalable(0, 0.01, Options{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewScalable(10, 1e-7, Options{})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestScalableKeepsOneWinnerAcrossGrowth(t *testing.T) {
	oneWinner(t, newScalable(t, 16, 1e-6, Options{}), 3000)
	oneWinner(t, newScalable(t, 20_000, 1e-6, Options{}), 1000) // with keys held back in stripes
}

func TestScalableBatchesEqualLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	a, b := newScalable(t, 50, 0.01, Options{}), newScalable(t, 50, 0.01, Options{})
	for range 50 {
		keys := make([]Key, rng.IntN(200))
		for i := range keys {
			keys[i] = Uint64(rng.Uint64N(20_000))
		}
		var want []bool
		if rng.IntN(2) == 0 {
			for _, k := range keys {
				want = append(want, a.TestAndAdd(k))
			}
			require.Equal(t, want, b.TestAndAddMany(nil, keys))
		} else {
			for _, k := range keys {
				a.Add(k)
			}
			b.AddMany(keys)
		}
		want = []bool{false}
		for i := range keys {
			keys[i] = Uint64(rng.Uint64N(40_000))
			want = append(want, a.Test(keys[i]))
		}
		require.Equal(t, want, b.TestMany([]bool{false}, keys))
	}
	require.Equal(t, a.Stats(), b.Stats())
	a.Clear()
	require.Equal(t, newScalable(t, 50, 0.01, Options{}).Stats(), a.Stats())
	require.False(t, a.TestAndAdd(String("x")))
	var zero Scalable
	require.False(t, zero.Test(String("x")))
	require.Equal(t, []bool{false}, zero.TestMany(nil, []Key{String("x")}))
	zero.Clear()
}

func TestScalableGrowsUnderReadersAndWriters(t *testing.T) {
	s := newScalable(t, 64, 0.01, Options{})
	var published [4]atomic.Int64
	var writing, reading sync.WaitGroup
	var stop atomic.Bool
	for w := range published {
		writing.Go(func() {
			for i := range 5000 {
				s.Add(Uint64(uint64(w)<<32 | uint64(i)))
				published[w].Store(int64(i + 1))
			}
		})
	}
	var forgotten atomic.Int64
	reading.Go(func() {
		for !stop.Load() {
			for w := range published {
				for i := range published[w].Load() {
					if !s.Test(Uint64(uint64(w)<<32 | uint64(i))) {
						forgotten.Add(1)
					}
				}
			}
			runtime.Gosched()
		}
	})
	writing.Wait()
	stop.Store(true)
	reading.Wait()
	require.Zero(t, forgotten.Load())
	st := s.Stats()
	require.LessOrEqual(t, st.Rate, 0.01)
	require.LessOrEqual(t, st.Filters, 9)
}

func TestScalableDoesNotAllocateBetweenGrowths(t *testing.T) {
	s := newScalable(t, 100_000, 0.01, Options{})
	i := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() { i++; s.Add(Uint64(i)); s.Test(Uint64(i * 3)); s.TestAndAdd(Uint64(i / 2)) }))
}

// Goroutines that find the filter full at once wait for each other; the second must not grow it again.
func TestScalableGrowsOnceWhenItIsFull(t *testing.T) {
	s := newScalable(t, 1000, 0.01, Options{})
	for i := uint64(0); s.Stats().Filters == 1; i++ {
		s.Add(Uint64(i))
	}
	s.grow()
	require.Equal(t, 2, s.Stats().Filters)
}
