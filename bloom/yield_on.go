//go:build bloomyield

package bloom

import "runtime"

// yield gives up the processor between two words of one key, see yield.go.
func yield() { runtime.Gosched() }
