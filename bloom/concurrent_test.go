package bloom

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// adder is what the filters that grow or slide share with Filter.
type adder interface {
	Add(Key)
	Test(Key) bool
	TestAndAdd(Key) bool
}

// oneWinner lets goroutines race for the same keys, in the same order, and counts the winners of each key.
func oneWinner(t *testing.T, f adder, keys int) {
	t.Helper()
	const racers = 32
	wins := make([]atomic.Int32, keys)
	var start, done sync.WaitGroup
	start.Add(1)
	for r := range racers {
		done.Go(func() {
			start.Wait()
			for i := range keys {
				if !f.TestAndAdd(Uint64(uint64(i))) {
					wins[i].Add(1)
				}
				if i%64 == r {
					runtime.Gosched()
				}
			}
		})
	}
	start.Done()
	done.Wait()
	for i := range wins {
		// The rate is so low that a key which nobody wins would be a false positive once in 1e5 runs.
		require.EqualValues(t, 1, wins[i].Load(), "winners of key %d", i)
	}
}

// Two racing inserts of one key are both told "new" by peers (google/guava#3055).
func TestTestAndAddHasExactlyOneWinner(t *testing.T) {
	for _, rate := range []float64{1e-9, 1e-8} {
		oneWinner(t, newFilter(t, 5000, rate, Options{}), 2000)
	}
	oneWinner(t, newFilter(t, 1_000_000, 1e-9, Options{}), 2000)
}

// The races above are rare without help; with the build tag every writer yields between two words of a key.
func TestOneWinnerWithAYieldBetweenWords(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("builds the package again, without the race detector")
	}
	run := "^(TestTestAndAdd.*Winner|TestAddIsSeen|Test.*KeepsOneWinner.*)$"
	out, err := exec.CommandContext(t.Context(), "go", "test", "-short", "-tags", "bloomyield", "-run", run, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// No goroutine safety is a peer's oldest complaint (bits-and-blooms/bloom#91, #31, #17).
func TestAddIsSeenByWhoeverLearnsOfIt(t *testing.T) {
	f := newFilter(t, 20_000, 0.01, Options{})
	other := newFilter(t, 20_000, 0.01, Options{})
	const writers, each = 4, 2000
	var published [writers]atomic.Int64 // keys of this writer that are in; read by the readers
	var writing, reading sync.WaitGroup
	var stop atomic.Bool
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				k := Uint64(uint64(w*each + i))
				if i%2 == 0 {
					f.Add(k)
				} else {
					f.TestAndAdd(k)
				}
				published[w].Store(int64(i + 1))
			}
		})
	}
	reading.Go(func() { // unions both ways at once, without deadlock
		for !stop.Load() {
			_ = f.Union(other)
			runtime.Gosched()
		}
	})
	reading.Go(func() {
		for !stop.Load() {
			_ = other.Union(f)
			f.Stats()
		}
	})
	var forgotten atomic.Int64
	for r := range 2 {
		reading.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(r), 5))
			for !stop.Load() {
				w := rng.IntN(writers)
				n := published[w].Load()
				c := f.Clone()
				for range 50 {
					if n > 0 {
						k := Uint64(uint64(w*each) + uint64(rng.Int64N(n)))
						if !f.Test(k) || !c.Test(k) {
							forgotten.Add(1)
						}
					}
				}
			}
		})
	}
	writing.Wait()
	stop.Store(true)
	reading.Wait()
	require.Zero(t, forgotten.Load())
	for i := range uint64(writers * each) {
		require.True(t, f.Test(Uint64(i)))
	}
}

// A checksum from a second pass over words that others change would not match.
func TestWriteToBesideWritersIsAlwaysReadable(t *testing.T) {
	f := newFilter(t, 50_000, 0.01, Options{})
	var stop atomic.Bool
	var published atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(0); !stop.Load(); i++ {
			f.Add(Uint64(uint64(i)))
			published.Store(i + 1)
		}
	})
	for range 30 {
		before := published.Load()
		var buf bytes.Buffer
		_, err := f.WriteTo(&buf)
		require.NoError(t, err)
		g, err := Read(&buf, Options{})
		require.NoError(t, err)
		b, err := f.MarshalBinary()
		require.NoError(t, err)
		_, err = Open(b)
		require.NoError(t, err)
		for i := range min(before, 2000) {
			require.True(t, g.Test(Uint64(uint64(before-1-i))))
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestUnsynchronizedFilterCanBeHandedToReaders(t *testing.T) {
	f := newFilter(t, 10_000, 0.01, Options{Unsynchronized: true})
	for i := range uint64(10_000) {
		f.Add(Uint64(i))
		require.True(t, f.TestAndAdd(Uint64(i)))
	}
	var wg sync.WaitGroup
	var missing atomic.Int64
	for range 4 {
		wg.Go(func() {
			for i := range uint64(10_000) {
				if !f.Test(Uint64(i)) {
					missing.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, missing.Load())
}

// oneGoroutine marks a long test in which nothing can race.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("one goroutine: nothing for the race detector")
	}
}
