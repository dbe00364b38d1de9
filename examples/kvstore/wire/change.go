package wire

import (
	"encoding/binary"
	"errors"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// ErrConflict says that the version which a conditional put names is not the present one.
var ErrConflict = errors.New("wire: the key has another version")

// RefusedError is a replica's answer to a write that a later one has overtaken.
type RefusedError struct{ By storage.Stamp }

func (e *RefusedError) Error() string { return "wire: overtaken by " + e.By.Node }

// How says what a Change does.
type How byte

// The kinds of change.
const (
	Set     How = iota + 1 // replaces whatever is there
	SetIf                  // replaces the version of Entry.Stamp; the zero Stamp stands for no version
	Add                    // adds the decimal number in Entry.Value to the one that is stored; to none, if nothing is
	Nothing                // ends what others have begun
)

// Change is a write as a client asks for it.
type Change struct {
	How   How
	ID    uint64        // the same in every repetition of an operation, ascending with time; 0: every request is an operation
	Entry storage.Entry // what to write, also a tombstone
}

// Encode is the body of a client's put.
func (c Change) Encode() []byte {
	return c.Entry.AppendTo(binary.BigEndian.AppendUint64([]byte{byte(c.How)}, c.ID))
}

// DecodeChange is the opposite of Encode.
func DecodeChange(b []byte) (c Change, err error) {
	if len(b) < 9 || b[0] < byte(Set) || b[0] > byte(Nothing) {
		return Change{}, storage.ErrCorrupt
	}
	c.How, c.ID = How(b[0]), binary.BigEndian.Uint64(b[1:])
	var rest []byte
	if c.Entry, rest, err = storage.DecodeEntry(b[9:]); err != nil || len(rest) > 0 {
		return Change{}, storage.ErrCorrupt
	}
	return c, nil
}
