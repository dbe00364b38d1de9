package bloom

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func newFilter(tb testing.TB, capacity uint64, rate float64, o Options) *Filter {
	tb.Helper()
	f, err := New(capacity, rate, o)
	require.NoError(tb, err)
	return f
}

func TestNewRefusesWhatIsOutOfRange(t *testing.T) {
	_, err := New(0, 0.01, Options{})
	require.ErrorIs(t, err, ErrInvalid)
	// Rate 0 gives a peer 6e16 hash functions (bits-and-blooms/bloom#32, #34, #85, #97), others panic.
	for _, rate := range []float64{0, 1, -0.1, math.NaN(), math.Inf(1)} {
		_, err = New(100, rate, Options{})
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err = New(1_000_000, 0.01, Options{MaxBytes: 1 << 20})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = New(1<<50, 0.01, Options{})
	require.ErrorIs(t, err, ErrTooLarge)
	f, err := New(1_000_000, 0.01, Options{MaxBytes: 1 << 21})
	require.NoError(t, err)
	require.LessOrEqual(t, f.Stats().Bytes, uint64(1<<21))
}

// A zero value of a peer reports everything present.
func TestZeroFilterHoldsNothing(t *testing.T) {
	var f Filter
	require.False(t, f.Test(String("x")))
	require.Equal(t, []bool{false, false}, f.TestMany(nil, []Key{{}, String("x")}))
	require.False(t, (&View{}).Test(Hashed(math.MaxUint64)))
	require.Panics(t, func() { f.Add(String("x")) })
	require.Panics(t, func() { f.TestAndAdd(String("x")) })
	f.AddMany(nil)
	f.Clear()
	require.Zero(t, f.Layout())
	require.True(t, f.Equal(f.Clone()))
	require.ErrorIs(t, f.Union(nil), ErrIncompatible)
	_, err := f.Fold()
	require.ErrorIs(t, err, ErrIncompatible)
	_, err = f.MarshalBinary()
	require.ErrorIs(t, err, ErrInvalid)
}

// Power-of-two sizes double the memory between 1.0e6 and 1.1e6 keys (ristretto, arrow).
func TestMemoryGrowsInProportion(t *testing.T) {
	for rate, most := range map[float64]float64{1e-2: 10.4, 1e-3: 16.0, 1e-4: 22.8, 1e-5: 30.4} {
		for n := uint64(1_000_000); n < 2_000_000; n += 100_000 {
			l, err := Plan(n, rate)
			require.NoError(t, err)
			require.LessOrEqual(t, float64(l.Bytes()*8)/float64(n), most, "%d keys at %v", n, rate)
		}
	}
}

// The random program. Its oracle is a set of keys per filter: no filter may ever deny one of its keys.
func TestRandomProgramsNeverForget(t *testing.T) {
	for seed := range uint64(60) {
		if underRace && seed >= 6 {
			break
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { randomProgram(t, seed) })
	}
}

func randomProgram(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 99))
	s := allShapes()[rng.IntN(10)]
	l := geometry(s, 1+rng.Uint64N(40))
	if rng.IntN(8) == 0 {
		l = geometry(s, smallBlocks+rng.Uint64N(100)) // the batch phases of large filters
	}
	const count = 3
	var filters [count]*Filter
	var sets [count]map[Key]bool
	for i := range filters {
		filters[i] = makeFilter(l, Options{Unsynchronized: rng.IntN(2) == 0})
		sets[i] = map[Key]bool{}
	}
	randomKeys := func() []Key {
		keys := make([]Key, rng.IntN(100))
		for i := range keys {
			keys[i] = Uint64(rng.Uint64N(3000))
		}
		return keys
	}
	for range 60 {
		i, j := rng.IntN(count), rng.IntN(count)
		f, set := filters[i], sets[i]
		switch op := rng.IntN(10); op {
		case 0, 1:
			for _, k := range randomKeys() {
				f.Add(k)
				set[k] = true
			}
		case 2:
			for _, k := range randomKeys() {
				before := f.Test(k)
				require.Equal(t, before, f.TestAndAdd(k))
				set[k] = true
			}
		case 3: // AddMany equals a loop of Add
			keys, c := randomKeys(), f.Clone()
			f.AddMany(keys)
			for _, k := range keys {
				c.Add(k)
				set[k] = true
			}
			require.True(t, f.Equal(c))
		case 4: // TestAndAddMany equals a loop of TestAndAdd
			keys, c := randomKeys(), f.Clone()
			got := f.TestAndAddMany([]bool{true}, keys)
			want := []bool{true}
			for _, k := range keys {
				want = append(want, c.TestAndAdd(k))
				set[k] = true
			}
			require.Equal(t, want, got)
			require.True(t, f.Equal(c))
		case 5:
			checkUnion(t, f, filters[j], filters[rng.IntN(count)])
			require.NoError(t, f.Union(filters[j]))
			for k := range sets[j] {
				set[k] = true
			}
		case 6:
			if l.Blocks%2 == 0 {
				h, err := f.Fold()
				require.NoError(t, err)
				requireAll(t, h, set)
			}
		case 7:
			filters[i] = roundTrip(t, f)
		case 8:
			if rng.IntN(4) == 0 {
				f.Clear()
				clear(set)
				require.Zero(t, f.Stats().Fill)
			}
		case 9:
			c := f.Clone()
			require.NoError(t, c.Intersect(filters[j]))
			for k := range set {
				if sets[j][k] {
					require.True(t, c.Test(k))
				}
			}
		}
		requireAll(t, filters[i], sets[i])
	}
}

func requireAll(t *testing.T, f *Filter, set map[Key]bool) {
	t.Helper()
	keys := make([]Key, 0, len(set))
	for k := range set {
		keys = append(keys, k)
		if !f.Test(k) {
			t.Fatalf("key %x was forgotten", k.h)
		}
	}
	for i, present := range f.TestMany(nil, keys) {
		if !present {
			t.Fatalf("key %x was forgotten in a batch", keys[i].h)
		}
	}
}

// Union is commutative, associative and idempotent.
func checkUnion(t *testing.T, a, b, c *Filter) {
	t.Helper()
	ab, ba := a.Clone(), b.Clone()
	require.NoError(t, ab.Union(b))
	require.NoError(t, ba.Union(a))
	require.True(t, ab.Equal(ba))
	bc, left := b.Clone(), ab.Clone()
	require.NoError(t, bc.Union(c))
	require.NoError(t, left.Union(c))
	right := a.Clone()
	require.NoError(t, right.Union(bc))
	require.True(t, left.Equal(right))
	again := ab.Clone()
	require.NoError(t, again.Union(again))
	require.NoError(t, again.Union(b))
	require.True(t, again.Equal(ab))
	if f, err := a.Fold(); err == nil { // folding then uniting equals uniting then folding
		g, err := b.Fold()
		require.NoError(t, err)
		require.NoError(t, f.Union(g))
		h, err := ab.Fold()
		require.NoError(t, err)
		require.True(t, f.Equal(h))
	}
}

// roundTrip checks that every serialized road leads to the same filter, and returns one of them.
func roundTrip(t *testing.T, f *Filter) *Filter {
	t.Helper()
	var buf bytes.Buffer
	n, err := f.WriteTo(&buf)
	require.NoError(t, err)
	require.EqualValues(t, buf.Len(), n)
	b, err := f.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, b, buf.Bytes())
	g, err := Read(&buf, f.options)
	require.NoError(t, err)
	require.Zero(t, buf.Len())
	require.True(t, g.Equal(f))
	require.Equal(t, f.Layout(), g.Layout())
	var h Filter
	require.NoError(t, h.UnmarshalBinary(b))
	require.True(t, h.Equal(f))
	v, err := Open(b)
	require.NoError(t, err)
	at, err := OpenAt(bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, f.Layout(), v.Layout())
	require.Equal(t, f.Layout(), at.Layout())
	var keys []Key
	for i := range uint64(200) {
		keys = append(keys, Uint64(i*17))
	}
	want := f.TestMany(nil, keys)
	require.Equal(t, want, v.TestMany(nil, keys))
	for i, k := range keys {
		require.Equal(t, want[i], f.Test(k))
		require.Equal(t, want[i], v.Test(k))
		onDisk, err := at.Test(k)
		require.NoError(t, err)
		require.Equal(t, want[i], onDisk)
	}
	return g
}

func TestRepeatedKeyOfABatchIsPresent(t *testing.T) {
	f := newFilter(t, 1000, 0.001, Options{})
	a, b := String("a"), String("b")
	require.Equal(t, []bool{false, false, true, true}, f.TestAndAddMany(nil, []Key{a, b, a, b}))
}

func TestResultsAreAppended(t *testing.T) {
	f := newFilter(t, 1000, 0.001, Options{})
	f.Add(String("a"))
	dst := make([]bool, 1, 10)
	dst[0] = true
	got := f.TestMany(dst, []Key{String("a"), String("b")})
	require.Equal(t, []bool{true, true, false}, got)
	require.Same(t, &dst[0], &got[0], "room in dst is used")
}

func TestDifferentGeometriesAreIncompatible(t *testing.T) {
	f := newFilter(t, 1000, 0.01, Options{})
	for _, g := range []*Filter{newFilter(t, 1100, 0.01, Options{}), newFilter(t, 1000, 0.001, Options{}), {}, nil} {
		require.ErrorIs(t, f.Union(g), ErrIncompatible)
		require.ErrorIs(t, f.Intersect(g), ErrIncompatible)
		_, err := f.Overlap(g)
		require.ErrorIs(t, err, ErrIncompatible)
		require.False(t, f.Equal(g))
	}
	// Capacity and target do not count, and stay the receiver's.
	g := f.Clone()
	g.layout.Capacity, g.layout.TargetRate = 7, 0.3
	require.NoError(t, f.Union(g))
	require.Equal(t, uint64(1000), f.Layout().Capacity)
	require.True(t, f.Equal(g))
}

func TestOverlapEstimates(t *testing.T) {
	oneGoroutine(t)
	f, g := newFilter(t, 100_000, 0.001, Options{}), newFilter(t, 100_000, 0.001, Options{})
	o, err := f.Overlap(g)
	require.NoError(t, err)
	require.Equal(t, Overlap{}, o)
	for i := range uint64(60_000) {
		f.Add(Uint64(i))
		g.Add(Uint64(i + 40_000))
	}
	o, err = f.Overlap(g)
	require.NoError(t, err)
	require.InEpsilon(t, 100_000, o.Union, 0.02)
	require.InEpsilon(t, 20_000, o.Intersection, 0.1)
	require.InDelta(t, 0.2, o.Jaccard, 0.02)
	disjoint := newFilter(t, 100_000, 0.001, Options{})
	disjoint.Add(String("x"))
	o, err = f.Overlap(disjoint)
	require.NoError(t, err)
	require.GreaterOrEqual(t, o.Intersection, 0.0)
	for i := range f.blocks {
		f.blocks[i] = block{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	}
	o, err = f.Overlap(g)
	require.NoError(t, err)
	require.True(t, math.IsInf(o.Union, 1))
	require.InEpsilon(t, 60_000, o.Intersection, 0.02)
	o, err = f.Overlap(f)
	require.NoError(t, err)
	require.Equal(t, 1.0, o.Jaccard)
}

func TestIntersectionKeepsExactlyTheSharedBits(t *testing.T) {
	f, g := newFilter(t, 1000, 0.01, Options{}), newFilter(t, 1000, 0.01, Options{})
	for i := range uint64(600) {
		f.Add(Uint64(i))
		g.Add(Uint64(i + 400))
	}
	before, other := f.Clone(), g.Clone()
	require.NoError(t, f.Intersect(g))
	for i := range f.blocks {
		for w := range f.blocks[i] {
			require.Equal(t, before.blocks[i][w]&other.blocks[i][w], f.blocks[i][w])
		}
	}
	require.True(t, g.Equal(other), "the argument stays")
	require.NoError(t, g.Intersect(g))
	require.True(t, g.Equal(other))
}

// Fewer shared bits than chance gives would make the sum of the estimates negative.
func TestOverlapIsNeverNegative(t *testing.T) {
	f, g := newFilter(t, 1000, 0.01, Options{}), newFilter(t, 1000, 0.01, Options{})
	for i := range f.blocks {
		f.blocks[i][0], g.blocks[i][0] = 0xffff, 0xffff0000
	}
	o, err := f.Overlap(g)
	require.NoError(t, err)
	require.Positive(t, o.Union)
	require.Zero(t, o.Intersection)
	require.Zero(t, o.Jaccard)
}

func TestThreeFoldsAreAlwaysPossible(t *testing.T) {
	f := newFilter(t, 123_457, 0.01, Options{})
	for i := range uint64(15_000) {
		f.Add(Uint64(i))
	}
	capacity := f.Layout().Capacity
	for range 3 {
		g, err := f.Fold()
		require.NoError(t, err)
		require.Equal(t, f.Layout().Blocks/2, g.Layout().Blocks)
		capacity = (capacity + 1) / 2
		require.Equal(t, capacity, g.Layout().Capacity)
		require.Equal(t, f.Layout().TargetRate, g.Layout().TargetRate)
		for i := range uint64(15_000) {
			require.True(t, g.Test(Uint64(i)))
		}
		f = g
	}
	require.InEpsilon(t, 15_000, f.Stats().Keys, 0.03)
	require.LessOrEqual(t, f.Stats().Rate, 0.011)
}

func TestHugePagesChangeNothingButSpeed(t *testing.T) {
	f := newFilter(t, 3_500_000, 0.01, Options{HugePages: true})
	g := newFilter(t, 3_500_000, 0.01, Options{})
	for i := range uint64(10_000) {
		f.Add(Uint64(i))
		g.Add(Uint64(i))
	}
	require.Greater(t, f.Layout().Bytes(), uint64(4<<20), "large enough for the advice")
	require.True(t, f.Equal(g))
}

// Pages given back to the kernel must lie inside the slice, and what comes in their place must be clear.
func TestHugePagesTouchNothingElse(t *testing.T) {
	full := block{1, 2, 3, 4, 5, 6, 7, 8}
	all := make([]block, 3*(4<<20)/blockBytes)
	for _, from := range []int{0, 1, 63, 64, 100} { // on a page, and beside one
		for i := range all {
			all[i] = full
		}
		end := from + 4<<20/blockBytes + 37
		clear(all[from:end])
		adviseHuge(all[from:end])
		for i := range all {
			if inside := i >= from && i < end; (all[i] == block{}) != inside || (all[i] == full) == inside {
				t.Fatalf("block %d of %d to %d is %v", i, from, end, all[i])
			}
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	oneGoroutine(t)
	f := newFilter(t, 1_000_000, 0.01, Options{})
	b, err := f.MarshalBinary()
	require.NoError(t, err)
	v, err := Open(b)
	require.NoError(t, err)
	keys := make([]Key, 100)
	dst := make([]bool, 0, 100)
	i := uint64(0)
	for name, work := range map[string]func(){
		"Add":              func() { f.Add(Uint64(i)) },
		"Test":             func() { f.Test(Uint64(i)) },
		"TestAndAdd":       func() { f.TestAndAdd(Uint64(i)) },
		"AddMany":          func() { f.AddMany(keys) },
		"TestMany":         func() { dst = f.TestMany(dst[:0], keys) },
		"TestAndAddMany":   func() { dst = f.TestAndAddMany(dst[:0], keys) },
		"View.Test":        func() { v.Test(Uint64(i)) },
		"View.TestMany":    func() { dst = v.TestMany(dst[:0], keys) },
		"OpenTrusted":      func() { _, _ = OpenTrusted(b) },
		"Bytes of a stack": func() { buf := [20]byte{byte(i)}; f.Test(Bytes(buf[:])) },
		"Join":             func() { f.Test(Join(Uint64(i), String("tenant"), Uint64(7))) },
		"Join of many":     func() { f.Test(Join(keys...)) },
		"Plan":             func() { _, _ = Plan(1000, 0.01) },
		"Stats":            func() { f.Stats() },
		"Overlap":          func() { _, _ = f.Overlap(f) },
	} {
		require.Zero(t, testing.AllocsPerRun(20, func() { i++; work() }), name)
	}
}
