package bloom

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// The format, version 1, is described in FORMAT.md and is a public contract: what one release wrote, all later
// ones read. Everything is little-endian.
const (
	magic         = "sysbloom"
	formatVersion = 1
	kindFilter    = 1
	headerSize    = 64
	trailerSize   = 8
	// transferSize is the buffer of WriteTo and Read: 512 blocks, small enough to stay in the first-level cache.
	transferSize = 32 << 10
)

// AppendBinary appends the 64-byte header that a filter of this layout has in the serialized form. ErrInvalid when no
// filter can have the layout.
func (l Layout) AppendBinary(b []byte) ([]byte, error) {
	if err := l.check(ErrInvalid); err != nil {
		return b, err
	}
	var h [headerSize]byte
	copy(h[:], magic)
	binary.LittleEndian.PutUint16(h[8:], formatVersion)
	h[10], h[11], h[12] = kindFilter, byte(l.Words), byte(l.Bits)
	binary.LittleEndian.PutUint64(h[16:], l.Blocks)
	binary.LittleEndian.PutUint64(h[24:], l.Capacity)
	binary.LittleEndian.PutUint64(h[32:], math.Float64bits(l.TargetRate))
	binary.LittleEndian.PutUint64(h[56:], xxhash.Sum64(h[:56]))
	return append(b, h[:]...), nil
}

// UnmarshalBinary decodes a header of exactly 64 bytes. Damage is ErrCorrupt, an intact header of another version
// ErrVersion; l is then unchanged.
func (l *Layout) UnmarshalBinary(b []byte) error {
	if len(b) < headerSize {
		return fmt.Errorf("%w: header of %d bytes, want %d: %w", ErrCorrupt, len(b), headerSize, io.ErrUnexpectedEOF)
	}
	if len(b) > headerSize {
		return fmt.Errorf("%w: header of %d bytes, want %d", ErrCorrupt, len(b), headerSize)
	}
	if string(b[:8]) != magic {
		return fmt.Errorf("%w: no filter starts with %q", ErrCorrupt, b[:8])
	}
	if binary.LittleEndian.Uint64(b[56:]) != xxhash.Sum64(b[:56]) {
		return fmt.Errorf("%w: checksum of the header", ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != formatVersion {
		return fmt.Errorf("%w: %d, this release reads %d", ErrVersion, v, formatVersion)
	}
	if b[10] != kindFilter {
		return fmt.Errorf("%w: kind %d", ErrCorrupt, b[10])
	}
	for _, i := range [...]int{13, 14, 15, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55} {
		if b[i] != 0 {
			return fmt.Errorf("%w: reserved byte %d is not zero", ErrCorrupt, i)
		}
	}
	d := Layout{
		Words:      int(b[11]),
		Bits:       int(b[12]),
		Blocks:     binary.LittleEndian.Uint64(b[16:]),
		Capacity:   binary.LittleEndian.Uint64(b[24:]),
		TargetRate: math.Float64frombits(binary.LittleEndian.Uint64(b[32:])),
	}
	if err := d.check(ErrCorrupt); err != nil {
		return err
	}
	*l = d
	return nil
}

// serializedSize is the length of a whole filter. It cannot overflow: there are at most 2^40 blocks.
func (l Layout) serializedSize() uint64 { return headerSize + l.Bytes() + trailerSize }

// WriteTo writes the filter in the format of FORMAT.md and returns the number of bytes that w took. It is safe beside
// writers: the snapshot holds every key whose Add happened before the call, and is always readable, since each word
// is read once and the checksum covers what was written. A zero Filter is ErrInvalid.
func (f *Filter) WriteTo(w io.Writer) (int64, error) {
	buf := make([]byte, 0, transferSize)
	buf, err := f.layout.AppendBinary(buf)
	if err != nil {
		return 0, err
	}
	var d xxhash.Digest
	d.Reset()
	var written int64
	flush := func() error {
		n, err := w.Write(buf)
		written += int64(min(max(n, 0), len(buf)))
		if err == nil && n != len(buf) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("bloom: write filter: %w", err)
		}
		buf = buf[:0]
		return nil
	}
	for i := range f.blocks {
		if len(buf)+blockBytes > transferSize {
			_, _ = d.Write(buf)
			if err := flush(); err != nil {
				return written, err
			}
		}
		buf = appendBlock(buf, &f.blocks[i])
	}
	_, _ = d.Write(buf)
	if len(buf)+trailerSize > transferSize {
		if err := flush(); err != nil {
			return written, err
		}
	}
	buf = binary.LittleEndian.AppendUint64(buf, d.Sum64())
	return written, flush()
}

func appendBlock(buf []byte, b *block) []byte {
	n := len(buf)
	buf = slices.Grow(buf, blockBytes)[:n+blockBytes]
	out := (*[blockBytes]byte)(buf[n:])
	for w := range b {
		binary.LittleEndian.PutUint64(out[8*w:], atomic.LoadUint64(&b[w]))
	}
	return buf
}

// AppendBinary appends what WriteTo writes. It is safe beside writers in the same way.
func (f *Filter) AppendBinary(b []byte) ([]byte, error) {
	if err := f.layout.check(ErrInvalid); err != nil {
		return b, err
	}
	if size := f.layout.serializedSize(); size > addressSpace-uint64(len(b)) {
		return b, fmt.Errorf("%w: %d bytes of serialized form", ErrTooLarge, size)
	}
	start := len(b)
	b = slices.Grow(b, int(f.layout.serializedSize()))
	b, err := f.layout.AppendBinary(b)
	if err != nil {
		return b, err
	}
	for i := range f.blocks {
		b = appendBlock(b, &f.blocks[i])
	}
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b[start:])), nil
}

// MarshalBinary returns what WriteTo writes.
func (f *Filter) MarshalBinary() ([]byte, error) { return f.AppendBinary(nil) }

// UnmarshalBinary replaces f by the filter in b, which must be all of b. The options of f are kept and its MaxBytes
// is obeyed. On an error f is unchanged. It needs exclusive use of f. Errors are those of Read.
func (f *Filter) UnmarshalBinary(b []byte) error {
	v, err := Open(b)
	if err != nil {
		return err
	}
	if err := f.options.checkBytes(v.layout.Bytes()); err != nil {
		return err
	}
	g := makeFilter(v.layout, f.options)
	decodeBlocks(g.blocks, v.body)
	*f = *g
	return nil
}

// decodeBlocks fills blocks that nobody else sees yet.
func decodeBlocks(blocks []block, b []byte) {
	for i := range blocks {
		in := (*[blockBytes]byte)(b[blockBytes*i:])
		blocks[i] = block{
			binary.LittleEndian.Uint64(in[0:]), binary.LittleEndian.Uint64(in[8:]),
			binary.LittleEndian.Uint64(in[16:]), binary.LittleEndian.Uint64(in[24:]),
			binary.LittleEndian.Uint64(in[32:]), binary.LittleEndian.Uint64(in[40:]),
			binary.LittleEndian.Uint64(in[48:]), binary.LittleEndian.Uint64(in[56:]),
		}
	}
}

// Read reads one filter that WriteTo wrote, and not one byte more. Any damage is ErrCorrupt, a short stream ErrCorrupt
// wrapping io.ErrUnexpectedEOF, another format version ErrVersion, a filter above o.MaxBytes ErrTooLarge; other errors
// of r are returned wrapped. Memory grows with the bytes that arrive, at most twice those plus 1 MiB, whatever
// the header claims; the bytes that r says it holds by a method Len() int count as arrived.
func Read(r io.Reader, o Options) (*Filter, error) {
	var d xxhash.Digest
	d.Reset()
	buf := make([]byte, transferSize)
	if err := readFull(r, buf[:headerSize]); err != nil {
		return nil, err
	}
	_, _ = d.Write(buf[:headerSize])
	var l Layout
	if err := l.UnmarshalBinary(buf[:headerSize]); err != nil {
		return nil, err
	}
	if err := o.checkBytes(l.Bytes()); err != nil {
		return nil, err
	}
	parts, err := readBlocks(r, l, &d, buf)
	if err != nil {
		return nil, err
	}
	if err := readFull(r, buf[:trailerSize]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint64(buf) != d.Sum64() {
		return nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	if len(parts) == 1 && !o.HugePages {
		return ownFilter(parts[0], l, o), nil
	}
	f := makeFilter(l, o)
	at := 0
	for _, p := range parts {
		at += copy(f.blocks[at:], p)
	}
	return f, nil
}

// readBlocks returns the blocks as they arrived, in parts of growing size: a part is never larger than what has arrived
// before it, apart from the first. Where the first holds everything it is the filter, without a copy.
func readBlocks(r io.Reader, l Layout, d *xxhash.Digest, buf []byte) ([][]block, error) {
	const trusted = 1 << 19 / blockBytes // allocated on the header's word alone: half a MiB
	var parts [][]block
	room, have := uint64(trusted), uint64(0)
	if sized, ok := r.(interface{ Len() int }); ok {
		room = max(room, uint64(max(sized.Len(), 0))/blockBytes)
	}
	for have < l.Blocks {
		part := make([]block, min(l.Blocks-have, max(room, have)))
		parts = append(parts, part)
		have += uint64(len(part))
		for len(part) > 0 {
			n := min(len(part), len(buf)/blockBytes)
			raw := buf[:n*blockBytes]
			if err := readFull(r, raw); err != nil {
				return nil, err
			}
			_, _ = d.Write(raw)
			decodeBlocks(part[:n], raw)
			part = part[n:]
		}
	}
	return parts, nil
}

// readFull fills b. It accepts data together with an error and bears a reader that returns nothing, but not for ever.
func readFull(r io.Reader, b []byte) error {
	idle := 0
	for len(b) > 0 {
		n, err := r.Read(b)
		if n < 0 || n > len(b) {
			return fmt.Errorf("bloom: read filter: reader returned %d for %d bytes", n, len(b))
		}
		b = b[n:]
		if len(b) == 0 {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%w: %w", ErrCorrupt, io.ErrUnexpectedEOF)
		case err != nil:
			return fmt.Errorf("bloom: read filter: %w", err)
		case n > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return fmt.Errorf("bloom: read filter: %w", io.ErrNoProgress)
			}
		}
	}
	return nil
}
