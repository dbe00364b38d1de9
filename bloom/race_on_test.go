//go:build race

package bloom

// underRace shrinks the statistical tests where the race detector makes them ten times slower and finds nothing in
// them: they run in one goroutine.
const underRace = true
