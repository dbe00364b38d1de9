package run

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

// Writer writes a run. It is used by one goroutine.
type Writer struct {
	out    *bufio.Writer
	number uint64
	at     int64  // where the present block will lie
	block  []byte // the present one
	first  string // its first key
	last   string // the last key
	index  []byte
	hashes []bloom.Key
}

// NewWriter writes a run of this number to out.
func NewWriter(out io.Writer, number uint64) *Writer {
	return &Writer{out: bufio.NewWriterSize(out, 64<<10), number: number}
}

// Add appends an item. Keys come in ascending order.
func (w *Writer) Add(it Item) error {
	if len(w.hashes) > 0 && it.Key <= w.last {
		return fmt.Errorf("storage: key %q after %q in a run", it.Key, w.last)
	}
	if len(it.Key)+len(it.Value) > entry.MaxBytes {
		return fmt.Errorf("storage: item of %d bytes, limit %d", len(it.Key)+len(it.Value), entry.MaxBytes)
	}
	if len(w.block) == 0 {
		w.first = it.Key
	}
	w.block = appendItem(w.block, it.Key, it.Value)
	w.last = it.Key
	w.hashes = append(w.hashes, bloom.String(it.Key))
	if len(w.block) < blockSize {
		return nil
	}
	return w.flush()
}

// flush ends the present block.
func (w *Writer) flush() error {
	w.index = entry.AppendString(w.index, w.first)
	w.index = binary.AppendUvarint(w.index, uint64(len(w.block)+checksumSize))
	err := w.section(w.block)
	w.block = w.block[:0]
	return err
}

// section writes bytes and their checksum.
func (w *Writer) section(b []byte) error {
	n, err := w.out.Write(seal(b, w.number, w.at))
	w.at += int64(n)
	return err
}

// Len is the number of items so far.
func (w *Writer) Len() int { return len(w.hashes) }

// Close writes what ends a run. The filter is sized for the keys that came: only now their number is known, since of a key that
// several merged runs had, one version is left.
func (w *Writer) Close() error {
	if len(w.block) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	filter, err := bloom.New(uint64(max(w.Len(), 1)), FalseRate, bloom.Options{Unsynchronized: true})
	if err != nil {
		return err
	}
	filter.AddMany(w.hashes)
	filterAt := w.at
	encoded, err := filter.MarshalBinary()
	if err == nil {
		err = w.section(encoded)
	}
	if err != nil {
		return err
	}
	indexAt := w.at
	if err := w.section(w.index); err != nil {
		return err
	}
	footer := binary.BigEndian.AppendUint64(make([]byte, 0, footerSize), uint64(filterAt))
	for _, n := range []uint64{uint64(indexAt), uint64(w.Len()), w.number, magic} {
		footer = binary.BigEndian.AppendUint64(footer, n)
	}
	if err := w.section(footer); err != nil {
		return err
	}
	return w.out.Flush()
}
