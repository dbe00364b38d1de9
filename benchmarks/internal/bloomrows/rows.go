// Package bloomrows compares package bloom with its peers: speed, bits per key, and the rate that comes out.
//
// Every filter is filled to capacity before it is timed, keys are shuffled, results are summed without a branch, and
// where a peer takes a number of bits it gets ours. A loop stands in each adapter, so that no contender pays for an
// indirect call.
package bloomrows

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/bloom"
)

// data is what all contenders of a row work on.
type data struct {
	rate    float64
	n       uint64 // keys in the filter, the hashes of 0 to n-1
	bits    uint64 // of our filter
	present []uint64
	absent  []uint64
}

// samples is the number of keys that a loop cycles through, a power of two: so many that no branch predictor learns the
// outcomes by heart, which a few thousand repeated keys allow, and read in order, so that the keys cost next to nothing.
const samples = 1 << 18

// newData sizes a filter of about that many bytes.
func newData(bytes uint64, rate float64) (data, error) {
	l, err := bloom.Plan(1_000_000, rate)
	if err != nil {
		return data{}, err
	}
	d := data{rate: rate, n: bytes * 1_000_000 / l.Bytes()}
	if l, err = bloom.Plan(d.n, rate); err != nil {
		return data{}, err
	}
	d.bits = 8 * l.Bytes()
	rng := rand.New(rand.NewPCG(7, d.n))
	for range samples {
		v := rng.Uint64N(d.n)
		d.present = append(d.present, bloom.Uint64(v).Hash())
		d.absent = append(d.absent, bloom.Uint64(v+1<<40).Hash())
	}
	return d, nil
}

// hashes calls f with the hash of every key.
func (d data) hashes(f func(h uint64)) {
	for i := range d.n {
		f(bloom.Uint64(i).Hash())
	}
}

// one turns a result into a number without a branch.
func one(b bool) uint64 {
	var x uint64
	if b {
		x = 1
	}
	return x
}

// result keeps sums alive; it is written once per loop.
type result struct {
	mu  sync.Mutex
	sum uint64
}

var sink result //nolint:gochecknoglobals // results must go somewhere, else the compiler drops the work

func keep(sum uint64) {
	sink.mu.Lock()
	sink.sum += sum
	sink.mu.Unlock()
}

// spread runs n operations on 8 goroutines, as from and to of each.
func spread(n int, work func(from, to int)) { spreadOver(8, n, work) }

func spreadOver(goroutines, n int, work func(from, to int)) {
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() { work(n*g/goroutines, n*(g+1)/goroutines) })
	}
	wg.Wait()
}

// timed makes a contender of a function that prepares the work.
func timed(name string, setup func() (harness.Op, error)) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		op, err := setup()
		return op, nil, err
	}}
}

func figure(name string, value func() (float64, error)) harness.Contender {
	return harness.Contender{Name: name, Value: value}
}

// Rows returns the rows of package bloom. quick shrinks the data for a test.
func Rows(quick bool) ([]harness.Row, error) {
	small, huge, file := uint64(1<<20), uint64(512<<20), uint64(64<<20)
	if quick {
		small, huge, file = 64<<10, 1<<20, 1<<20
	}
	d, err := newData(small, 0.01)
	if err != nil {
		return nil, err
	}
	disk, err := newLarge(file, 0.01, quick)
	if err != nil {
		return nil, err
	}
	ram, err := newLarge(huge, 0.01, quick)
	if err != nil {
		return nil, err
	}
	rows := cachedRows(d)
	rows = append(rows, sharedRows(d)...)
	rows = append(rows, memoryRows(quick)...)
	rows = append(rows, grownRows(quick)...)
	rows = append(rows, redisRows(d)...)
	rows = append(rows, formatRows(d, disk)...)
	return append(rows, largeRows(ram)...), nil // last: they keep 2.5 GiB
}

// cachedRows are of a filter in the second-level cache, in one goroutine.
func cachedRows(d data) []harness.Row {
	return []harness.Row{
		{
			Workload: "Test, absent keys, 1 MiB, 1 %", Ours: ourTest(d, d.absent), Peers: []harness.Contender{blobTest(d, d.absent)},
			Target: harness.AtLeast(2.5),
		},
		{
			Workload: "Test, absent keys, 1 MiB, 1 %, safe to share", Ours: ourTest(d, d.absent),
			Peers: []harness.Contender{blobSyncTest(d, d.absent)}, Target: harness.AtLeast(3.5),
		},
		{
			Workload: "Test, present keys, 1 MiB, safe to share", Ours: ourTest(d, d.present),
			Peers: []harness.Contender{blobSyncTest(d, d.present)}, Target: harness.AtLeast(1.5),
		},
		{
			Workload: "Test, absent keys, 1 MiB, against assembly", Ours: ourTest(d, d.absent),
			Peers: []harness.Contender{parquetTest(d, d.absent)}, Target: harness.AtLeast(0.9),
		},
		{
			Workload: "TestMany, absent keys, 1 MiB, against assembly", Ours: ourTestMany(d, d.absent),
			Peers: []harness.Contender{parquetTest(d, d.absent)}, Target: harness.AtLeast(1),
		},
		{
			Workload: "Test, absent keys, 1 MiB, other structures", Ours: ourTest(d, d.absent),
			Peers:  []harness.Contender{fuseTest(d, d.absent), ristrettoTest(d, d.absent), holimanTest(d, d.absent)},
			Target: harness.Report(),
		},
		{
			Workload: "hash and Test, 16-byte strings, absent, 1 MiB", Ours: ourString(d),
			Peers: []harness.Contender{classicString(d)}, Target: harness.AtLeast(6),
		},
		{
			Workload: "hash and Test, 16-byte strings, absent, 1 MiB, a filter that deletes", Ours: ourString(d),
			Peers: []harness.Contender{cuckooString(d)}, Target: harness.Report(),
		},
		{
			Workload: "Add, fresh keys, 1 MiB, safe to share", Ours: ourAdd(d, bloom.Options{}),
			Peers: []harness.Contender{blobSyncAdd(d)}, Target: harness.AtLeast(2.5),
		},
		{
			Workload: "Add, fresh keys, 1 MiB, Unsynchronized", Ours: ourAdd(d, bloom.Options{Unsynchronized: true}),
			Peers: []harness.Contender{blobAdd(d)}, Target: harness.AtLeast(1.5),
		},
		{
			Workload: "New(1_000, 0.01)", Ours: timed("bloom", func() (harness.Op, error) {
				return func(n int) {
					for range n {
						f, err := bloom.New(1000, 0.01, bloom.Options{})
						if err == nil {
							keep(f.Layout().Blocks)
						}
					}
				}, nil
			}), Target: harness.Limit(20_000), MaxAllocs: harness.NoAllocLimit,
		},
	}
}

// sharedRows are of a filter that 8 goroutines share.
func sharedRows(d data) []harness.Row {
	processors := min(8, runtime.GOMAXPROCS(0))
	alone := ourTest(d, d.absent)
	alone.Name = "one goroutine"
	return []harness.Row{
		{
			Workload: fmt.Sprintf("Test, %d goroutines on as many processors, 1 MiB", processors), Ours: ourParallel(d, processors),
			Peers: []harness.Contender{alone}, Target: harness.AtLeast(0.85 * float64(processors)), MaxAllocs: 0.01,
		},
		{
			Workload: "8 goroutines, 90 % Test, 10 % Add, 1 MiB", Ours: ourMixed(d), Peers: []harness.Contender{blobMixed(d)},
			Target: harness.AtLeast(2), MaxAllocs: 0.01,
		},
		{
			Workload: "8 goroutines, 90 % Test, 10 % Add, 1 MiB, a lock per call", Ours: ourMixed(d),
			Peers: []harness.Contender{holimanMixed(d)}, Target: harness.AtLeast(10), MaxAllocs: 0.01,
		},
		{
			Workload: "8 goroutines, TestAndAdd of duplicates, 1 MiB", Ours: ourDuplicates(d),
			Peers: []harness.Contender{classicDuplicates(d)}, Target: harness.AtLeast(8), MaxAllocs: 0.01,
		},
	}
}
