package bloom

import (
	"errors"
	"fmt"
)

// The errors of the package; test for them with errors.Is.
var (
	// ErrInvalid reports an argument or option outside its range; the text names it and its limits.
	ErrInvalid = errors.New("bloom: invalid argument")
	// ErrTooLarge reports a filter above Options.MaxBytes, above 2^40 blocks or above the address space.
	ErrTooLarge = errors.New("bloom: filter larger than allowed")
	// ErrIncompatible reports two filters whose geometries do not allow the operation.
	ErrIncompatible = errors.New("bloom: filters of different geometry")
	// ErrCorrupt reports damaged, truncated or foreign data.
	ErrCorrupt = errors.New("bloom: damaged or truncated data")
	// ErrVersion reports intact data of a format version or algorithm that this release does not know.
	ErrVersion = errors.New("bloom: unknown format version")
)

// checkArgs validates what every constructor takes. The comparison is written so that NaN fails it.
func checkArgs(capacity uint64, rate, lowest float64) error {
	if capacity == 0 {
		return fmt.Errorf("%w: capacity is 0, want at least 1 key", ErrInvalid)
	}
	if !(rate >= lowest && rate <= 0.5) {
		return fmt.Errorf("%w: rate is %v, want %v to 0.5", ErrInvalid, rate, lowest)
	}
	return nil
}
