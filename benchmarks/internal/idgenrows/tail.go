package idgenrows

import (
	"math/bits"
	"runtime"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/idgen"
)

// durations counts calls by the length of their time: sixteen classes per power of two of nanoseconds, so that a class is
// within 6 % of a time.
type durations [64 * 16]int

func (d *durations) add(t time.Duration) {
	v := uint64(max(t, 1)) << 4
	top := bits.Len64(v)
	d[(top-5)*16+int(v>>(top-5)&15)]++
}

// quantile returns the time that a part q of the calls does not exceed.
func (d *durations) quantile(q float64) float64 {
	total := 0
	for _, n := range d {
		total += n
	}
	rest := int(q * float64(total))
	for i, n := range d {
		if rest -= n; rest < 0 {
			return float64(uint64(i%16+17)<<(i/16)) / 16
		}
	}
	return 0
}

// tail is the quantile of the time of one call, with ten goroutines per core.
func tail(name string, m maker, run time.Duration, q float64) harness.Contender {
	return harness.Contender{Name: name, Value: func() (float64, error) {
		next, err := m()
		if err != nil {
			return 0, err
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		var all durations
		begin := time.Now()
		for range 10 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				var own durations
				for now := time.Now(); now.Sub(begin) < run; {
					if next() != nil {
						continue
					}
					after := time.Now()
					own.add(after.Sub(now))
					now = after
				}
				mu.Lock()
				defer mu.Unlock()
				for i, n := range own {
					all[i] += n
				}
			})
		}
		wg.Wait()
		return all.quantile(q), nil
	}}
}

func tails(z sizes) []harness.Row {
	ours := func(seq uint8) maker {
		return ourMaker(idgen.SnowflakeOptions{Layout: idgen.Layout{TimeBits: 39, SeqBits: seq}})
	}
	peer := func() (func() error, error) {
		n, err := newBwmarrin(22)
		return func() error { n.Generate(); return nil }, err
	}
	sony := func() (func() error, error) {
		s, err := newSonyflake(24, 1, time.Millisecond)
		return func() error { _, err := s.NextID(); return err }, err
	}
	row := func(bits uint8, name string, m maker) harness.Row {
		return harness.Row{
			Workload: "Next, 10 goroutines per core: 99.9 % of calls, against " + name, Unit: "ns", Target: harness.AtLeast(10),
			Ours: tail("ours", ours(bits), z.run, 0.999), Peers: []harness.Contender{tail(name, m, z.run, 0.999)},
		}
	}
	return []harness.Row{row(22, "bwmarrin/snowflake", peer), row(24, "sonyflake v2", sony)}
}
