//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package session

import (
	"errors"
	"os"
	"syscall"
)

const canLock = true

// tryLock takes the lock of an open folder; false if another open handle, here or in another process, has it. The
// system releases it with the handle, also when the process is killed.
func tryLock(dir *os.File) (bool, error) {
	err := flock(dir, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func release(dir *os.File) { _ = flock(dir, syscall.LOCK_UN) }

func flock(dir *os.File, how int) error {
	conn, err := dir.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for {
			result = syscall.Flock(int(fd), how)
			if !errors.Is(result, syscall.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, result)
}
