//go:build !race

package hashring

// raceEnabled is true under the race detector, which keeps functions from being inlined, so that iterators allocate.
const raceEnabled = false
