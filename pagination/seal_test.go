package pagination

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

// TestSealingIsCounterMode compares with the standard library's counter mode, also
// where the counter, which begins at a tag, carries over one byte or all of them.
func TestSealingIsCounterMode(t *testing.T) {
	k, err := newTokenKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range [][]byte{
		make([]byte, aes.BlockSize),
		append(make([]byte, aes.BlockSize-1), 0xff),
		append(make([]byte, aes.BlockSize-3), 0xff, 0xff, 0xfe),
		bytes.Repeat([]byte{0xff}, aes.BlockSize),
	} {
		for _, n := range []int{0, 1, 16, 17, 100} {
			want := make([]byte, n)
			cipher.NewCTR(k.block, tag).XORKeyStream(want, make([]byte, n))
			got := make([]byte, n)
			new(keyState).crypt(k, tag, got)
			if !bytes.Equal(got, want) {
				t.Errorf("from %x, %d bytes: %x, want %x", tag, n, got, want)
			}
		}
	}
}
