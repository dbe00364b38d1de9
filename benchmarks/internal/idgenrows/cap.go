package idgenrows

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/idgen"
)

const formatRate = 4_096_000 // ids per second of 12 bits per millisecond

// maker makes a function that returns one id.
type maker func() (next func() error, err error)

func ourMaker(o idgen.SnowflakeOptions) maker {
	return func() (func() error, error) {
		g, err := idgen.NewSnowflake(0, o)
		if err != nil {
			return nil, err
		}
		ctx := context.Background()
		return func() error { _, err := g.Next(ctx); return err }, nil
	}
}

func bwmarrinMaker() (func() error, error) {
	n, err := newBwmarrin(12)
	if err != nil {
		return nil, err
	}
	return func() error { n.Generate(); return nil }, nil
}

func sonyflakeMaker() (func() error, error) {
	s, err := newSonyflake(8, 16, 10*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return func() error { _, err := s.NextID(); return err }, nil
}

// outcome is what goroutines got in a fixed time.
type outcome struct {
	ids     []int // per goroutine
	longest time.Duration
	cpu     time.Duration
	elapsed time.Duration
}

func (o outcome) sum() (n int) {
	for _, k := range o.ids {
		n += k
	}
	return n
}

// press lets goroutines call next for a time. With wait it times every call, and counts after an eighth of the time: the
// first tick belongs to whoever starts first.
func press(m maker, goroutines int, run time.Duration, wait bool) (outcome, error) {
	next, err := m()
	if err != nil {
		return outcome{}, err
	}
	o := outcome{ids: make([]int, goroutines)}
	before, err := processorTime()
	if err != nil {
		return o, err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			longest, n := time.Duration(0), 0
			for k := 0; ; k++ {
				if (wait || k%64 == 0) && time.Since(begin) >= run {
					break
				}
				t := begin
				if wait {
					t = time.Now()
				}
				if next() != nil {
					continue
				}
				if !wait {
					n++
					continue
				}
				longest = max(longest, time.Since(t))
				if t.Sub(begin) > run/8 {
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			o.ids[g], o.longest = n, max(o.longest, longest)
		})
	}
	wg.Wait()
	o.elapsed = time.Since(begin)
	after, err := processorTime()
	o.cpu = after - before
	return o, err
}

// processorTime is that of the whole process.
func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// figure is a contender whose value is taken from one outcome.
func figure(name string, m maker, goroutines int, run time.Duration, wait bool, of func(outcome) float64) harness.Contender {
	return harness.Contender{Name: name, Value: func() (float64, error) {
		o, err := press(m, goroutines, run, wait)
		if err != nil {
			return 0, err
		}
		return of(o), nil
	}}
}

func atTheCap(z sizes) []harness.Row {
	cpu := func(o outcome) float64 { return float64(o.cpu) / float64(max(1, o.sum())) }
	rate := func(o outcome) float64 { return float64(o.sum()) / o.elapsed.Seconds() / formatRate }
	plain, ahead := idgen.SnowflakeOptions{}, idgen.SnowflakeOptions{MaxAhead: 5 * time.Millisecond}
	var rows []harness.Row
	for _, g := range []int{1, 64} {
		rows = append(rows,
			harness.Row{
				Workload: fmt.Sprintf("at the cap of 12 bits, %d goroutines: processor time", g), Unit: "ns/id", Target: harness.AtLeast(2.5),
				Ours:  figure("ours", ourMaker(plain), g, z.run, false, cpu),
				Peers: []harness.Contender{figure("bwmarrin/snowflake", bwmarrinMaker, g, z.run, false, cpu)},
			},
			harness.Row{
				Workload: fmt.Sprintf("at the cap of 12 bits, %d goroutines: part of the format's rate", g), Unit: "of 4.096 M/s",
				Ours: figure("ours", ourMaker(plain), g, z.run, false, rate), Target: harness.Limit(0.8), HigherIsBetter: true,
				Peers: []harness.Contender{figure("bwmarrin/snowflake", bwmarrinMaker, g, z.run, false, rate)},
			},
			harness.Row{
				Workload: fmt.Sprintf("the same with MaxAhead of 5 ms, %d goroutines", g), Unit: "of 4.096 M/s",
				Ours: figure("ours", ourMaker(ahead), g, z.run, false, rate), Target: harness.Limit(0.99), HigherIsBetter: true,
			})
	}
	// 256 ids per 10 ms: a queue of 64 waits 2.5 ms, in ticks 10.
	sony := idgen.SnowflakeOptions{Layout: idgen.Sonyflake()}
	longest := func(o outcome) float64 { return float64(o.longest) / float64(time.Millisecond) }
	fair := func(o outcome) float64 { return float64(slices.Max(o.ids)) / float64(max(1, slices.Min(o.ids))) }
	return append(rows,
		harness.Row{ // a queue longer than a tick: everybody waits for a place in it
			Workload: "Sonyflake layout, 512 goroutines: most to fewest ids", Unit: "ratio", Target: harness.Limit(1.05),
			Ours:  figure("ours", ourMaker(sony), 512, z.run, true, fair),
			Peers: []harness.Contender{figure("sonyflake v2", sonyflakeMaker, 512, z.run, true, fair)},
		},
		harness.Row{
			Workload: "Sonyflake layout, 64 goroutines: longest wait", Unit: "ms", Target: harness.Limit(20),
			Ours:  figure("ours", ourMaker(sony), 64, z.run, true, longest),
			Peers: []harness.Contender{figure("sonyflake v2", sonyflakeMaker, 64, z.run, true, longest)},
		},
		harness.Row{
			Workload: "Sonyflake layout, 64 goroutines: most to fewest ids", Unit: "ratio", Target: harness.Limit(1.05),
			Ours:  figure("ours", ourMaker(sony), 64, z.run, true, fair),
			Peers: []harness.Contender{figure("sonyflake v2", sonyflakeMaker, 64, z.run, true, fair)},
		})
}
