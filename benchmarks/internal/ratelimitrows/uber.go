package ratelimitrows

import (
	uberlimit "go.uber.org/ratelimit"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// uber takes at a rate that never makes it wait.
func uber(callers int) harness.Contender {
	l := uberlimit.New(1_000_000_000)
	return parallel("uber-go/ratelimit", callers, func() func() { return func() { l.Take() } })
}
