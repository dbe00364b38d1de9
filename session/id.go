package session

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// ID identifies a session: 128 random bits, 22 characters of base64url as text. It is no secret.
type ID [16]byte

// idText is the length of an ID as text: 16 bytes in base64 without padding.
const idText = 22

// newID draws an ID. crypto/rand never fails: it crashes the program instead.
func newID() (id ID) {
	_, _ = rand.Read(id[:])
	return id
}

// ParseID reads the text form of an ID. Each ID has one spelling; any other text gives an error that is
// ErrInvalid.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != idText {
		return ID{}, fmt.Errorf("%w: ID of %d characters, want %d", ErrInvalid, len(s), idText)
	}
	n, err := base64.RawURLEncoding.Decode(id[:], []byte(s))
	// The last character carries four bits that mean nothing; only zeros there are canonical.
	if err != nil || n != len(id) || id.String() != s {
		return ID{}, fmt.Errorf("%w: ID is not canonical base64url", ErrInvalid)
	}
	return id, nil
}

// String is the text form: 22 characters that need no escaping in a URL, a header or a log.
func (id ID) String() string {
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, id[:]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler; it accepts what ParseID accepts.
func (id *ID) UnmarshalText(text []byte) error {
	got, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = got
	return nil
}
