//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package idgen

import (
	"errors"
	"os"
)

const fileLocks = false

func lockFile(*os.File) (free bool, err error) { return false, errors.ErrUnsupported }
