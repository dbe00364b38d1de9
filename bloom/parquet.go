package bloom

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A filter in a Parquet file is a BloomFilterHeader in Thrift's compact protocol and the bitset:
//
//	1: i32 numBytes
//	2: union algorithm   { 1: BLOCK }
//	3: union hash        { 1: XXHASH }
//	4: union compression { 1: UNCOMPRESSED }
//
// where each union member is an empty struct. A field header of the compact protocol is one byte, the step of the field
// number in the high half and the type in the low half, or a step of 0 and the number as a zigzag varint.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
	thriftDepth  = 16 // nesting of fields to skip; a header has no deep ones
)

// AppendParquet appends the filter as it stands in a Parquet file: header and bitset. A zero SplitBlock is ErrInvalid.
func (s *SplitBlock) AppendParquet(b []byte) ([]byte, error) {
	if len(s.blocks) == 0 {
		return b, fmt.Errorf("%w: zero SplitBlock has no bitset", ErrInvalid)
	}
	const i32Field, structField = 1<<4 | thriftI32, 1<<4 | thriftStruct
	b = append(b, i32Field)
	b = binary.AppendVarint(b, int64(len(s.blocks)*splitBlockBytes))
	for range 3 { // algorithm, hash, compression: a union whose member 1 is an empty struct
		b = append(b, structField, structField, thriftStop, thriftStop)
	}
	b = append(b, thriftStop)
	return s.AppendBitset(b), nil
}

// ParseParquet reads the filter at the beginning of b as it stands in a Parquet file, copies it, and returns how many
// bytes it took. An algorithm other than BLOCK, a hash other than XXHASH or a compression is ErrVersion; malformed
// data is ErrCorrupt, short data ErrCorrupt wrapping io.ErrUnexpectedEOF. Unknown fields of the header are skipped.
func ParseParquet(b []byte) (s *SplitBlock, n int, err error) {
	d := thrift{b: b}
	var size int64
	var seen [5]bool
	for id := int64(0); ; {
		kind, err := d.field(&id)
		if err != nil {
			return nil, 0, err
		}
		if kind == thriftStop {
			break
		}
		if id < 1 || id > 4 {
			if err := d.skip(kind, thriftDepth); err != nil {
				return nil, 0, err
			}
			continue
		}
		if seen[id] {
			return nil, 0, fmt.Errorf("%w: field %d of the Parquet header is repeated", ErrCorrupt, id)
		}
		seen[id] = true
		if id == 1 {
			size, err = d.size(kind)
		} else {
			err = d.union(kind, [...]string{2: "algorithm", 3: "hash", 4: "compression"}[id])
		}
		if err != nil {
			return nil, 0, err
		}
	}
	for id, ok := range seen {
		if id > 0 && !ok {
			return nil, 0, fmt.Errorf("%w: field %d of the Parquet header is missing", ErrCorrupt, id)
		}
	}
	if int64(len(b)-d.at) < size {
		return nil, 0, short("bitset")
	}
	n = d.at + int(size)
	s, err = ParseSplitBlock(b[d.at:n])
	if err != nil {
		return nil, 0, err
	}
	return s, n, nil
}

// thrift reads the compact protocol.
type thrift struct {
	b  []byte
	at int
}

func (d *thrift) byte() (byte, error) {
	if d.at >= len(d.b) {
		return 0, short("Parquet header")
	}
	d.at++
	return d.b[d.at-1], nil
}

// uvarint reads an unsigned number; zigzag numbers are signed ones folded into it.
func (d *thrift) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.b[d.at:])
	if n == 0 {
		return 0, short("Parquet header")
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: number of more than 64 bits in the Parquet header", ErrCorrupt)
	}
	d.at += n
	return v, nil
}

func (d *thrift) varint() (int64, error) {
	u, err := d.uvarint()
	return int64(u>>1) ^ -int64(u&1), err
}

// field reads a field header and moves id on to its number.
func (d *thrift) field(id *int64) (kind byte, err error) {
	c, err := d.byte()
	if err != nil || c == thriftStop {
		return thriftStop, err
	}
	kind = c & 15
	if kind == thriftStop {
		return 0, fmt.Errorf("%w: field without a type in the Parquet header", ErrCorrupt)
	}
	if step := c >> 4; step != 0 {
		*id += int64(step)
	} else if *id, err = d.varint(); err != nil {
		return 0, err
	}
	if *id < math.MinInt16 || *id > math.MaxInt16 {
		return 0, fmt.Errorf("%w: field number %d in the Parquet header", ErrCorrupt, *id)
	}
	return kind, nil
}

// size reads numBytes.
func (d *thrift) size(kind byte) (int64, error) {
	if kind != thriftI32 {
		return 0, fmt.Errorf("%w: numBytes has type %d in the Parquet header", ErrCorrupt, kind)
	}
	v, err := d.varint()
	if err != nil {
		return 0, err
	}
	if v <= 0 || v > maxBitset || v%splitBlockBytes != 0 {
		return 0, fmt.Errorf("%w: bitset of %d bytes, want a positive multiple of 32", ErrCorrupt, v)
	}
	return v, nil
}

// union reads a union whose only known member is the empty struct 1.
func (d *thrift) union(kind byte, name string) error {
	if kind != thriftStruct {
		return fmt.Errorf("%w: %s has type %d in the Parquet header", ErrCorrupt, name, kind)
	}
	var id int64
	kind, err := d.field(&id)
	if err != nil {
		return err
	}
	if kind == thriftStop {
		return fmt.Errorf("%w: empty %s in the Parquet header", ErrCorrupt, name)
	}
	if id != 1 {
		return fmt.Errorf("%w: %s %d of a Parquet filter", ErrVersion, name, id)
	}
	if kind != thriftStruct {
		return fmt.Errorf("%w: %s has a member of type %d", ErrCorrupt, name, kind)
	}
	if err := d.skip(thriftStruct, thriftDepth); err != nil {
		return err
	}
	if kind, err = d.field(&id); err != nil {
		return err
	}
	if kind != thriftStop {
		return fmt.Errorf("%w: %s with more than one member", ErrCorrupt, name)
	}
	return nil
}

// skip passes over a value that nothing here needs.
func (d *thrift) skip(kind byte, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%w: Parquet header nested too deeply", ErrCorrupt)
	}
	switch kind {
	case thriftTrue, thriftFalse:
		return nil
	case thriftByte:
		return d.advance(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := d.uvarint()
		return err
	case thriftDouble:
		return d.advance(8)
	case thriftUUID:
		return d.advance(16)
	case thriftBinary:
		n, err := d.uvarint()
		if err != nil {
			return err
		}
		return d.advance(n)
	case thriftStruct:
		for id := int64(0); ; {
			kind, err := d.field(&id)
			if err != nil || kind == thriftStop {
				return err
			}
			if err := d.skip(kind, depth-1); err != nil {
				return err
			}
		}
	case thriftList, thriftSet, thriftMap:
		return d.skipElements(kind, depth)
	}
	return fmt.Errorf("%w: type %d in the Parquet header", ErrCorrupt, kind)
}

// skipElements passes over a list, set or map.
func (d *thrift) skipElements(kind byte, depth int) error {
	var count uint64
	var kinds [2]byte
	c := byte(0xF0) // a map has its count first and then one byte of two types
	var err error
	if kind != thriftMap {
		if c, err = d.byte(); err != nil {
			return err
		}
		count, kinds[0] = uint64(c>>4), c&15
	}
	if c>>4 == 15 {
		if count, err = d.uvarint(); err != nil {
			return err
		}
	}
	if kind == thriftMap && count > 0 {
		if c, err = d.byte(); err != nil {
			return err
		}
		kinds = [2]byte{c >> 4, c & 15}
	}
	for range count {
		for _, k := range kinds {
			switch k {
			case 0: // a list has one type only
			case thriftTrue, thriftFalse: // a whole byte as an element, no byte as a field
				err = d.advance(1)
			default:
				err = d.skip(k, depth-1)
			}
			if err != nil {
				return err
			}
		}
		if kinds == [2]byte{} {
			return fmt.Errorf("%w: list without a type in the Parquet header", ErrCorrupt)
		}
	}
	return nil
}

func (d *thrift) advance(n uint64) error {
	if n > uint64(len(d.b)-d.at) {
		return short("Parquet header")
	}
	d.at += int(n)
	return nil
}
