package ratelimitrows

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/ratelimit"
)

const stormRate = 100_000 // per second

// stormRun lets n goroutines wait for one token each and returns how late they came through, in order.
func stormRun(n int, wait func(context.Context) error) (late []time.Duration, total time.Duration, err error) {
	var wg sync.WaitGroup
	at := make([]time.Duration, n)
	errs := make([]error, n)
	begin := make(chan struct{})
	var start time.Time
	for i := range n {
		wg.Go(func() {
			<-begin
			errs[i] = wait(context.Background())
			at[i] = time.Since(start)
		})
	}
	start = time.Now()
	close(begin)
	wg.Wait()
	slices.Sort(at)
	for i := range at {
		late = append(late, max(0, at[i]-time.Duration(i)*time.Second/stormRate))
		if errs[i] != nil {
			err = errs[i]
		}
	}
	slices.Sort(late)
	return late, at[n-1], err
}

func storm(n int) []harness.Row {
	waitOurs := func() func(context.Context) error {
		return made(ratelimit.PerSecond(stormRate).WithBurst(1)).Wait
	}
	rate := func(wait func() func(context.Context) error) func() (float64, error) {
		return func() (float64, error) {
			_, total, err := stormRun(n, wait())
			return float64(n-1) / stormRate / total.Seconds(), err
		}
	}
	p99 := func(wait func() func(context.Context) error) func() (float64, error) {
		return func() (float64, error) {
			late, _, err := stormRun(n, wait())
			return float64(late[len(late)*99/100].Microseconds()), err
		}
	}
	return []harness.Row{
		{
			Workload: fmt.Sprintf("Wait, %d waiters at 1e5/s", n), Unit: "of the legal rate", HigherIsBetter: true,
			Ours: value("Wait", rate(waitOurs)), Peers: []harness.Contender{value("x/time/rate", rate(xtimeWait))},
			Target: harness.Limit(0.999),
		},
		{
			Workload: fmt.Sprintf("Wait, %d waiters at 1e5/s", n), Unit: "µs late at p99",
			Ours: value("Wait", p99(waitOurs)), Peers: []harness.Contender{value("x/time/rate", p99(xtimeWait))},
			Target: harness.AtLeast(1),
		},
	}
}
