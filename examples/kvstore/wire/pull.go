package wire

import (
	"encoding/binary"
	"sort"
	"strings"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/hashring"
)

// Within reports whether one of the ranges, ascending and disjoint, contains the token.
func Within(ranges []hashring.Range, token uint64) bool {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].Last >= token })
	return i < len(ranges) && ranges[i].Contains(token)
}

// JoinPull is the body of a request to pull.
func JoinPull(after string, ranges []hashring.Range) []byte {
	b := append([]byte(after), 0)
	for _, r := range ranges {
		b = binary.BigEndian.AppendUint64(b, r.First)
		b = binary.BigEndian.AppendUint64(b, r.Last)
	}
	return b
}

// SplitPull is the opposite of JoinPull.
func SplitPull(body []byte) (after string, ranges []hashring.Range, err error) {
	after, rest, ok := strings.Cut(string(body), "\x00")
	if !ok || len(rest)%16 != 0 {
		return "", nil, storage.ErrCorrupt
	}
	for b := []byte(rest); len(b) > 0; b = b[16:] {
		ranges = append(ranges, hashring.Range{First: binary.BigEndian.Uint64(b), Last: binary.BigEndian.Uint64(b[8:])})
	}
	return after, ranges, nil
}
