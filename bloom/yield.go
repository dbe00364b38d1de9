//go:build !bloomyield

package bloom

// yield marks the places between two words of one key where another goroutine may come in. It is empty here; the
// tests that run with the build tag bloomyield make it give up the processor, which turns races that need
// a rare interleaving into races that happen at once.
func yield() {}
