package main

import "github.com/sysblocks/sysblocks/examples/internal/estimate"

// estimate adds what the strategies cost: 200 followers on average, and as many accounts followed.
func (c *config) estimate(a estimate.Assumptions) []estimate.Figure {
	const follows = 200
	per := func(perUser float64) func(estimate.Calendar) float64 {
		return func(k estimate.Calendar) float64 { return a.DAU * perUser / k.SecondsPerDay }
	}
	return []estimate.Figure{
		estimate.Of("rows-pushed", "qps-write × 200 followers, on write", "/s", per(a.Writes*follows)),
		estimate.Of("lists-read", "qps-read × 200 followed, on read", "/s", per(a.Reads*follows)),
		estimate.Of("star-rows", "one post of an account with 100 M followers, on write", "", func(estimate.Calendar) float64 { return 100e6 }),
		estimate.Of("star-seconds", "the same at 100,000 rows/s", "", func(estimate.Calendar) float64 { return 100e6 / 100_000 }),
		estimate.Of("views-per-post", "reads / writes: above 1, work is saved on write", "", func(estimate.Calendar) float64 { return a.Reads / a.Writes }),
	}
}
