package session

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	keyBytes = 32
	maxKeys  = 16
	keyID    = 4 // names the key in a sealed value; not a secret
	tagBytes = 8 // of a tagged token: 2^64 guesses for one store call

	// sealedExtra is how much longer a sealed value is than its plaintext.
	sealedExtra = keyID + xaesNonce + xaesTag
)

// A Keyring seals with its first key and opens with any. Safe for concurrent use.
type Keyring struct {
	mu   sync.Mutex             // serialises Rotate
	keys atomic.Pointer[[]*key] // published by NewKeyring and Rotate, read by everything; the slice is never changed
}

type key struct {
	id   [keyID]byte
	xaes xaes
	tag  *cmac // under a derived key: a key for tags never seals
}

// NewKeyring takes keys of 32 bytes, all different, at most 16. others are only accepted: old keys on their
// way out, or the next key on its way in while a fleet is restarted. The error is ErrInvalid, or says that the
// runtime forbids the cipher (GODEBUG=fips140=only).
func NewKeyring(first []byte, others ...[]byte) (*Keyring, error) {
	if len(others)+1 > maxKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d", ErrInvalid, len(others)+1, maxKeys)
	}
	keys := make([]*key, 0, len(others)+1)
	for i, secret := range append([][]byte{first}, others...) {
		k, err := newKey(secret)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		if find(keys, k.id[:]) != nil {
			return nil, fmt.Errorf("%w: key %d equals another, or has the same key id", ErrInvalid, i)
		}
		keys = append(keys, k)
	}
	ring := &Keyring{}
	ring.keys.Store(&keys)
	return ring, nil
}

func newKey(secret []byte) (*key, error) {
	if len(secret) != keyBytes {
		return nil, fmt.Errorf("%w: key of %d bytes, want %d", ErrInvalid, len(secret), keyBytes)
	}
	x, err := newXAES(secret)
	if err != nil {
		return nil, fmt.Errorf("session: XAES-256-GCM: %w", err)
	}
	k := &key{xaes: x}
	id := derive(secret, "session key id v1")
	copy(k.id[:], id[:])
	tagKey := derive(secret, "session token tag v1")
	k.tag, err = newCMAC(tagKey[:])
	return k, err
}

func derive(secret []byte, label string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(label))
	mac.Sum(sum[:0])
	return sum
}

func find(keys []*key, id []byte) *key {
	for _, k := range keys {
		if bytes.Equal(k.id[:], id) {
			return k
		}
	}
	return nil
}

// Rotate makes next the first key and keeps the rest (the oldest goes when there are 16). A next that is on the
// ring already moves to the front. Safe while serving.
func (k *Keyring) Rotate(next []byte) error {
	fresh, err := newKey(next)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := []*key{fresh}
	for _, old := range *k.keys.Load() {
		if old.id != fresh.id {
			keys = append(keys, old)
		} else if old.tag.k1 != fresh.tag.k1 {
			return fmt.Errorf("%w: the key id of next is taken by another key", ErrInvalid)
		}
	}
	keys = slices.Clip(keys[:min(len(keys), maxKeys)])
	k.keys.Store(&keys)
	return nil
}

// Seal appends the sealed plaintext to dst; it is 44 bytes longer. aad is authenticated with it, and Open needs
// the same. plaintext and dst must not overlap.
func (k *Keyring) Seal(dst, plaintext, aad []byte) []byte {
	first := (*k.keys.Load())[0]
	dst = append(slices.Grow(dst, len(plaintext)+sealedExtra), first.id[:]...)
	nonce := dst[len(dst) : len(dst)+xaesNonce] // drawn where it belongs: an array of its own would go to the heap
	_, _ = rand.Read(nonce)                     // never fails
	aead, err := first.xaes.aead(nonce)
	if err != nil {
		return nil // newXAES has tried: it cannot happen, and nothing is better than plaintext
	}
	return aead.Seal(dst[:len(dst)+xaesNonce], nonce[12:], plaintext, aad)
}

// Open appends the plaintext to dst; first tells whether the first key sealed it. ErrForged otherwise, and then
// nothing is returned.
func (k *Keyring) Open(dst, sealed, aad []byte) (plaintext []byte, first bool, err error) {
	if len(sealed) < sealedExtra {
		return nil, false, ErrForged
	}
	keys := *k.keys.Load()
	used := find(keys, sealed[:keyID])
	if used == nil {
		return nil, false, ErrForged
	}
	nonce := sealed[keyID : keyID+xaesNonce]
	aead, err := used.xaes.aead(nonce)
	if err != nil {
		return nil, false, ErrForged
	}
	plaintext, err = aead.Open(dst, nonce[12:], sealed[keyID+xaesNonce:], aad)
	if err != nil {
		return nil, false, ErrForged
	}
	return plaintext, used == keys[0], nil
}

// appendTag appends the key id and the tag of msg under the first key.
func (k *Keyring) appendTag(msg []byte) []byte {
	first := (*k.keys.Load())[0]
	tag := first.sign(msg)
	msg = append(msg, first.id[:]...)
	return append(msg, tag[:]...)
}

// find returns the key with that id, or nil.
func (k *Keyring) find(id []byte) *key { return find(*k.keys.Load(), id) }

// verifies tells whether tag is that of msg.
func (k *key) verifies(msg, tag []byte) bool {
	want := k.sign(msg)
	return subtle.ConstantTimeCompare(want[:], tag) == 1
}

// sign is the tag of the 48 bytes of a token. CMAC takes three AES blocks and one allocation, less
// than HMAC: the tag is what stands between a flood of made-up tokens and the processor.
func (k *key) sign(msg []byte) (tag [tagBytes]byte) {
	// On the heap, because what goes through the interface of a cipher does; the caller's message stays where it is.
	buf := make([]byte, aes.BlockSize+plainToken)
	sum, text := buf[:aes.BlockSize], buf[aes.BlockSize:]
	k.tag.sum(sum, text[:copy(text, msg)])
	copy(tag[:], sum)
	return tag
}

// String hides the keys.
func (k *Keyring) String() string {
	return fmt.Sprintf("session.Keyring(%d keys)", len(*k.keys.Load()))
}

// GoString hides the keys.
func (k *Keyring) GoString() string { return k.String() }
