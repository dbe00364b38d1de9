package pagination

import (
	"encoding/binary"
	"math"
	"time"
)

// Cursor is what a token holds: where a page starts and ends, and from which
// side it is filled. Issued is set when the codec has a MaxAge.
type Cursor struct {
	Start, End Gap
	Backward   bool
	Issued     time.Time
}

// The flags of a payload. A flag whose part would be empty is malformed, so that
// each position has one encoding.
const (
	flagBackward = 1 << iota
	flagEnd
	flagIssued
	flagShard
	allFlags = 1<<iota - 1
)

// appendPayload appends flags, [issued], start, [end].
func appendPayload(b []byte, c *Cursor) []byte {
	flags := byte(0)
	if c.Backward {
		flags |= flagBackward
	}
	if !c.End.IsOpen() {
		flags |= flagEnd
	}
	if !c.Issued.IsZero() {
		flags |= flagIssued
	}
	if c.Start.Shard != 0 || c.End.Shard != 0 {
		flags |= flagShard
	}
	b = append(b, flags)
	if flags&flagIssued != 0 {
		b = binary.AppendUvarint(b, uint64(c.Issued.Unix()))
	}
	b = appendGap(b, &c.Start, flags&flagShard != 0)
	if flags&flagEnd != 0 {
		b = appendGap(b, &c.End, flags&flagShard != 0)
	}
	return b
}

// appendGap appends count and side in one byte, [shard], values.
func appendGap(b []byte, g *Gap, shard bool) []byte {
	head := byte(len(g.Key)) << 1
	if g.After && !g.IsOpen() {
		head |= 1
	}
	b = append(b, head)
	if shard {
		b = binary.AppendUvarint(b, uint64(g.Shard))
	}
	for i := range g.Key {
		b = appendValue(b, g.Key[i])
	}
	return b
}

// appendValue appends a kind byte and the shortest body.
func appendValue(b []byte, v Value) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case KindBool:
		b = append(b, byte(v.n))
	case KindInt:
		b = binary.AppendVarint(b, int64(v.n))
	case KindUint:
		b = binary.AppendUvarint(b, v.n)
	case KindFloat:
		b = binary.BigEndian.AppendUint64(b, v.n)
	case KindString, KindBytes, KindDecimal:
		b = appendText(b, v.s)
	case KindTime:
		b = binary.AppendVarint(b, int64(v.n))
		b = binary.AppendUvarint(b, v.m)
	case KindUUID:
		b = binary.BigEndian.AppendUint64(b, v.n)
		b = binary.BigEndian.AppendUint64(b, v.m)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// payload reads what appendPayload wrote, and nothing else: ok turns false at
// the first byte that appendPayload could not have written.
type payload struct {
	b  []byte
	ok bool
}

func (p *payload) byte() byte {
	if len(p.b) == 0 {
		p.ok = false
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *payload) uvarint() uint64 {
	u, n := binary.Uvarint(p.b)
	if n <= 0 || n > 1 && p.b[n-1] == 0 { // a last byte of zero is a longer spelling
		p.ok = false
		return 0
	}
	p.b = p.b[n:]
	return u
}

func (p *payload) varint() int64 {
	u := p.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (p *payload) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.ok = false
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

// value reads a value of the kind, or NULL.
func (p *payload) value(want Kind) Value {
	v := Value{kind: Kind(p.byte())}
	if !p.ok || v.kind == 0 {
		return Value{}
	}
	if v.kind != want {
		p.ok = false
		return Value{}
	}
	switch v.kind {
	case KindBool:
		v.n = uint64(p.byte())
		p.ok = p.ok && v.n <= 1
	case KindInt:
		v.n = uint64(p.varint())
	case KindUint:
		v.n = p.uvarint()
	case KindFloat:
		if b := p.take(8); b != nil {
			v.n = binary.BigEndian.Uint64(b)
			p.ok = v.n != 1<<63 && !math.IsNaN(math.Float64frombits(v.n))
		}
	case KindString, KindBytes, KindDecimal:
		v.s = string(p.take(p.uvarint()))
	case KindTime:
		v.n, v.m = uint64(p.varint()), p.uvarint()
		p.ok = p.ok && v.m < 1e9
	case KindUUID:
		if b := p.take(16); b != nil {
			v.n, v.m = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		}
	default:
		p.ok = false
	}
	p.ok = p.ok && v.hasPosition()
	return v
}

// gap reads a gap of at most len(kinds) values.
func (p *payload) gap(kinds []Kind, shard bool) (g Gap) {
	head := p.byte()
	n := int(head >> 1)
	if shard {
		s := p.uvarint()
		g.Shard = int(s & math.MaxInt32)
		p.ok = p.ok && s <= math.MaxInt32
	}
	if n > len(kinds) || head == 1 || g.Shard != 0 && n == 0 {
		p.ok = false
	}
	if n == 0 || !p.ok {
		return g
	}
	g.After = head&1 == 1
	g.Key = make([]Value, n)
	for i := range g.Key {
		if g.Key[i] = p.value(kinds[i]); !p.ok {
			break
		}
	}
	return g
}

// parsePayload is the inverse of appendPayload.
func parsePayload(b []byte, kinds []Kind) (c Cursor, ok bool) {
	p := payload{b: b, ok: true}
	flags := p.byte()
	if flags > allFlags {
		return Cursor{}, false
	}
	c.Backward = flags&flagBackward != 0
	if flags&flagIssued != 0 {
		seconds := p.uvarint()
		if seconds == 0 || seconds > maxSeconds {
			return Cursor{}, false
		}
		c.Issued = time.Unix(int64(seconds), 0).UTC()
	}
	c.Start = p.gap(kinds, flags&flagShard != 0)
	if flags&flagEnd != 0 && p.ok {
		c.End = p.gap(kinds, flags&flagShard != 0)
		p.ok = p.ok && !c.End.IsOpen()
	}
	if flags&flagShard != 0 && c.Start.Shard == 0 && c.End.Shard == 0 {
		p.ok = false
	}
	return c, p.ok && len(p.b) == 0
}
