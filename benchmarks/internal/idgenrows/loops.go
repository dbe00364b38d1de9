package idgenrows

import (
	"runtime"
	"sync"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// loop says who makes the n calls of an Op.
type loop func(once func() error) harness.Op

// serial makes them in the calling goroutine.
func serial(once func() error) harness.Op {
	return func(n int) {
		for range n {
			if err := once(); err != nil {
				panic(err)
			}
		}
	}
}

// parallel spreads them over ten goroutines per core.
func parallel(once func() error) harness.Op { return spread(10 * runtime.GOMAXPROCS(0))(once) }

// spread spreads them over a number of goroutines.
func spread(goroutines int) loop {
	return func(once func() error) harness.Op {
		one := serial(once)
		return func(n int) {
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() { one((n + g) / goroutines) })
			}
			wg.Wait()
		}
	}
}

// contender wraps a call that needs no setup to speak of.
func contender(name string, run loop, once func() error) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) { return run(once), nil, nil }}
}
