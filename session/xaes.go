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

// cmac is AES-CMAC (NIST SP 800-38B) for messages of whole blocks.
type cmac struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the subkey of a full last block
}

func newCMAC(key []byte) (*cmac, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	c := &cmac{block: block}
	block.Encrypt(c.k1[:], c.k1[:])
	// Doubling in GF(2^128), without a branch on the secret bit.
	carry := c.k1[0] >> 7
	for i := range len(c.k1) - 1 {
		c.k1[i] = c.k1[i]<<1 | c.k1[i+1]>>7
	}
	c.k1[15] = c.k1[15]<<1 ^ carry*0x87
	return c, nil
}

// sum writes the MAC of msg, of a positive number of whole blocks, into mac, which is zero before.
func (c *cmac) sum(mac, msg []byte) {
	for len(msg) > 0 {
		for i := range aes.BlockSize {
			mac[i] ^= msg[i]
			if len(msg) == aes.BlockSize {
				mac[i] ^= c.k1[i]
			}
		}
		c.block.Encrypt(mac, mac)
		msg = msg[aes.BlockSize:]
	}
}

// xaes holds the part that depends on the key alone.
type xaes struct{ *cmac }

func newXAES(key []byte) (xaes, error) {
	c, err := newCMAC(key)
	if err != nil {
		return xaes{}, err
	}
	x := xaes{c}
	_, err = x.aead(make([]byte, xaesNonce)) // fails where the runtime allows no nonces of the caller's choice
	return x, err
}

// aead derives the cipher for one nonce: a counter-mode KDF with CMAC as its function, two blocks.
func (x xaes) aead(nonce []byte) (cipher.AEAD, error) {
	var buf struct {
		key [2 * aes.BlockSize]byte
		msg [aes.BlockSize]byte
	}
	buf.msg[2] = 'X'
	copy(buf.msg[4:], nonce[:12])
	for i := range 2 {
		buf.msg[1] = byte(i + 1)
		x.sum(buf.key[aes.BlockSize*i:aes.BlockSize*(i+1)], buf.msg[:])
	}
	block, err := aes.NewCipher(buf.key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
