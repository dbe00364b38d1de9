package links

import (
	"context"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/opaque"
)

// Codes hands out codes that no other instance hands out, without asking anybody for each.
type Codes struct {
	next  idgen.Generator
	text  func(idgen.ID) (string, error)
	close func(context.Context) error
}

// idBits are enough for 20 years of the estimate, and 62^7 is the first power that holds them: seven letters.
const idBits = 41

// NewSegmentCodes counts. An instance takes a range of numbers from the common counter and needs it again only when the range is
// used up. Written down as they are, the numbers would tell everybody how many links there are and what the next one is; under
// the key they look random, and stay as different as they were.
func NewSegmentCodes(counter idgen.Counter, key []byte) (*Codes, error) {
	numbers, err := idgen.NewSegment(counter, idgen.SegmentOptions{})
	if err != nil {
		return nil, err
	}
	codec, err := opaque.New(key, opaque.Options{Name: "link", IDBits: idBits, Encoding: idgen.Base62})
	if err != nil {
		return nil, err
	}
	return &Codes{next: numbers, text: codec.Encode, close: numbers.Close}, nil
}

// NewSnowflakeCodes needs no counter: the number is made of the time, a worker number that is leased, and a sequence. That takes
// 63 bits, eleven letters.
func NewSnowflakeCodes(ctx context.Context, leaser idgen.Leaser) (*Codes, error) {
	ids, err := idgen.NewLeased(ctx, leaser, idgen.SnowflakeOptions{})
	if err != nil {
		return nil, err
	}
	text := func(id idgen.ID) (string, error) { return idgen.Base62.Encode(id), nil }
	return &Codes{next: ids, text: text, close: ids.Close}, nil
}

// Next returns a new code.
func (c *Codes) Next(ctx context.Context) (string, error) {
	id, err := c.next.Next(ctx)
	if err != nil {
		return "", err
	}
	return c.text(id)
}

// Close gives back what the codes are made from.
func (c *Codes) Close(ctx context.Context) error { return c.close(ctx) }
