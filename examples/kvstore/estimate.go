package main

import (
	"math"

	"github.com/sysblocks/sysblocks/examples/internal/estimate"
)

// What one machine is taken to carry: a common disk, and a rate well under what it answers.
const (
	machineBytes = 4e12
	machineRate  = 20_000
)

// estimate adds what replication costs, and the number of machines by disk and by rate: the larger one counts.
func (c *config) estimate(a estimate.Assumptions) []estimate.Figure {
	figures, n := a.Figures(), float64(c.Quorum.N)
	peak, bytes := figures[2], figures[4]
	return []estimate.Figure{
		{Name: "bytes-copies", How: "N × bytes", Unit: "B", Exact: n * bytes.Exact, Board: n * bytes.Board},
		nodes("nodes-disk", "bytes-copies / 4 TB a node", n*bytes.Exact/machineBytes, n*bytes.Board/machineBytes),
		nodes("nodes-rate", "N × qps-peak / 20,000 a node", n*peak.Exact/machineRate, n*peak.Board/machineRate),
	}
}

func nodes(name, how string, exact, board float64) estimate.Figure {
	return estimate.Figure{Name: name, How: how, Exact: math.Ceil(exact), Board: math.Ceil(board)}
}
