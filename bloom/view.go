package bloom

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// View is a serialized filter that is tested in place, for instance over a mapped file. It copies nothing and keeps
// the bytes it was opened on, which must not change. A View is a value; copies share the bytes. All methods are safe
// for concurrent use. A zero View tests false.
type View struct {
	body   []byte // the blocks
	layout Layout
	shape  shape
}

// Open checks header, length and checksum of b, which must be one whole serialized filter, and returns a view of it.
// Damage is ErrCorrupt, an intact header of another version ErrVersion.
func Open(b []byte) (View, error) {
	v, err := OpenTrusted(b)
	if err != nil {
		return View{}, err
	}
	end := len(b) - trailerSize
	if binary.LittleEndian.Uint64(b[end:]) != xxhash.Sum64(b[:end]) {
		return View{}, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	return v, nil
}

// OpenTrusted is Open without the checksum of the blocks: O(1), for mapped files that were verified once. On damaged
// blocks its answers are wrong, but it stays inside b.
func OpenTrusted(b []byte) (View, error) {
	var l Layout
	if err := l.UnmarshalBinary(b[:min(len(b), headerSize)]); err != nil {
		return View{}, err
	}
	switch size := l.serializedSize(); {
	case uint64(len(b)) < size:
		return View{}, fmt.Errorf("%w: %d bytes of %d: %w", ErrCorrupt, len(b), size, io.ErrUnexpectedEOF)
	case uint64(len(b)) > size:
		return View{}, fmt.Errorf("%w: %d bytes after the filter", ErrCorrupt, uint64(len(b))-size)
	}
	return View{body: b[headerSize : len(b)-trailerSize], layout: l, shape: l.shape()}, nil
}

// Test reports whether k may be in the filter. False means certainly absent.
func (v View) Test(k Key) bool {
	i, _ := bits.Mul64(k.h, v.layout.Blocks)
	if v.shape == shapeNone {
		return false
	}
	return testBytes(v.body[i*blockBytes:], v.shape, k.h)
}

// TestMany tests all keys and appends one result per key to dst, as Filter.TestMany does.
func (v View) TestMany(dst []bool, keys []Key) []bool {
	dst = slices.Grow(dst, len(keys))
	if len(v.body) < smallBlocks*blockBytes {
		for _, k := range keys {
			dst = append(dst, v.Test(k))
		}
		return dst
	}
	var at [chunk]uint64
	for len(keys) > 0 {
		part := keys[:min(len(keys), chunk)]
		var seen byte
		for j, k := range part {
			i, _ := bits.Mul64(k.h, v.layout.Blocks)
			at[j] = i * blockBytes
			seen |= v.body[i*blockBytes]
		}
		runtime.KeepAlive(seen) // else the compiler would drop the loads that start the cache misses
		for j, k := range part {
			dst = append(dst, testBytes(v.body[at[j]:], v.shape, k.h))
		}
		keys = keys[len(part):]
	}
	return dst
}

// Layout returns the geometry of the filter; it is zero for a zero View.
func (v View) Layout() Layout { return v.layout }

// testBytes is test on a serialized block, the first 64 bytes of b. A little-endian read compiles to one load where
// the machine is little-endian, so there is no need for unsafe.
func testBytes(b []byte, s shape, h uint64) bool {
	in := (*[blockBytes]byte)(b)
	word := func(c uint64) uint64 { return binary.LittleEndian.Uint64(in[8*(c&7):]) }
	x := mix(h)
	switch s {
	case shape2x2:
		return two(x)&^word(x>>12&3)|two(x>>32)&^word(4|x>>44&3) == 0
	case shape2x3:
		return three(x)&^word(x>>18&3)|three(x>>32)&^word(4|x>>50&3) == 0
	case shape2x4:
		return four(x)&^word(x>>24&3)|four(x>>32)&^word(4|x>>56&3) == 0
	case shape4x2:
		return two(x)&^word(x>>12&1)|two(x>>16)&^word(2|x>>28&1)|
			two(x>>32)&^word(4|x>>44&1)|two(x>>48)&^word(6|x>>60&1) == 0
	case shape4x3:
		y := mix2(x)
		return three(x)&^word(x>>18&1)|three(x>>32)&^word(2|x>>50&1)|
			three(y)&^word(4|y>>18&1)|three(y>>32)&^word(6|y>>50&1) == 0
	}
	// The shapes that are rare or touch every word read the whole line.
	var w block
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(in[8*i:])
	}
	return test(&w, s, h)
}

// ViewAt is a serialized filter left on disk: each Test reads one block of 64 bytes. It is safe for concurrent use if
// the reader is, as an os.File. A zero ViewAt tests false.
type ViewAt struct {
	r      io.ReaderAt
	layout Layout
	bufs   *sync.Pool // of *[64]byte: a buffer handed to an interface would be allocated by every Test
}

// OpenAt reads the header, checks that the last byte is there, and returns a view. The checksum of the blocks is not
// checked, which would read everything: verify the file with Read or Open once. Errors are those of Open; those of
// r are returned wrapped.
func OpenAt(r io.ReaderAt) (ViewAt, error) {
	var buf [headerSize]byte
	if err := readAt(r, buf[:], 0); err != nil {
		return ViewAt{}, err
	}
	var l Layout
	if err := l.UnmarshalBinary(buf[:]); err != nil {
		return ViewAt{}, err
	}
	if err := readAt(r, buf[:trailerSize], int64(l.serializedSize())-trailerSize); err != nil {
		return ViewAt{}, err
	}
	return ViewAt{r: r, layout: l, bufs: &sync.Pool{New: func() any { return new([blockBytes]byte) }}}, nil
}

// Test reports whether k may be in the filter: false, nil means certainly absent. An error of the reader is returned
// wrapped and is never an answer: the result beside it is true, so that a caller who ignores it searches.
func (v ViewAt) Test(k Key) (bool, error) {
	if v.r == nil {
		return false, nil
	}
	i, _ := bits.Mul64(k.h, v.layout.Blocks)
	buf := v.bufs.Get().(*[blockBytes]byte)
	defer v.bufs.Put(buf)
	if err := readAt(v.r, buf[:], int64(headerSize+i*blockBytes)); err != nil {
		return true, err
	}
	return testBytes(buf[:], v.layout.shape(), k.h), nil
}

// Layout returns the geometry of the filter; it is zero for a zero ViewAt.
func (v ViewAt) Layout() Layout { return v.layout }

func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case err == nil || err == io.EOF: //nolint:errorlint // ReadAt promises io.EOF itself at the end
		return fmt.Errorf("%w: %w", ErrCorrupt, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("bloom: read filter: %w", err)
}
