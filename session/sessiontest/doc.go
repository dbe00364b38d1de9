// Package sessiontest tests stores, and handlers that use sessions. It uses testing only.
//
// A store of your own is right when this passes, with -race:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(t *testing.T) session.Store { return newEmptyStore(t) })
//	}
//
// Each sub-test is named after the rule it checks. Histories of parallel calls are searched for an order in which
// a sequential store would have given the same answers; the seed of a failed history is printed, although another
// run of the same seed interleaves differently.
//
// Request makes a logged-in request for the test of a handler, and Faulty a store that fails on demand.
package sessiontest
