package session_test

import (
	"bytes"
	"encoding/gob"
	"testing"

	"github.com/sysblocks/sysblocks/session"
)

// gobCodec is what a user would write.
type gobCodec struct{}

func (gobCodec) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobCodec) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

func TestAnotherCodec(t *testing.T) {
	s := newSite(t, session.Options{Codec: gobCodec{}}, nil)
	b := s.browser()
	b.increment()
	b.increment()
	b.wantState("", 2)
}
