package bloom

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func newWindow(t testing.TB, capacity uint64, rate float64, span time.Duration) *Window {
	t.Helper()
	w, err := NewWindow(capacity, rate, span, Options{})
	require.NoError(t, err)
	return w
}

// pass lets fake time pass: in a bubble the timer fires at once.
func pass(d time.Duration) { <-time.After(d) }

func TestWindowFindsForSpanAndForgetsAfterIt(t *testing.T) {
	// Two swapped filters forget after half the window (go-zero, rueidisprob keep very old keys after an idle period).
	for _, span := range []time.Duration{time.Millisecond, time.Second + 3, 10 * time.Minute, 24 * time.Hour} {
		for part := range 8 {
			synctest.Test(t, func(t *testing.T) {
				w := newWindow(t, 1000, 1e-6, span)
				pass(span * time.Duration(part) / 8)
				w.Add(String("a"))
				pass(span - 1)
				require.True(t, w.Test(String("a")), "span %v part %d", span, part)
				pass(span/4 + 6) // the five slices are rounded up to a nanosecond each
				require.False(t, w.Test(String("a")), "span %v part %d", span, part)
			})
		}
	}
}

func TestWindowUsedInBetweenKeepsItsPromise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const span = 4 * time.Second
		w := newWindow(t, 10_000, 1e-6, span)
		for range 100 {
			w.Add(String("a"))
			for range 39 { // rotations happen on use
				pass(100 * time.Millisecond)
				require.True(t, w.Test(String("a")))
			}
			for range 11 {
				pass(100 * time.Millisecond)
				w.Test(String("b"))
			}
			require.False(t, w.Test(String("a")))
		}
	})
}

func TestWindowRefreshesDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(t, 1000, 1e-6, time.Minute)
		require.False(t, w.TestAndAdd(String("a")))
		for range 20 {
			pass(time.Minute - 1)
			require.True(t, w.TestAndAdd(String("a")))
		}
		require.Equal(t, []bool{true, false, true}, w.TestAndAddMany(nil, []Key{String("a"), String("b"), String("b")}))
		pass(75*time.Second + 6)
		require.False(t, w.TestAndAdd(String("a")))
	})
}

func TestWindowForgetsEverythingAfterALongIdleTime(t *testing.T) {
	for _, idle := range []time.Duration{76 * time.Second, 90 * time.Second, time.Hour, 24 * 365 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWindow(t, 1000, 1e-6, time.Minute)
			for i := range uint64(1000) {
				if i%200 == 0 {
					pass(15 * time.Second)
				}
				w.Add(Uint64(i))
			}
			pass(idle)
			for i := range uint64(1000) {
				require.False(t, w.Test(Uint64(i)))
			}
			require.Zero(t, w.Stats().Fill)
			require.Equal(t, 5, len(w.spares), "dropped generations come back")
		})
	}
}

// The exact model: the time of the last Add of each key.
func TestWindowAgainstAnExactModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 41))
				span := time.Millisecond + time.Duration(rng.Int64N(int64(time.Hour)))
				w := newWindow(t, 2000, 1e-7, span)
				last := map[Key]time.Time{}
				for range 1500 {
					if rng.IntN(3) == 0 {
						pass(time.Duration(rng.ExpFloat64() * float64(span) / 10))
					}
					if rng.IntN(200) == 0 {
						pass(time.Duration(rng.Int64N(3 * int64(span))))
					}
					keys := make([]Key, 1+rng.IntN(3))
					for i := range keys {
						keys[i] = Uint64(rng.Uint64N(300))
					}
					check := func(k Key, present bool) {
						at, ever := last[k]
						switch age := time.Since(at); {
						case ever && age <= span:
							require.True(t, present, "age %v of %v", age, span)
						case !ever || age > span/4*5+10:
							require.False(t, present, "age %v of %v", age, span)
						}
					}
					switch rng.IntN(5) {
					case 0:
						w.Add(keys[0])
						last[keys[0]] = time.Now()
					case 1:
						w.AddMany(keys)
						for _, k := range keys {
							last[k] = time.Now()
						}
					case 2:
						check(keys[0], w.Test(keys[0]))
					case 3:
						for i, present := range w.TestMany(nil, keys) {
							check(keys[i], present)
						}
					case 4:
						for i, present := range w.TestAndAddMany(nil, keys) {
							check(keys[i], present)
							last[keys[i]] = time.Now()
						}
					}
				}
				w.Clear()
				for k := range last {
					require.False(t, w.Test(k))
				}
			})
		})
	}
}

func TestWindowKeepsOneWinnerAcrossSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(t, 5000, 1e-8, time.Hour)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Minute): // each round of the racers stays within the span
				}
			}
		})
		for range 3 {
			oneWinnerOnce(t, w)
			pass(2 * time.Hour)
		}
		close(stop)
		wg.Wait()
	})
	oneWinner(t, newWindow(t, 5000, 1e-8, time.Hour), 2000)
}

func oneWinnerOnce(t *testing.T, f adder) {
	t.Helper()
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if !f.TestAndAdd(String("once")) {
				wins.Add(1)
			}
			pass(15 * time.Minute) // into another slice
			if !f.TestAndAdd(String("once")) {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, wins.Load())
}

// Two callers, one of which read the state before the slice ended: the one that comes later must see the other's key.
func TestWindowKeepsOneWinnerWithAStaleState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(t, 1000, 1e-8, time.Minute)
		stale := w.current()
		pass(16 * time.Second)
		require.False(t, w.TestAndAdd(String("a")))
		require.True(t, w.testAndAdd(stale, String("a")))
		require.Equal(t, int64(1), w.state.Load().index)
	})
}

// Real time, a tiny span, all methods at once: for the race detector, and for the promise inside the span.
func TestWindowMovesUnderReadersAndWriters(t *testing.T) {
	w := newWindow(t, 20_000, 1e-4, 40*time.Millisecond)
	end := time.Now().Add(300 * time.Millisecond)
	var wg sync.WaitGroup
	var forgotten atomic.Int64
	for g := range 4 {
		wg.Go(func() {
			for i := uint64(0); time.Now().Before(end); i++ {
				k := Uint64(uint64(g)<<32 | i)
				before := time.Now()
				w.Add(k)
				w.TestAndAdd(Uint64(i))
				if !w.Test(k) && time.Since(before) < 30*time.Millisecond {
					forgotten.Add(1)
				}
				if i%100 == 0 {
					w.Stats()
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, forgotten.Load())
}

func TestWindowStatsAndLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(t, 40_000, 0.01, time.Minute)
		for range 5 {
			for range 10_000 {
				w.Add(Hashed(rand.Uint64()))
			}
			pass(15 * time.Second)
		}
		pass(-1)
		st := w.Stats()
		require.Equal(t, 5, st.Filters)
		require.Equal(t, uint64(40_000), st.Capacity)
		require.Equal(t, 0.01, st.TargetRate)
		require.Less(t, st.Rate, 0.0105)
		require.Greater(t, st.Rate, 0.007)
		require.InEpsilon(t, 40_000, st.Keys, 0.05)
	})
	for _, c := range []struct {
		capacity uint64
		rate     float64
		span     time.Duration
		want     error
	}{
		{0, 0.01, time.Second, ErrInvalid},
		{1, 1e-9, time.Second, ErrInvalid},
		{1, math.NaN(), time.Second, ErrInvalid},
		{1, 0.01, time.Millisecond - 1, ErrInvalid},
		{1, 0.01, -time.Second, ErrInvalid},
		{1 << 40, 0.01, time.Second, ErrTooLarge},
		{math.MaxUint64, 0.01, math.MaxInt64, ErrTooLarge},
	} {
		_, err := NewWindow(c.capacity, c.rate, c.span, Options{})
		require.ErrorIs(t, err, c.want, "%+v", c)
	}
	w, err := NewWindow(1000, 0.01, math.MaxInt64, Options{Unsynchronized: true})
	require.NoError(t, err)
	require.False(t, w.TestAndAdd(String("a")))
	require.True(t, w.TestAndAdd(String("a")))
	_, err = NewWindow(100_000, 0.01, time.Second, Options{MaxBytes: 100_000})
	require.ErrorIs(t, err, ErrTooLarge)
	var zero Window
	require.False(t, zero.Test(String("a")))
	require.Equal(t, []bool{false}, zero.TestMany(nil, []Key{String("a")}))
	require.Zero(t, zero.Stats())
	zero.Clear()
}

func TestWindowDoesNotAllocate(t *testing.T) {
	w := newWindow(t, 100_000, 0.01, time.Hour)
	keys := make([]Key, 100)
	dst := make([]bool, 0, 100)
	i := uint64(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		i++
		w.Add(Uint64(i))
		w.Test(Uint64(i * 7))
		w.TestAndAdd(Uint64(i / 2))
		w.AddMany(keys)
		dst = w.TestMany(dst[:0], keys)
		dst = w.TestAndAddMany(dst[:0], keys)
	}))
}
