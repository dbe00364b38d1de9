//go:build !race

package uuid

// raceEnabled says that the race detector runs, which allocates and empties pools at random.
const raceEnabled = false
