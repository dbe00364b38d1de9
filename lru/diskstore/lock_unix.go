//go:build unix

package diskstore

import (
	"os"
	"syscall"
)

// lockFile opens a file that nobody else can lock until it is closed, by this process or by its end.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // the lock is what matters
		return nil, err
	}
	return f, nil
}
