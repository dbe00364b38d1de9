//go:build race

package bloom

// underRace is set where every access costs ten times as much. Tests whose one goroutine gives the race detector nothing to
// find are skipped or shortened then; they run in full without it.
const underRace = true
