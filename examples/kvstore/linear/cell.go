package linear

import (
	"encoding/binary"
	"slices"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// remembered is how many operations a cell knows by name. A repetition arrives within a few round trips of the first attempt, so this
// is room for hundreds of other writes between them, at 8 bytes each on keys that are written so often.
const remembered = 255

// Cell is what a replica stores as the value of a key. It is the client's value, and what must travel with it.
type Cell struct {
	Made storage.Stamp // of the write that made this version: the version that clients see. A write-back keeps it
	By   uint64        // the ID of that write
	IDs  []uint64      // of the last operations on the key, ascending
	Data []byte
}

// Encode is the stored form:
//
//	time of Made, 8 bytes │ By, 8 │ length of the node of Made, 1 │ number of IDs, 1 │ node │ IDs, 8 each │ data
func (c Cell) Encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, c.Made.Time)
	b = binary.BigEndian.AppendUint64(b, c.By)
	b = append(b, byte(len(c.Made.Node)), byte(len(c.IDs)))
	b = append(b, c.Made.Node...)
	for _, id := range c.IDs {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	return append(b, c.Data...)
}

// Decode is the opposite of Encode. The data shares the memory of b.
func Decode(b []byte) (c Cell, err error) {
	const head = 18
	if len(b) < head {
		return Cell{}, storage.ErrCorrupt
	}
	name, ids := int(b[16]), int(b[17])
	if len(b) < head+name+8*ids {
		return Cell{}, storage.ErrCorrupt
	}
	c.Made = storage.Stamp{Time: binary.BigEndian.Uint64(b), Node: string(b[head : head+name])}
	c.By = binary.BigEndian.Uint64(b[8:])
	b = b[head+name:]
	for range ids {
		c.IDs = append(c.IDs, binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	c.Data = b
	return c, nil
}

// memory says what a cell knows of an operation.
type memory int

const (
	unknown   memory = iota // it has not been done
	done                    // it has
	forgotten               // it is older than all that is remembered: it may have been
)

// recall looks an operation up. Names ascend with time, and the lowest one is forgotten first. So whatever is above the lowest
// remembered name and not remembered has not been done.
func (c Cell) recall(id uint64) memory {
	_, found := slices.BinarySearch(c.IDs, id)
	switch {
	case id == 0:
		return unknown
	case found:
		return done
	case len(c.IDs) == remembered && id < c.IDs[0]:
		return forgotten
	}
	return unknown
}

// remember adds an operation.
func remember(ids []uint64, id uint64) []uint64 {
	if id == 0 {
		return ids
	}
	at, _ := slices.BinarySearch(ids, id)
	ids = slices.Insert(slices.Clone(ids), at, id)
	return ids[max(0, len(ids)-remembered):]
}
