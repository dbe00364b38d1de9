// Package idgentest checks what implements an interface of package idgen: a Counter or a Leaser over another store, or any
// Generator.
//
//	func TestMyLeaser(t *testing.T) {
//		idgentest.TestLeaser(t, func(t *testing.T) idgen.Leaser {
//			return mystore.NewLeaser(client, "test-namespace")
//		})
//	}
//
// # How it works
//
// Each kit is a set of subtests; the name of a subtest is the promise it checks. The kits use many handles of the same
// store at once, from several goroutines, and collect what was handed out:
//
//	handle 1 --+
//	handle 2 --+--> ranges or windows --> sort --> neighbours must not overlap
//	handle 3 --+
//
// # Choosing
//
// [TestGenerator] for what has Next and Fill, [TestCounter] for what has Reserve, [TestLeaser] for what has Acquire. Run
// them under the race detector too. A leaser of one number (a file) runs the same kit: subtests that need two numbers are
// skipped, visibly.
//
// Chance: the kits are deterministic but for scheduling. They find a lost update only when two calls meet; with 8
// goroutines and 50 calls each, a race window of 1 % of a call is missed with probability below 0.99^400, about 2 %.
//
// # Guarantees
//
//  1. A kit leaves no goroutine and no held lease behind.
//  2. It imports the testing package only.
//  3. What passes has kept the promises of the interface for the calls made; no test proves more.
//
// # Costs
//
// A few seconds, most of them waits for windows of a quarter of a second to end; some hundred calls of the store.
//
// # Limits
//
// The kits do not kill or pause anything: see internal/integration of the repository for processes that are stopped, killed
// and succeeded. They need a namespace of their own in the store.
//
// # References
//
//   - testing/fstest and testing/slogtest of the standard library, for the form of such kits.
package idgentest
