package session

import (
	"crypto/aes"
	"crypto/cipher"
)

// XAES-256-GCM (C2SP): AES-256-GCM under a key derived from the first half of a nonce of 24 bytes. Random
// nonces of that length may be drawn without counting messages.

const (
	xaesNonce = 24
	xaesTag   = 16
)

// xaes holds the parts that depend on the key alone.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the CMAC subkey of a full last block
}

func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	// Doubling in GF(2^128), without a branch on the secret bit.
	carry := x.k1[0] >> 7
	for i := range len(x.k1) - 1 {
		x.k1[i] = x.k1[i]<<1 | x.k1[i+1]>>7
	}
	x.k1[15] = x.k1[15]<<1 ^ carry*0x87
	_, err = x.aead(make([]byte, xaesNonce)) // fails where the runtime allows no nonces of the caller's choice
	return x, err
}

// aead derives the cipher for one nonce: a counter-mode KDF with CMAC as its function, two blocks.
func (x *xaes) aead(nonce []byte) (cipher.AEAD, error) {
	var key [32]byte
	for i := range 2 {
		half := key[16*i : 16*i+16]
		half[1], half[2] = byte(i+1), 'X'
		copy(half[4:], nonce[:12])
		for j := range half {
			half[j] ^= x.k1[j]
		}
		x.block.Encrypt(half, half)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
