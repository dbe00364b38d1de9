// Package idgen runs the stores of the block idgen on real servers: the conformance kits, processes that are stopped and
// killed, servers that die in the middle of a reservation.
package idgen
