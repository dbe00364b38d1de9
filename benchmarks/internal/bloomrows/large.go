package bloomrows

import (
	"math"
	"math/rand/v2"
	"sync"

	bits "github.com/bits-and-blooms/bloom/v3"
	"github.com/greatroar/blobloom"
	parquet "github.com/parquet-go/parquet-go/bloom"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/bloom"
)

// large is a set of filters far larger than the caches. They are built together, once, when the first row asks.
//
// Adding hundreds of millions of shuffled keys would take the slower peers minutes. The hashes come in ascending order
// instead, a random (Poisson) process over all 64-bit numbers, so that each filter is filled from its first block to its
// last with the bits that hashed keys would have set; the tests then come in random order. A classic filter has no such
// order: its bits are random words, half of them ones, as in a filter at its capacity.
type large struct {
	data
	samples int
	build   func() (*built, error)
}

type built struct {
	ours   *bloom.Filter
	huge   *bloom.Filter // the same bits on huge pages
	blob   *blobloom.Filter
	split  parquet.SplitBlockFilter
	words  []uint64 // of a classic filter
	absent []uint64
}

func newLarge(bytes uint64, rate float64, quick bool) (large, error) {
	l, err := bloom.Plan(1_000_000, rate)
	if err != nil {
		return large{}, err
	}
	d := data{rate: rate, n: bytes * 1_000_000 / l.Bytes()}
	if l, err = bloom.Plan(d.n, rate); err != nil {
		return large{}, err
	}
	d.bits = 8 * l.Bytes()
	// The lines of 4 million keys are 256 MiB, so that none is still in a cache when its key comes again.
	g := large{data: d, samples: 1 << 22}
	if quick {
		g.samples = 1 << 14
	}
	g.build = sync.OnceValues(g.fill)
	return g, nil
}

// fill builds all filters in one pass over the hashes.
func (g large) fill() (*built, error) {
	b := &built{
		blob:  blobloom.New(g.bits, blobHashes(g.data)),
		split: parquet.MakeSplitBlockFilter(make([]byte, g.bits/8)),
		words: make([]uint64, g.bits/64),
	}
	plain, err := bloom.New(g.n, g.rate, bloom.Options{Unsynchronized: true})
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(17, g.n))
	step := math.Exp2(64) / float64(g.n)
	for at := 0.0; ; {
		if at += step * rng.ExpFloat64(); at >= math.Exp2(64) {
			break
		}
		h := uint64(at) ^ rng.Uint64()&0x7ff // a float64 has 53 bits
		plain.Add(bloom.Hashed(h))
		b.split.Insert(h)
		b.blob.Add(h<<32 | h>>32) // it takes the block from the low half
	}
	for i := range b.words {
		b.words[i] = rng.Uint64()
	}
	b.absent = make([]uint64, g.samples)
	for i := range b.absent {
		b.absent[i] = rng.Uint64()
	}
	b.ours = plain
	if b.huge, err = bloom.New(g.n, g.rate, bloom.Options{HugePages: true}); err != nil {
		return nil, err
	}
	return b, b.huge.Union(plain)
}

func (g large) contender(name string, op func(b *built) harness.Op) harness.Contender {
	return timed(name, func() (harness.Op, error) {
		b, err := g.build()
		if err != nil {
			return nil, err
		}
		return op(b), nil
	})
}

func (g large) classic(b *built) *bits.BloomFilter {
	return bits.FromWithM(b.words, uint(g.bits), g.classicHashes())
}

// largeRows are of filters in main memory.
func largeRows(g large) []harness.Row {
	test := g.contender("bloom", func(b *built) harness.Op { return ourTestOp(b.ours, ourKeys(b.absent)) })
	testHuge := g.contender("bloom, HugePages", func(b *built) harness.Op { return ourTestOp(b.huge, ourKeys(b.absent)) })
	many := g.contender("bloom", func(b *built) harness.Op { return ourTestManyOp(b.ours, ourKeys(b.absent)) })
	manyHuge := g.contender("bloom, HugePages", func(b *built) harness.Op { return ourTestManyOp(b.huge, ourKeys(b.absent)) })
	own := func(name string, c harness.Contender) []harness.Contender {
		c.Name = name
		return []harness.Contender{c}
	}
	return []harness.Row{
		{
			Workload: "Test, absent keys, 512 MiB", Ours: test,
			Peers: []harness.Contender{g.contender("blobloom Filter", func(b *built) harness.Op { return blobTestOp(b.blob, b.absent) })},
			// The miss is the same for everybody.
			Target: harness.AtLeast(1.2),
		},
		{
			Workload: "hash and Test, 16-byte strings, absent, 512 MiB",
			Ours:     g.contender("bloom", func(b *built) harness.Op { return ourStringOp(b.ours, texts(g.samples)) }),
			Peers: []harness.Contender{g.contender("bits-and-blooms", func(b *built) harness.Op {
				return classicStringOp(g.classic(b), texts(g.samples))
			})},
			Target: harness.AtLeast(6),
		},
		{Workload: "TestMany, 512 MiB, against Test", Ours: many, Peers: own("our Test", test), Target: harness.AtLeast(1.8)},
		{
			Workload: "TestMany, 512 MiB, against assembly", Ours: many,
			Peers:  []harness.Contender{g.contender("parquet-go", func(b *built) harness.Op { return parquetTestOp(b.split, b.absent) })},
			Target: harness.AtLeast(1.5),
		},
		{
			Workload: "TestMany, 512 MiB, HugePages", Ours: manyHuge, Peers: own("our TestMany without", many),
			Target: harness.AtLeast(1.15),
		},
		{Workload: "Test, 512 MiB, HugePages", Ours: testHuge, Peers: own("our Test without", test), Target: harness.Report()},
	}
}
