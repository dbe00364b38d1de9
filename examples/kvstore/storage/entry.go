// Package storage keeps the entries of one node: a commit log on disk and a memtable over it.
//
//	Put ─▶ log: append one record ─▶ memtable: remember it ─▶ acknowledged
//	Get ─▶ memtable ─▶ a small value is at hand, a large one is read from its place in the log
//	Open ─▶ log: replay every record into an empty memtable
//
// The log is the truth; the memtable is a cache of it that can be rebuilt at any time. A process that is killed loses nothing that
// was acknowledged; a machine that loses power does, unless Options.Sync is set.
package storage

import (
	"cmp"
	"encoding/binary"
	"errors"
	"strings"
)

// The errors of the package.
var (
	ErrCorrupt = errors.New("storage: bytes are damaged")
	ErrClosed  = errors.New("storage: closed")
)

// Stamp orders the writes of a key in the whole cluster: the later one wins, and of equal times the higher node name. The zero
// Stamp is before all others.
type Stamp struct {
	Time uint64 // nanoseconds, by the hybrid clock of the node that coordinated the write
	Node string // that node
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
	Value   []byte // last in the encoding, so that its place in the log is known
}

// AppendTo appends the encoding of e: the same bytes in the log and on the wire.
func (e Entry) AppendTo(b []byte) []byte {
	b = appendString(b, e.Key)
	b = binary.BigEndian.AppendUint64(b, e.Stamp.Time)
	b = appendString(b, e.Stamp.Node)
	deleted := byte(0)
	if e.Deleted {
		deleted = 1
	}
	b = append(b, deleted)
	return append(binary.AppendUvarint(b, uint64(len(e.Value))), e.Value...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// DecodeEntry reads one entry from the front of b and returns what follows it. The value shares the memory of b.
func DecodeEntry(b []byte) (e Entry, rest []byte, err error) {
	key, b, ok := cut(b)
	if !ok || len(b) < 8 {
		return Entry{}, nil, ErrCorrupt
	}
	e.Key = string(key)
	e.Stamp.Time = binary.BigEndian.Uint64(b)
	node, b, ok := cut(b[8:])
	if !ok || len(b) < 1 || b[0] > 1 {
		return Entry{}, nil, ErrCorrupt
	}
	e.Stamp.Node = string(node)
	e.Deleted = b[0] == 1
	e.Value, rest, ok = cut(b[1:])
	if !ok {
		return Entry{}, nil, ErrCorrupt
	}
	return e, rest, nil
}

// cut takes a length and that many bytes from the front of b.
func cut(b []byte) (piece, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	b = b[used:]
	return b[:n:n], b[n:], true
}
