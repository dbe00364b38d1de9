package pagination

import "testing"

// TestNumbersInTokensHaveOneSpelling holds the decoder to what binary.AppendUvarint writes: a longer spelling of the same
// number would give one position two tokens.
func TestNumbersInTokensHaveOneSpelling(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want uint64
		ok   bool
	}{
		"zero":              {[]byte{0x00}, 0, true},
		"two bytes":         {[]byte{0x80, 0x01}, 128, true},
		"zero, longer":      {[]byte{0x80, 0x00}, 0, false},
		"one, much longer":  {[]byte{0x81, 0x80, 0x00}, 0, false},
		"cut off":           {[]byte{0x80}, 0, false},
		"nothing":           {nil, 0, false},
		"more than 64 bits": {[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 0, false},
	} {
		p := payload{b: c.b, ok: true}
		if got := p.uvarint(); got != c.want || p.ok != c.ok {
			t.Errorf("%s: %d, ok %v; want %d, %v", name, got, p.ok, c.want, c.ok)
		}
	}
}
