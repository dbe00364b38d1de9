package paginationrows

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// The scheme of pilagod/gorm-cursor-paginator, as documented: the keys of the row
// in a JSON array, in base64.

func encodeArray(t time.Time, n int64) (string, error) {
	text, err := json.Marshal([]any{t, n})
	return base64.StdEncoding.EncodeToString(text), err
}

func decodeArray(token string) (t time.Time, n int64, err error) {
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return t, n, err
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return t, n, err
	}
	if len(parts) != 2 {
		return t, n, errors.New("two keys expected")
	}
	if err := json.Unmarshal(parts[0], &t); err != nil {
		return t, n, err
	}
	return t, n, json.Unmarshal(parts[1], &n)
}

const arrayName = "JSON array cursor, base64"

func jsonEncode() harness.Contender {
	return harness.Contender{Name: arrayName, Setup: func() (harness.Op, func(), error) {
		t := when()
		return func(n int) {
			for range n {
				if _, err := encodeArray(t, id); err != nil {
					panic(err)
				}
			}
		}, nil, nil
	}}
}

func jsonDecode() harness.Contender {
	return harness.Contender{Name: arrayName, Setup: func() (harness.Op, func(), error) {
		token, err := encodeArray(when(), id)
		return func(n int) {
			for range n {
				if _, got, err := decodeArray(token); err != nil || got != id {
					panic("decode")
				}
			}
		}, nil, err
	}}
}

func jsonLength() harness.Contender {
	return harness.Contender{Name: arrayName, Value: func() (float64, error) {
		token, err := encodeArray(when(), id)
		return float64(len(token)), err
	}}
}

// The scheme of theplant/relay, as documented: the keys of the row in a JSON
// object, encrypted with AES-GCM under a random nonce, in base64.

type gcmCursor struct{ aead cipher.AEAD }

func newGCM() (gcmCursor, error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return gcmCursor{}, err
	}
	aead, err := cipher.NewGCM(block)
	return gcmCursor{aead}, err
}

func (c gcmCursor) encode(t time.Time, n int64) (string, error) {
	text, err := json.Marshal(map[string]any{"CreatedAt": t, "ID": n})
	if err != nil {
		return "", err
	}
	nonce := make([]byte, c.aead.NonceSize(), c.aead.NonceSize()+len(text)+c.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nonce, nonce, text, nil)), nil
}

func (c gcmCursor) decode(token string) (map[string]any, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < c.aead.NonceSize() {
		return nil, errors.Join(err, errors.New("short token"))
	}
	text, err := c.aead.Open(nil, raw[:c.aead.NonceSize()], raw[c.aead.NonceSize():], nil)
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	return keys, json.Unmarshal(text, &keys)
}

const gcmName = "JSON map + AES-GCM"

func gcmEncode() harness.Contender {
	return harness.Contender{Name: gcmName, Setup: func() (harness.Op, func(), error) {
		c, err := newGCM()
		t := when()
		return func(n int) {
			for range n {
				if _, err := c.encode(t, id); err != nil {
					panic(err)
				}
			}
		}, nil, err
	}}
}

func gcmDecode() harness.Contender {
	return harness.Contender{Name: gcmName, Setup: func() (harness.Op, func(), error) {
		c, err := newGCM()
		if err != nil {
			return nil, nil, err
		}
		token, err := c.encode(when(), id)
		return func(n int) {
			for range n {
				if keys, err := c.decode(token); err != nil || len(keys) != 2 {
					panic("decode")
				}
			}
		}, nil, err
	}}
}

func gcmLength() harness.Contender {
	return harness.Contender{Name: gcmName, Value: func() (float64, error) {
		c, err := newGCM()
		if err != nil {
			return 0, err
		}
		token, err := c.encode(when(), id)
		return float64(len(token)), err
	}}
}
