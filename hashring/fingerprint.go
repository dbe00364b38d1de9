package hashring

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Fingerprint is equal when placement is equal, in any process and in any language: the same nodes, zones,
// points, tokens, bound and mapping of keys. Compare it between processes before trusting them to agree.
// With a secret seed it must not be published.
func (s *Snapshot[T]) Fingerprint() uint64 {
	var f fingerprint
	f.Reset()
	f.text("sysblocks.hashring.1")
	f.u64(s.pos(""))
	f.u64(s.pos(probe))
	f.u64(s.bound)
	f.u32(s.vnodes)
	tags := "\x00"
	if s.tags {
		tags = "\x01"
	}
	f.text(tags)
	for i := range s.nodes {
		n := &s.nodes[i]
		f.u32(len(n.ID))
		f.text(n.ID)
		f.u32(len(n.Zone))
		f.text(n.Zone)
		f.u32(s.points(n.Weight))
		f.u32(len(n.Tokens))
		for _, token := range n.Tokens {
			f.u64(token)
		}
	}
	return f.Sum64()
}

// fingerprint hashes the little-endian form of a placement. Writing to a digest cannot fail.
type fingerprint struct{ xxhash.Digest }

func (f *fingerprint) text(s string) { _, _ = f.WriteString(s) }

func (f *fingerprint) u32(x int) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(x))
	_, _ = f.Write(b[:])
}

func (f *fingerprint) u64(x uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	_, _ = f.Write(b[:])
}
