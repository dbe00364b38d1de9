package session

import "encoding/json"

// Codec encodes the data of a session. v is a pointer in both directions. Marshal should give equal bytes for
// equal data, so that an Update that changes nothing is recognised; where it does not (gob with maps), such an
// update costs a write.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// jsonCodec is the default.
type jsonCodec struct{}

func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
