package run

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sort"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

const (
	// blockSize is where a block ends: a page of most disks and file systems, so that one look-up is one read of the device.
	// Smaller blocks make a longer index, larger ones read more in vain.
	blockSize = 4 << 10
	// maxBlock is a block that was nearly full when the largest item came.
	maxBlock = blockSize + entry.MaxBytes + 2*binary.MaxVarintLen64 + checksumSize

	checksumSize = 4
)

// block is the verified bytes of one block, and where its items begin. It has at least one item.
type block struct {
	data   []byte
	starts []uint32
}

// weight is what a block costs in memory: its bytes, the starts, and the two headers.
func (b *block) weight() int { return cap(b.data) + 4*cap(b.starts) + 48 }

// appendItem appends a key and its value, each behind its length.
func appendItem(b []byte, key string, value []byte) []byte {
	return append(binary.AppendUvarint(entry.AppendString(b, key), uint64(len(value))), value...)
}

// parse finds the items of a block whose checksum was right. They must ascend and fill it; what the checksum has let through by
// chance, or by intent, is refused here.
func parse(data []byte) (*block, bool) {
	b := &block{data: data, starts: make([]uint32, 0, min(len(data)/32+1, 256))}
	var last []byte
	for rest := data; len(rest) > 0; {
		key, tail, ok := entry.Cut(rest)
		if !ok || len(b.starts) > 0 && bytes.Compare(key, last) <= 0 {
			return nil, false
		}
		b.starts = append(b.starts, uint32(len(data)-len(rest)))
		last = key
		if _, rest, ok = entry.Cut(tail); !ok {
			return nil, false
		}
	}
	return b, len(b.starts) > 0
}

// key is that of item i.
func (b *block) key(i int) []byte {
	key, _, _ := entry.Cut(b.data[b.starts[i]:])
	return key
}

// at is item i.
func (b *block) at(i int) (key, value []byte) {
	key, rest, _ := entry.Cut(b.data[b.starts[i]:])
	value, _, _ = entry.Cut(rest)
	return key, value
}

// seek is the first item whose key is not before the given one.
func (b *block) seek(key string) int {
	return sort.Search(len(b.starts), func(i int) bool { return string(b.key(i)) >= key })
}

func (b *block) search(key string) (value []byte, found bool) {
	i := b.seek(key)
	if i == len(b.starts) {
		return nil, false
	}
	got, value := b.at(i)
	return value, string(got) == key
}

// seal appends the checksum of a section that lies at this place of this run.
func seal(b []byte, number uint64, at int64) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(b, number, at))
}

// unseal is the opposite of seal.
func unseal(b []byte, number uint64, at int64) ([]byte, bool) {
	n := len(b) - checksumSize
	return b[:n:n], checksum(b[:n], number, at) == binary.BigEndian.Uint32(b[n:])
}

func checksum(b []byte, number uint64, at int64) uint32 {
	var where [16]byte
	binary.BigEndian.PutUint64(where[:], number)
	binary.BigEndian.PutUint64(where[8:], uint64(at))
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(where[:], table), table, b)
}
