// Package harness compares one piece of work with the same work done by peers.
//
// A suite is a list of rows; a row has our contender, its peers and a target.
// All contenders of a row live in one process and take turns, round by round,
// so that a change in the machine's speed hits them alike: a ratio within one
// round is trustworthy where an absolute time is not. The ratio of a row is the
// median, over the rounds, of the ratio within a round.
//
//	round 1:  ours │ peer A │ peer B      ratio A₁ = A/ours, ratio B₁ = B/ours
//	round 2:  peer A │ peer B │ ours      the order rotates: nobody is always first
//	  …
//	row:      best peer = smallest median time; ratio = median of its ratios
//
// A contender either runs an operation n times (Setup) or answers with a figure
// of its own (Value): bytes per key, hit ratio, round trips.
package harness
