package bloom_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/stretchr/testify/require"
	"github.com/sysblocks/sysblocks/bloom"
)

func TestSplitBlockIsBitIdenticalToArrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range []uint32{32, 64, 1 << 10, 1 << 15} {
		theirs := metadata.NewBloomFilter(size, 1<<20, memory.DefaultAllocator)
		ours, err := bloom.ParseSplitBlock(make([]byte, theirs.Size()))
		require.NoError(t, err)
		for i := range size / 4 {
			h := rng.Uint64()
			ours.Add(bloom.Hashed(h))
			theirs.InsertHash(h)
			text := fmt.Sprint("user-", i)
			ours.Add(bloom.String(text))
			theirs.InsertHash(theirs.Hasher().Sum64([]byte(text)))
		}
		var bitset bytes.Buffer
		_, err = theirs.WriteTo(&bitset, nil)
		require.NoError(t, err)
		require.Equal(t, bitset.Bytes(), ours.AppendBitset(nil))
	}
}
