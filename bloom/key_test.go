package bloom

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

func TestKeysHaveTheirPublishedHashes(t *testing.T) {
	require.Equal(t, uint64(0xef46db3751d8e999), String("").Hash())
	require.Equal(t, uint64(0xd24ec4f1a98c6e5b), String("a").Hash())
	require.Equal(t, uint64(0xa631814fca84616d), String("sysblocks").Hash())
	require.Equal(t, uint64(0xb556806fb6d14353), Uint64(42).Hash())
	require.Equal(t, uint64(0x83a2fa7735a058b7), Join(String("a"), String("b")).Hash())
}

func TestKeyFormsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b := make([]byte, rng.IntN(100))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		require.Equal(t, Bytes(b), String(string(b)))
		v := rng.Uint64()
		require.Equal(t, Bytes(binary.LittleEndian.AppendUint64(nil, v)), Uint64(v))
		require.Equal(t, v, Hashed(v).Hash())
	}
	require.Equal(t, Bytes(nil), String(""), "the empty key is a key")
	require.Equal(t, Bytes(nil), Bytes([]byte{}))
}

func TestJoinIsTheHashOfTheHashes(t *testing.T) {
	var keys []Key
	var raw []byte
	for n := range 100 { // over the inline limit and well into the streaming path
		require.Equal(t, xxhash.Sum64(raw), Join(keys...).Hash(), "%d keys", n)
		k := Uint64(uint64(n))
		keys = append(keys, k)
		raw = binary.LittleEndian.AppendUint64(raw, k.Hash())
	}
	require.Equal(t, Bytes(nil), Join())
	require.NotEqual(t, String("a"), Join(String("a")))
	require.NotEqual(t, Join(String("ab"), String("c")), Join(String("a"), String("bc")))
}
