package idgenrows

import (
	"context"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/idgen"
)

func segments(z sizes) []harness.Row {
	return []harness.Row{
		row("Segment.Next over a counter in memory", ourSegment(serial), harness.AtLeast(1), hiLo(serial)),
		row("Segment.Next, 10 goroutines per core", ourSegment(parallel), harness.AtLeast(1.2), hiLo(parallel)),
		{
			Workload: "Segment at 1 M ids/s, 2 ms per Reserve: stalls when warm", Unit: "calls",
			Ours: ourStalls(z), Target: harness.Limit(0),
		},
	}
}

func ourSegment(run loop) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		s, err := idgen.NewSegment(new(idgen.MemoryCounter), idgen.SegmentOptions{MinStep: 100_000})
		if err != nil {
			return nil, nil, err
		}
		ctx := context.Background()
		return run(func() error { _, err := s.Next(ctx); return err }), func() { _ = s.Close(ctx) }, nil
	}}
}

// hiLo is the usual form, written out: a range under a mutex, fetched when it is empty.
func hiLo(run loop) harness.Contender {
	return harness.Contender{Name: "hi-lo under a mutex", Setup: func() (harness.Op, func(), error) {
		var mu sync.Mutex
		var counter idgen.MemoryCounter
		var next, end int64
		ctx := context.Background()
		return run(func() error {
			mu.Lock()
			defer mu.Unlock()
			if next == end {
				first, err := counter.Reserve(ctx, 100_000)
				if err != nil {
					return err
				}
				next, end = first, first+100_000
			}
			next++
			return nil
		}), nil, nil
	}}
}

// slow is a counter 2 ms away.
type slow struct{ idgen.MemoryCounter }

func (s *slow) Reserve(ctx context.Context, n int64) (int64, error) {
	select {
	case <-time.After(2 * time.Millisecond):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.MemoryCounter.Reserve(ctx, n)
}

func ourStalls(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Value: func() (float64, error) {
		ctx := context.Background()
		s, err := idgen.NewSegment(new(slow), idgen.SegmentOptions{})
		if err != nil {
			return 0, err
		}
		defer s.Close(ctx)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		warm := uint64(0)
		for begin, is := time.Now(), false; time.Since(begin) < z.run; {
			<-tick.C
			if !is && time.Since(begin) > z.run/2 {
				is, warm = true, s.Stats().Stalls
			}
			for range 1000 {
				if _, err := s.Next(ctx); err != nil {
					return 0, err
				}
			}
		}
		return float64(s.Stats().Stalls - warm), nil
	}}
}
