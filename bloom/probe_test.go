package bloom

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// geometry makes a layout of any shape.
func geometry(s shape, blocks uint64) Layout {
	g, p := s.words()
	return Layout{Capacity: blocks * 40, TargetRate: 0.01, Blocks: blocks, Words: g, Bits: p}
}

func allShapes() []shape {
	var all []shape
	for s := shape2x2; s < shapeEnd; s++ {
		all = append(all, s)
	}
	return all
}

func TestProbeKnownAnswers(t *testing.T) {
	k := String("sysblocks")
	block, mask := geometry(shape2x3, 1000).Probe(k)
	require.Equal(t, uint64(649), block)
	require.Equal(t, [8]uint64{0: 0x0009040000000000, 7: 0x0000000000100042}, mask)
	block, mask = geometry(shape4x2, 1000).Probe(k)
	require.Equal(t, uint64(649), block)
	require.Equal(t, [8]uint64{
		0: 0x0009000000000000, 2: 0x0000800000040000, 4: 0x0000000000100002, 7: 0x0000000010002000,
	}, mask)
}

func TestTenShapesExist(t *testing.T) {
	n := 0
	for g := -1; g <= 10; g++ {
		for p := -1; p <= 10; p++ {
			s := shapeOf(g, p)
			if s == shapeNone {
				continue
			}
			n++
			g2, p2 := s.words()
			require.Equal(t, [2]int{g, p}, [2]int{g2, p2})
		}
	}
	require.Equal(t, 10, n)
	g, p := shapeNone.words()
	require.Zero(t, g+p)
}

// Each kernel is an unrolled copy of Probe; a wrong shift in one of them shows here.
func TestKernelsSetAndTestExactlyTheProbe(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	rounds := 2000
	if underRace {
		rounds = 50
	}
	for _, s := range allShapes() {
		l := geometry(s, 7)
		for range rounds {
			k := Hashed(rng.Uint64())
			_, mask := l.Probe(k)
			var safe, plain block
			add(&safe, s, k.h)
			addPlain(&plain, s, k.h)
			require.Equal(t, block(mask), safe, "shape %d", s)
			require.Equal(t, block(mask), plain, "shape %d", s)
			require.True(t, test(&safe, s, k.h))
			f := makeFilter(geometry(s, 1), Options{})
			f.Add(k)
			g := makeFilter(geometry(s, 1), Options{Unsynchronized: true})
			g.Add(k)
			require.Equal(t, safe, f.blocks[0], "shape %d", s)
			require.Equal(t, safe, g.blocks[0], "shape %d", s)
			require.True(t, f.Test(k), "shape %d", s)
			raw := appendBlock(nil, &safe)
			require.True(t, testBytes(raw, s, k.h))
			// Every single bit of the mask is needed, and no other bit matters.
			for w, m := range mask {
				for ; m != 0; m &= m - 1 {
					bit := m & -m
					full := block{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
					full[w] &^= bit
					require.False(t, test(&full, s, k.h), "shape %d word %d", s, w)
					f.blocks[0] = full
					require.False(t, f.Test(k), "shape %d word %d", s, w)
					require.Equal(t, []bool{false}, f.TestMany(nil, []Key{k}), "shape %d word %d", s, w)
					require.False(t, testBytes(appendBlock(nil, &full), s, k.h), "shape %d word %d", s, w)
				}
			}
		}
	}
}

func TestImpossibleLayoutsGiveZeros(t *testing.T) {
	for _, l := range []Layout{{}, {Blocks: 5, Words: 3, Bits: 2}, {Words: 2, Bits: 2}, {Blocks: 1, Words: -2, Bits: 9}} {
		b, m := l.Probe(String("x"))
		require.Zero(t, b)
		require.Zero(t, m)
		require.Zero(t, l.RateAt(10))
		_, err := l.AppendBinary(nil)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestBlocksStartOnCacheLines(t *testing.T) {
	for n := uint64(1); n < 600; n++ {
		f := makeFilter(geometry(shape2x3, n), Options{})
		require.Zero(t, uintptr(unsafe.Pointer(&f.blocks[0]))%64, "%d blocks", n)
	}
	require.Equal(t, uintptr(64), unsafe.Sizeof(stripe{}))
	require.Len(t, makeStripes(1), 1)
	require.Len(t, makeStripes(511), 1)
	require.Len(t, makeStripes(512), 2)
	require.Len(t, makeStripes(1<<20), 64)
}

// The kernels of the chosen shapes and the loops of batches are unrolled once more.
func TestKernelsAndBatchesAgree(t *testing.T) {
	oneGoroutine(t)
	rng := rand.New(rand.NewPCG(13, 14))
	for _, s := range allShapes() {
		f := makeFilter(geometry(s, smallBlocks), Options{Unsynchronized: true})
		for range smallBlocks * 70 {
			f.Add(Hashed(rng.Uint64()))
		}
		keys := make([]Key, 5000)
		for i := range keys {
			keys[i] = Hashed(rng.Uint64())
		}
		hits := 0
		for i, present := range f.TestMany(nil, keys) {
			b, _ := f.layout.Probe(keys[i])
			require.Equal(t, test(&f.blocks[b], s, keys[i].h), present, "shape %d", s)
			require.Equal(t, present, f.Test(keys[i]), "shape %d", s)
			if present {
				hits++
			}
		}
		require.Positive(t, hits)
	}
}

// chiSquare returns how many standard deviations the statistic lies above its mean.
func chiSquare(counts []int, total int) float64 {
	expect := float64(total) / float64(len(counts))
	var x float64
	for _, c := range counts {
		d := float64(c) - expect
		x += d * d / expect
	}
	df := float64(len(counts) - 1)
	return (x - df) / math.Sqrt(2*df)
}

// Six standard deviations of a chi-square with 100 degrees or more are below 1e-7. The keys are fixed, so the test
// gives the same answer on every run.
func TestBlocksAndBitsAreUniformForRealKeys(t *testing.T) {
	oneGoroutine(t)
	kinds := map[string]func(i int) Key{
		"integers": func(i int) Key { return Uint64(uint64(i)) },
		"urls":     func(i int) Key { return String(fmt.Sprintf("https://example.com/item/%d?ref=home", i)) },
		"uuids":    func(i int) Key { return String(fmt.Sprintf("01890a5d-ac96-774b-bcce-%012x", i)) },
		"one bit":  func(i int) Key { b := make([]byte, 8192); b[i/8] = 1 << (i % 8); return Bytes(b) },
	}
	const n, blocks = 60000, 257
	for name, key := range kinds {
		for _, s := range []shape{shape2x3, shape4x2, shape4x3, shape8x2} {
			l := geometry(s, blocks)
			perBlock := make([]int, blocks)
			perBit := make([]int, 512)
			ones := 0
			for i := range n {
				b, mask := l.Probe(key(i))
				perBlock[b]++
				for w, m := range mask {
					ones += bits.OnesCount64(m)
					for ; m != 0; m &= m - 1 {
						perBit[64*w+bits.TrailingZeros64(m)]++
					}
				}
			}
			require.Less(t, chiSquare(perBlock, n), 6.0, "blocks of %s, shape %d", name, s)
			require.Less(t, chiSquare(perBit, ones), 6.0, "bits of %s, shape %d", name, s)
		}
	}
}
