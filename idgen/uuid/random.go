package uuid

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// block is a store of random bytes: one read of crypto/rand serves many ids. Bytes are wiped when they are used, so that
// a later look at the memory does not show them.
type block struct {
	buf  [blockSize + 8]byte // so that a load of eight bytes may start anywhere in the block
	used int
}

// blockSize spreads the cost of a read over 85 ids of 6 bytes. The generator of the kernel is the floor: about 3 ns per
// byte, in the vDSO and for any size.
const blockSize = 512

var blocks = sync.Pool{New: func() any { return &block{used: blockSize} }} //nolint:gochecknoglobals // a cache without settings

// takeBlock borrows a block; in steady state each processor has one, and no lock is taken.
func takeBlock() *block { return blocks.Get().(*block) }

func (b *block) giveBack() { blocks.Put(b) }

// next48 returns 48 fresh bits.
func (b *block) next48() uint64 {
	if b.used > blockSize-6 {
		b.refill()
	}
	p := b.buf[b.used : b.used+8]
	v := binary.LittleEndian.Uint64(p)
	binary.LittleEndian.PutUint64(p, v>>48<<48) // wipes six and keeps two
	b.used += 6
	return v & (1<<48 - 1)
}

// next16 returns 16 fresh bits.
func (b *block) next16() uint64 {
	if b.used > blockSize-2 {
		b.refill()
	}
	p := b.buf[b.used : b.used+2]
	v := binary.LittleEndian.Uint16(p)
	binary.LittleEndian.PutUint16(p, 0)
	b.used += 2
	return uint64(v)
}

func (b *block) refill() {
	_, _ = rand.Read(b.buf[:blockSize]) // never fails: see crypto/rand
	b.used = 0
}
