package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A token is a selector and a verifier: the ID finds the row, the secret proves that its bearer may use it.
// 48 bytes and 60 bytes are multiples of three, so that base64 has no loose bits and no padding: each token has
// one spelling.
const (
	secretBytes = 32
	plainToken  = 16 + secretBytes
	taggedToken = plainToken + keyID + tagBytes
)

type secret [secretBytes]byte

func newSecret() (s secret) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

// hash is what the row keeps. 256 random bits cannot be guessed, so they need no slow hash.
func (s *secret) hash() [sha256.Size]byte { return sha256.Sum256(s[:]) }

// formatToken writes the token; with keys it gets a tag.
func formatToken(id ID, s *secret, keys *Keyring) string {
	buf := make([]byte, 0, taggedToken)
	buf = append(buf, id[:]...)
	buf = append(buf, s[:]...)
	if keys != nil {
		buf = keys.appendTag(buf)
	}
	return base64.RawURLEncoding.EncodeToString(buf)
}

// tokenState is the outcome of parsing, before any store is asked.
type tokenState uint8

const (
	tokenMalformed tokenState = iota
	tokenForged               // right form, wrong tag
	tokenGood
)

// parseToken reads a token, without keys without allocating. With keys, only tagged tokens are good; without, only untagged.
func parseToken(text string, keys *Keyring) (id ID, s secret, state tokenState) {
	want := plainToken
	if keys != nil {
		want = taggedToken
	}
	if len(text) != base64.RawURLEncoding.EncodedLen(want) {
		return id, s, tokenMalformed
	}
	var src [taggedToken / 3 * 4]byte
	var raw [taggedToken]byte
	n, err := base64.RawURLEncoding.Decode(raw[:], src[:copy(src[:], text)])
	if err != nil || n != want { // the decoder skips line breaks: then n is smaller
		return id, s, tokenMalformed
	}
	if keys != nil {
		// A flood of made-up tokens ends here, for all but one in 2^32 before any cipher runs.
		used := keys.find(raw[plainToken:][:keyID])
		if used == nil || !used.verifies(raw[:plainToken], raw[plainToken+keyID:]) {
			return id, s, tokenForged
		}
	}
	copy(id[:], raw[:])
	copy(s[:], raw[len(id):])
	return id, s, tokenGood
}
