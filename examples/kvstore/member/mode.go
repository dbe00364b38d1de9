package member

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Pin ties a node's folder to the mode in which it is first used: each mode stores values in a form of its own.
func Pin(dir, mode string) error {
	path := filepath.Join(dir, "mode")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(path, []byte(mode), 0o600)
	}
	if err == nil && string(b) != mode {
		return fmt.Errorf("%w: %s was written in mode %s", wire.ErrInvalid, dir, b)
	}
	return err
}
