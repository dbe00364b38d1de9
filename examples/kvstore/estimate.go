package main

import "github.com/sysblocks/sysblocks/examples/internal/estimate"

// What one machine is taken to carry: a common disk, and a rate well under what one core answers.
const (
	machineBytes = 4e12
	machineRate  = 20_000
)

func (c *config) estimate(a estimate.Assumptions) []estimate.Figure {
	figures := a.Figures()
	peak, bytes, n := figures[2], figures[4], float64(c.quorum.N)
	at := func(f estimate.Figure) func(estimate.Calendar) float64 {
		return func(cal estimate.Calendar) float64 {
			if cal == estimate.Exact() {
				return f.Exact
			}
			return f.Board
		}
	}
	return []estimate.Figure{
		estimate.Of("bytes-copies", "N × bytes", "B", func(cal estimate.Calendar) float64 { return n * at(bytes)(cal) }),
		estimate.Of("nodes-disk", "bytes-copies / 4 TB a node", "", func(cal estimate.Calendar) float64 { return n * at(bytes)(cal) / machineBytes }),
		estimate.Of("nodes-rate", "N × qps-peak / 20,000 a node", "", func(cal estimate.Calendar) float64 { return n * at(peak)(cal) / machineRate }),
	}
}
