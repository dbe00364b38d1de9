package bloom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	upstream "github.com/bits-and-blooms/bloom/v3"
	"github.com/stretchr/testify/require"
)

func newClassic(tb testing.TB, capacity uint64, rate float64) *Classic {
	tb.Helper()
	c, err := NewClassic(capacity, rate, Options{})
	require.NoError(tb, err)
	return c
}

func TestClassicStreamsAreExchangedWithUpstream(t *testing.T) {
	c := newClassic(t, 10_000, 0.01)
	u := upstream.NewWithEstimates(10_000, 0.01)
	for i := range 10_000 {
		k := fmt.Appendf(nil, "key %d", i)
		c.Add(k)
		u.Add(k)
	}
	var ours, theirs bytes.Buffer
	n, err := c.WriteTo(&ours)
	require.NoError(t, err)
	require.EqualValues(t, ours.Len(), n)
	_, err = u.WriteTo(&theirs)
	require.NoError(t, err)
	require.Equal(t, theirs.Bytes(), ours.Bytes())
	var back upstream.BloomFilter
	_, err = back.ReadFrom(bytes.NewReader(ours.Bytes()))
	require.NoError(t, err)
	require.True(t, back.Equal(u))
	theirs.WriteString("rest")
	d, err := ReadClassic(iotest.OneByteReader(&theirs), Options{})
	require.NoError(t, err)
	require.Equal(t, "rest", theirs.String(), "not one byte more")
	require.True(t, d.filter.Equal(u))
	st := d.Stats()
	require.Zero(t, st.Capacity)
	require.InEpsilon(t, 10_000, st.Keys, 0.02)
	require.InEpsilon(t, 0.01, st.Rate, 0.1)
	require.Equal(t, uint64(10_000), c.Stats().Capacity)
}

// header is the beginning of a stream of upstream's.
func header(m, k, length uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, m)
	b = binary.BigEndian.AppendUint64(b, k)
	return binary.BigEndian.AppendUint64(b, length)
}

// Upstream decodes m = 0 and then divides by zero; m = 2^33 with an empty bitset makes one Add allocate 1 GiB.
func TestClassicRefusesHostileStreams(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"m = 0":            {header(0, 3, 0), ErrCorrupt},
		"k = 0":            {append(header(64, 0, 64), make([]byte, 8)...), ErrCorrupt},
		"k = 257":          {append(header(64, 257, 64), make([]byte, 8)...), ErrCorrupt},
		"m over bitset":    {header(1<<33, 3, 0), ErrCorrupt},
		"bitset over m":    {header(64, 3, 1<<33), ErrCorrupt},
		"m beyond limit":   {header(1<<40, 3, 1<<40), ErrTooLarge},
		"m of 64 bits":     {header(1<<64-1, 3, 1<<64-1), ErrTooLarge},
		"short header":     {header(64, 3, 64)[:20], io.ErrUnexpectedEOF},
		"short bitset":     {append(header(128, 3, 128), make([]byte, 15)...), io.ErrUnexpectedEOF},
		"one byte missing": {append(header(1, 1, 1), make([]byte, 7)...), ErrCorrupt},
		"smallest":         {append(header(1, 1, 1), make([]byte, 8)...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ReadClassic(bytes.NewReader(c.b), Options{MaxBytes: 1 << 30})
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				d.Add([]byte("x"))
				require.True(t, d.Test([]byte("x")))
			}
		})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	claimed := min(uint64(1)<<33, math.MaxInt/2) // bits, as many as this machine can address
	_, err := ReadClassic(io.MultiReader(bytes.NewReader(header(claimed, 3, claimed)), &endless{1 << 20}), Options{})
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ErrCorrupt)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(5<<20))
	broken := errors.New("cable pulled")
	_, err = ReadClassic(iotest.ErrReader(broken), Options{})
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, ErrCorrupt)
}

func TestClassicRefusesWhatIsOutOfRange(t *testing.T) {
	for _, rate := range []float64{0, 1, -1, 1e-10} {
		_, err := NewClassic(100, rate, Options{})
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := NewClassic(0, 0.1, Options{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewClassic(1<<62, 0.1, Options{})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = NewClassic(1<<64-1, 1e-9, Options{MaxBytes: 1<<64 - 1})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = NewClassic(10_000, 0.01, Options{MaxBytes: 1000})
	require.ErrorIs(t, err, ErrTooLarge)
	var zero Classic
	require.False(t, zero.Test([]byte("x")))
	_, err = zero.WriteTo(io.Discard)
	require.ErrorIs(t, err, ErrInvalid)
	require.Zero(t, zero.Stats().Fill)
}

func TestClassicUnionNeedsOneGeometry(t *testing.T) {
	a, b := newClassic(t, 1000, 0.01), newClassic(t, 1000, 0.01)
	a.Add([]byte("a"))
	b.Add([]byte("b"))
	var wg sync.WaitGroup
	for range 100 { // both ways at once, without deadlock
		wg.Go(func() { _ = a.Union(b) })
		wg.Go(func() { _ = b.Union(a) })
	}
	wg.Wait()
	require.True(t, a.Test([]byte("b")))
	require.True(t, b.Test([]byte("a")))
	require.NoError(t, a.Union(a))
	require.ErrorIs(t, a.Union(newClassic(t, 2000, 0.01)), ErrIncompatible)
	require.ErrorIs(t, a.Union(newClassic(t, 1000, 0.1)), ErrIncompatible)
	require.ErrorIs(t, a.Union(nil), ErrIncompatible)
}

func TestClassicIsSafeToShareWithOneWinner(t *testing.T) {
	c := newClassic(t, 2000, 1e-9)
	var wins [500]atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range wins {
				k := binary.LittleEndian.AppendUint64(nil, uint64(i))
				if !c.TestAndAdd(k) {
					wins[i].Add(1)
				}
				c.Add(k)
				if !c.Test(k) {
					wins[i].Add(1000)
				}
			}
			c.Stats()
			_, _ = c.WriteTo(io.Discard)
		})
	}
	wg.Wait()
	for i := range wins {
		require.LessOrEqual(t, wins[i].Load(), int32(1), "key %d", i)
	}
}

func FuzzReadClassic(f *testing.F) {
	f.Add(append(header(128, 3, 128), make([]byte, 16)...))
	f.Add(header(0, 3, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadClassic(bytes.NewReader(b), Options{MaxBytes: 1 << 20})
		if err != nil {
			require.True(t, known(err), "%v", err)
			return
		}
		c.Add([]byte("x"))
		require.True(t, c.Test([]byte("x")))
	})
}
