package bloom

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// known reports whether err is one that the documentation promises for bad data.
func known(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion) || errors.Is(err, ErrTooLarge)
}

func seeds(f *testing.F) {
	for _, s := range allShapes() {
		b, err := goldenFilter(s).MarshalBinary()
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:64])
	}
	f.Add([]byte{})
}

// All decoders of the format judge the same bytes alike. Checksums are repaired first, so that mutations get past them.
func FuzzFilterDecoders(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, repair := range []bool{false, true} {
			if repair {
				if len(b) < headerSize {
					return
				}
				b = rehash(bytes.Clone(b))
			}
			var g Filter
			err := g.UnmarshalBinary(b)
			v, errOpen := Open(b)
			require.Equal(t, err == nil, errOpen == nil)
			trusted, errTrusted := OpenTrusted(b)
			if errTrusted == nil {
				for i := range uint64(20) {
					trusted.Test(Uint64(i))
				}
			} else {
				require.True(t, known(errTrusted), "%v", errTrusted)
			}
			at, errAt := OpenAt(bytes.NewReader(b))
			if errAt == nil {
				_, errTest := at.Test(Uint64(1))
				require.NoError(t, errTest)
			}
			read, errRead := Read(io.MultiReader(bytes.NewReader(b)), Options{MaxBytes: 1 << 24})
			if err != nil {
				require.True(t, known(err), "%v", err)
				if errRead != nil {
					require.True(t, known(errRead), "%v", errRead)
				}
				continue
			}
			if errRead == nil {
				require.True(t, read.Equal(&g))
			} else {
				require.ErrorIs(t, errRead, ErrTooLarge)
			}
			for i := range uint64(20) {
				require.Equal(t, g.Test(Uint64(i)), v.Test(Uint64(i)))
			}
			g.TestAndAdd(String("x"))
			require.True(t, g.Test(String("x")))
			out, err := v.layout.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b[:64], out)
		}
	})
}

func FuzzLayoutUnmarshalBinary(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize {
			b = rehash(bytes.Clone(b[:headerSize]))
		}
		var l Layout
		if err := l.UnmarshalBinary(b); err != nil {
			require.True(t, known(err), "%v", err)
			return
		}
		out, err := l.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, out)
		l.RateAt(float64(l.Capacity))
		block, _ := l.Probe(String("x"))
		require.Less(t, block, l.Blocks)
	})
}
