// Package entry is what a store keeps of a key, and its bytes: the same in the log, in the runs and on the wire.
package entry

import (
	"cmp"
	"encoding/binary"
	"errors"
	"strings"
)

// The errors of the package. The packages of a store share them; package storage shows them as its own.
var (
	ErrCorrupt = errors.New("storage: bytes are damaged") // the text names file and offset
	ErrInvalid = errors.New("storage: invalid argument")
)

// MaxBytes bounds a key with its state. The largest value of the HTTP interface is an eighth of it.
const MaxBytes = 8 << 20

// Stamp orders the writes of a key in the whole cluster: the later one wins, and of equal times the higher node name. The zero
// Stamp is before all others.
type Stamp struct {
	Time uint64 `json:"time"` // nanoseconds, by the hybrid clock of the node that coordinated the write
	Node string `json:"node"` // that node
}

// Compare is negative when s is the older one.
func (s Stamp) Compare(other Stamp) int {
	return cmp.Or(cmp.Compare(s.Time, other.Time), strings.Compare(s.Node, other.Node))
}

// Entry is one version of a key. A deletion is a version too, a tombstone, or an old value could come back from another replica.
type Entry struct {
	Key     string
	Stamp   Stamp
	Deleted bool
	Value   []byte
}

// AppendTo appends the encoding of e, as it goes over the wire.
func (e Entry) AppendTo(b []byte) []byte { return e.appendVersion(AppendString(b, e.Key)) }

// appendVersion appends all but the key.
func (e Entry) appendVersion(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, e.Stamp.Time)
	b = AppendString(b, e.Stamp.Node)
	deleted := byte(0)
	if e.Deleted {
		deleted = 1
	}
	b = append(b, deleted)
	return append(binary.AppendUvarint(b, uint64(len(e.Value))), e.Value...)
}

// AppendString appends a string behind its length.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Decode reads one entry from the front of b and returns what follows it. The value shares the memory of b.
func Decode(b []byte) (e Entry, rest []byte, err error) {
	key, b, ok := Cut(b)
	if !ok {
		return Entry{}, nil, ErrCorrupt
	}
	return decodeVersion(string(key), b)
}

func decodeVersion(key string, b []byte) (e Entry, rest []byte, err error) {
	if len(b) < 8 {
		return Entry{}, nil, ErrCorrupt
	}
	e.Key = key
	e.Stamp.Time = binary.BigEndian.Uint64(b)
	node, b, ok := Cut(b[8:])
	if !ok || len(b) < 1 || b[0] > 1 {
		return Entry{}, nil, ErrCorrupt
	}
	e.Stamp.Node = string(node)
	e.Deleted = b[0] == 1
	e.Value, rest, ok = Cut(b[1:])
	if !ok {
		return Entry{}, nil, ErrCorrupt
	}
	return e, rest, nil
}

// Cut takes a length and that many bytes from the front of b.
func Cut(b []byte) (piece, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	b = b[used:]
	return b[:n:n], b[n:], true
}

// A state is what a layer knows of a key: a version of it, or that it was forgotten. Log, memtable and runs hold the same bytes.
const (
	stateVersion = 'P' // a version follows
	stateForgot  = 'F' // the key lives elsewhere; nothing follows
)

// State is the state of a key that has this version.
func (e Entry) State() []byte { return e.appendVersion([]byte{stateVersion}) }

// Forgot is the state of a key that was forgotten.
func Forgot() []byte { return []byte{stateForgot} }

// FromState returns the version that a state has; found is false for a key that was forgotten.
func FromState(key string, state []byte) (e Entry, found bool, err error) {
	switch {
	case len(state) == 1 && state[0] == stateForgot:
		return Entry{}, false, nil
	case len(state) > 0 && state[0] == stateVersion:
		e, rest, err := decodeVersion(key, state[1:])
		if err != nil || len(rest) > 0 {
			return Entry{}, false, ErrCorrupt
		}
		return e, true, nil
	}
	return Entry{}, false, ErrCorrupt
}
