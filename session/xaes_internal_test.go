package session

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// Known answers of C2SP, XAES-256-GCM.
func TestXAESKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		key    byte
		aad    string
		sealed string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x, err := newXAES(bytes.Repeat([]byte{c.key}, 32))
		if err != nil {
			t.Fatal(err)
		}
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		aead, err := x.aead(nonce)
		if err != nil {
			t.Fatal(err)
		}
		got := aead.Seal(nil, nonce[12:], []byte("XAES-256-GCM"), []byte(c.aad))
		if hex.EncodeToString(got) != c.sealed {
			t.Errorf("key %d: %x, want %s", c.key, got, c.sealed)
		}
	}
}

func testRing(tb testing.TB, keys ...byte) *Keyring {
	tb.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, 32))
	}
	ring, err := NewKeyring(all[0], all[1:]...)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func TestKeyringOpensWithAnyKey(t *testing.T) {
	for first := byte(1); first <= 3; first++ {
		sealed := testRing(t, first).Seal([]byte("prefix"), []byte("plain"), []byte("aad"))
		if len(sealed) != 6+5+44 {
			t.Fatalf("%d bytes, want 44 more than the plaintext", len(sealed)-6)
		}
		sealed = sealed[6:]
		got, isFirst, err := testRing(t, 1, 2, 3).Open([]byte("dst"), sealed, []byte("aad"))
		if err != nil || string(got) != "dstplain" || isFirst != (first == 1) {
			t.Errorf("key %d: %q, first %v, %v", first, got, isFirst, err)
		}
		if _, _, err := testRing(t, 4).Open(nil, sealed, []byte("aad")); !errors.Is(err, ErrForged) {
			t.Errorf("another ring: %v", err)
		}
		if _, _, err := testRing(t, 1, 2, 3).Open(nil, sealed, []byte("other")); !errors.Is(err, ErrForged) {
			t.Errorf("another AAD: %v", err)
		}
	}
}

func TestKeyringChecksItsKeys(t *testing.T) {
	k := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	many := make([][]byte, 16)
	for i := range many {
		many[i] = k(byte(i+2), 32)
	}
	for name, keys := range map[string][][]byte{
		"short": {k(1, 16)}, "long": {k(1, 33)}, "empty": {nil}, "equal": {k(1, 32), k(2, 32), k(1, 32)},
		"short other": {k(1, 32), k(2, 31)}, "17 keys": append([][]byte{k(1, 32)}, many...),
	} {
		if _, err := NewKeyring(keys[0], keys[1:]...); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewKeyring(k(1, 32), many[:15]...); err != nil {
		t.Errorf("16 keys: %v", err)
	}
}

func TestRotateKeepsTheOldKeys(t *testing.T) {
	ring := testRing(t, 1)
	var sealed [][]byte
	for i := byte(1); i <= 20; i++ {
		if i > 1 {
			if err := ring.Rotate(bytes.Repeat([]byte{i}, 32)); err != nil {
				t.Fatal(err)
			}
		}
		sealed = append(sealed, ring.Seal(nil, []byte{i}, nil))
	}
	for i, s := range sealed {
		got, first, err := ring.Open(nil, s, nil)
		if i < 4 {
			if !errors.Is(err, ErrForged) {
				t.Errorf("key %d of 20 is still accepted", i+1)
			}
			continue
		}
		if err != nil || got[0] != byte(i+1) || first != (i == 19) {
			t.Errorf("key %d of 20: %v, first %v, %v", i+1, got, first, err)
		}
	}
	// A key that is there already moves to the front and appears once.
	if err := ring.Rotate(bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	if n := len(*ring.keys.Load()); n != 16 {
		t.Errorf("%d keys", n)
	}
	if _, first, err := ring.Open(nil, sealed[6], nil); err != nil || !first {
		t.Errorf("moved key: first %v, %v", first, err)
	}
	if err := ring.Rotate(make([]byte, 5)); !errors.Is(err, ErrInvalid) {
		t.Errorf("short key: %v", err)
	}
}

func FuzzKeyringOpen(f *testing.F) {
	ring := testRing(f, 1, 2)
	f.Add([]byte("hello"), uint16(3), byte(1))
	f.Add([]byte{}, uint16(40), byte(128))
	f.Fuzz(func(t *testing.T, plain []byte, at uint16, flip byte) {
		sealed := ring.Seal(nil, plain, []byte("aad"))
		got, first, err := ring.Open(nil, sealed, []byte("aad"))
		if err != nil || !first || !bytes.Equal(got, plain) {
			t.Fatalf("round trip: %v", err)
		}
		if flip != 0 {
			sealed[int(at)%len(sealed)] ^= flip
			if _, _, err := ring.Open(nil, sealed, []byte("aad")); !errors.Is(err, ErrForged) {
				t.Fatal("a changed byte opens")
			}
		}
		if _, _, err := ring.Open(nil, plain, nil); err == nil {
			t.Fatal("made-up bytes open")
		}
	})
}
