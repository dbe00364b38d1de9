package main

import (
	"math"

	"github.com/sysblocks/sysblocks/examples/internal/estimate"
)

// What the estimate assumes of a machine; each is a figure to measure on one's own.
const (
	perGateway = 10_000 // requests a second that a gateway passes on
	answerTime = 0.05   // seconds that a machine takes for a request
	atOnce     = 64     // requests that a machine works on at once
	perLimit   = 100    // bytes that a limit takes in Redis
	fullAgain  = 21     // seconds until a limit is full and forgotten: 20 tokens at one a second, and one more
)

// figures adds what a gateway needs, all of it for the peak: it is there for the peak.
func figures(a estimate.Assumptions) []estimate.Figure {
	peak := func(c estimate.Calendar) float64 {
		return estimate.Peak * a.DAU * (a.Reads + a.Writes) / c.SecondsPerDay
	}
	return []estimate.Figure{
		estimate.Of("gateways", "qps-peak / 10,000, and one that may die", "", func(c estimate.Calendar) float64 {
			return math.Ceil(peak(c)/perGateway) + 1
		}),
		estimate.Of("in-flight", "qps-peak × 50 ms (Little's law)", "", func(c estimate.Calendar) float64 { return peak(c) * answerTime }),
		estimate.Of("machines", "in-flight / 64 / LoadFactor", "", func(c estimate.Calendar) float64 {
			return math.Ceil(peak(c) * answerTime / atOnce * 1.25)
		}),
		estimate.Of("limiter-calls", "one per request: qps-peak", "/s", peak),
		estimate.Of("limiter-bytes", "qps-peak × 21 s × 100 B, if all were different users", "B", func(c estimate.Calendar) float64 {
			return peak(c) * fullAgain * perLimit
		}),
		estimate.Of("session-bytes", "dau × bytes", "B", func(estimate.Calendar) float64 { return a.DAU * a.Bytes }),
	}
}
