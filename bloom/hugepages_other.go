//go:build !linux

package bloom

// adviseHuge does nothing: huge pages are asked for on Linux only.
func adviseHuge([]block) {}
