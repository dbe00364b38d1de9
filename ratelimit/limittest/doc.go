// Package limittest is the conformance kit for implementations of ratelimit.Backend. A package that ships one calls Run
// in a test:
//
//	func TestBackend(t *testing.T) {
//		limittest.Run(t, func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
//			return mine.New(limits)
//		})
//	}
//
// # How it works
//
// Each subtest is named after the rule that it proves, asks newBackend for an empty backend of its own, and counts what
// it admits. Rules about time use real time: a backend may have its clock in another machine.
//
//	take 3 of 3 ── denied, RetryAfter r ── wait r ── admitted
//	                       └─ wait much less ── still denied
//
// # Choosing
//
// There is one kit; a backend passes all of it or does not keep the contract. Limits are chosen so that a backend with a
// clock of milliseconds and a round trip of 20 ms passes: refill times of 200 ms and more.
//
// # Guarantees
//
//  1. Run needs under three seconds; subtests that wait run in parallel.
//  2. Keys differ between subtests, but a backend must be empty when it is made.
//  3. Nothing but testing is imported, so that the kit brings no dependency.
//
// # Costs
//
// About 400 calls of Take.
//
// # Limits
//
// The kit does not prove exactness below 50 ms, durability, or behaviour during failures; a store's own tests do.
//
// # References
//
// The contract is the documentation of ratelimit.Backend and ratelimit.Decision.
package limittest
