package diskstore

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A frame is one record of a segment: a head, a key, a value. All numbers are little endian.
//
//	 0  4  CRC-32C of bytes 4 to 40
//	 4  4  CRC-32C of the key
//	 8  4  CRC-32C of the value
//	12  1  kind
//	13  3  zero
//	16  4  length of the key
//	20  4  length of the value
//	24  8  deadline in nanoseconds since 1970, 0: none
//	32  8  weight
//	40     key, then value
//
// The sum of the head tells a frame that was cut off, whose head is good, from a damaged one. The sum of the key lets
// Open do without the values, which Take checks.
const headSize = 40

type kind uint8

const (
	put    kind = 1 // key and value are stored
	remove kind = 2 // key is forgotten
	wipe   kind = 3 // everything before is forgotten
)

// head is the fixed part of a frame.
type head struct {
	kind     kind
	keyLen   uint32
	valueLen uint32
	keySum   uint32
	valueSum uint32
	expires  int64
	weight   int64
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// size is the length of the whole frame.
func (h *head) size() int64 { return headSize + int64(h.keyLen) + int64(h.valueLen) }

// beginFrame appends a head without lengths and sums to b; key and value follow, and seal ends the frame.
func beginFrame(b []byte, k kind, expires time.Time, weight int) []byte {
	var h [headSize]byte
	h[12] = byte(k)
	if !expires.IsZero() {
		binary.LittleEndian.PutUint64(h[24:], uint64(expires.UnixNano()))
	}
	binary.LittleEndian.PutUint64(h[32:], uint64(weight))
	return append(b, h[:]...)
}

// seal fills in lengths and sums of the frame that b is, whose value begins at the given index.
func seal(b []byte, value int) {
	binary.LittleEndian.PutUint32(b[4:], sum(b[headSize:value]))
	binary.LittleEndian.PutUint32(b[8:], sum(b[value:]))
	binary.LittleEndian.PutUint32(b[16:], uint32(value-headSize))
	binary.LittleEndian.PutUint32(b[20:], uint32(len(b)-value))
	binary.LittleEndian.PutUint32(b, sum(b[4:headSize]))
}

// parse reads a head; ok is false where it is not what was written.
func parse(b []byte) (h head, ok bool) {
	h = head{
		keySum:   binary.LittleEndian.Uint32(b[4:]),
		valueSum: binary.LittleEndian.Uint32(b[8:]),
		kind:     kind(b[12]),
		keyLen:   binary.LittleEndian.Uint32(b[16:]),
		valueLen: binary.LittleEndian.Uint32(b[20:]),
		expires:  int64(binary.LittleEndian.Uint64(b[24:])),
		weight:   int64(binary.LittleEndian.Uint64(b[32:])),
	}
	return h, sum(b[4:headSize]) == binary.LittleEndian.Uint32(b) && h.kind >= put && h.kind <= wipe
}

// deadline is zero for an entry that does not expire.
func (h *head) deadline() time.Time {
	if h.expires == 0 {
		return time.Time{}
	}
	return time.Unix(0, h.expires)
}
