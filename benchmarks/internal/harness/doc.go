// Package harness times one piece of work against the same work done by peers,
// interleaved in one process, and reports ratios.
package harness
