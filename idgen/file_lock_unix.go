//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package idgen

import (
	"errors"
	"os"
	"syscall"
)

const fileLocks = true

// lockFile takes the lock that belongs to the open file: the system drops it with the last descriptor, so a killed
// process cannot leave it behind.
func lockFile(f *os.File) (free bool, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var locked error
	err = raw.Control(func(fd uintptr) {
		for {
			locked = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
			if !errors.Is(locked, syscall.EINTR) {
				return
			}
		}
	})
	if errors.Is(locked, syscall.EWOULDBLOCK) {
		return false, err
	}
	return locked == nil, errors.Join(err, locked)
}
