//go:build race

package pagination

// raceEnabled says that the race detector runs, which allocates and empties pools at random.
const raceEnabled = true
