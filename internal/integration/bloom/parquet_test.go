package bloom_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"
	peer "github.com/parquet-go/parquet-go/bloom"
	"github.com/stretchr/testify/require"
	"github.com/sysblocks/sysblocks/bloom"
)

func TestSplitBlockIsBitIdenticalToParquetGo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, blocks := range []int{1, 2, 3, 64, 1000} {
		ours, err := bloom.ParseSplitBlock(make([]byte, 32*blocks))
		require.NoError(t, err)
		theirs := peer.MakeSplitBlockFilter(make([]byte, 32*blocks))
		for range 8 * blocks {
			h := rng.Uint64()
			ours.Add(bloom.Hashed(h))
			theirs.Insert(h)
		}
		require.Equal(t, theirs.Bytes(), ours.AppendBitset(nil))
		for range 10_000 {
			h := rng.Uint64()
			require.Equal(t, theirs.Check(h), ours.Test(bloom.Hashed(h)))
		}
	}
}

type row struct {
	Name string `parquet:"name"`
	ID   int64  `parquet:"id"`
}

func TestFiltersOfAParquetFileAreRead(t *testing.T) {
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file,
		parquet.BloomFilters(parquet.SplitBlockFilter(10, "name"), parquet.SplitBlockFilter(10, "id")))
	var rows []row
	for i := range 5000 {
		rows = append(rows, row{fmt.Sprintf("user-%d", i), int64(i) * 7})
	}
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	var filters []*bloom.SplitBlock
	for _, column := range f.Metadata().RowGroups[0].Columns {
		at := column.MetaData.BloomFilterOffset
		s, n, err := bloom.ParseParquet(file.Bytes()[at:])
		require.NoError(t, err)
		filters = append(filters, s)
		// And back: the same bytes, header and all.
		again, err := s.AppendParquet(nil)
		require.NoError(t, err)
		require.Equal(t, file.Bytes()[at:int(at)+n], again)
	}
	require.Len(t, filters, 2)
	absent := 0
	for i, r := range rows {
		require.True(t, filters[0].Test(bloom.String(r.Name)))
		require.True(t, filters[1].Test(bloom.Uint64(uint64(r.ID))), "an INT64 is hashed as its 8 little-endian bytes")
		if !filters[0].Test(bloom.String(fmt.Sprintf("nobody-%d", i))) {
			absent++
		}
	}
	require.Greater(t, absent, 4800)
}
