//go:build unix && !linux

package servers

import "os/exec"

// dieWithParent does nothing: only Linux ends a child with its parent.
func dieWithParent(*exec.Cmd) {}

// descendants is empty: on these systems a signal reaches the server alone.
func descendants(int) []int { return nil }
