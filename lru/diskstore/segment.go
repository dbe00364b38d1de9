package diskstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// segment is one file: a title line that names the encoding, then frames.
type segment struct {
	id   uint32
	path string
	file *os.File
	size int64 // under Store.mu
	puts int   // entries written; under Store.mu
	live int   // of them the ones that the index points to; under Store.mu
}

const (
	magic       = "sysblocks diskstore 1\n"
	maxTitle    = 4096
	suffix      = ".seg"
	numberWidth = 10 // so that the order of names is the order of numbers
)

// title is the first line of every segment of a store.
func title(encoding string) string {
	if len(encoding) > maxTitle-len(magic)-1 {
		encoding = encoding[:maxTitle-len(magic)-1]
	}
	return magic + encoding + "\n"
}

// createSegment makes the file of an empty segment.
func createSegment(dir string, id uint32, encoding string) (*segment, error) {
	path := filepath.Join(dir, fmt.Sprintf("%0*d%s", numberWidth, id, suffix))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	t := title(encoding)
	if _, err := f.WriteAt([]byte(t), 0); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return &segment{id: id, path: path, file: f, size: int64(len(t))}, nil
}

// openSegment opens a segment of an earlier run. foreign is true where another encoding wrote it, or nobody we know.
func openSegment(path string, id uint32, encoding string) (s *segment, foreign bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, false, err
	}
	want := title(encoding)
	got := make([]byte, len(want))
	if n, err := f.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, false, errors.Join(err, f.Close())
	} else if string(got[:n]) != want {
		return nil, true, f.Close()
	}
	info, err := f.Stat()
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return &segment{id: id, path: path, file: f, size: info.Size()}, false, nil
}

// destroy closes and deletes the file. Readers that still hold the segment get an error, which is a miss.
func (s *segment) destroy() error {
	return errors.Join(s.file.Close(), os.Remove(s.path))
}

// errDamaged is what frames says of bytes that are no frame although they are not the cut end of the last one.
var errDamaged = errors.New("diskstore: damaged frame")

// frames reads the frames of a segment from one place to another, without their values, and passes each with its place
// and its key, which is valid during the call. It returns where the last good frame ends; if that is before the end
// and err is nil, the rest is a frame that was cut off.
func (s *segment) frames(from, to int64, do func(at int64, h head, key []byte) error) (end int64, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, from, to-from), 1<<16)
	var key []byte
	for at := from; ; {
		var raw [headSize]byte
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return at, tail(err)
		}
		h, ok := parse(raw[:])
		switch {
		case !ok:
			return at, errDamaged
		case h.size() > to-at: // so no length of a hostile file is ever allocated
			return at, nil
		}
		key = slices.Grow(key[:0], int(h.keyLen))[:h.keyLen]
		if _, err := io.ReadFull(r, key); err != nil {
			return at, tail(err)
		}
		if sum(key) != h.keySum {
			return at, errDamaged
		}
		if _, err := r.Discard(int(h.valueLen)); err != nil {
			return at, tail(err)
		}
		if err := do(at, h, key); err != nil {
			return at, err
		}
		at += h.size()
	}
}

// tail turns the end of the file into the end of the frames.
func tail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// readAhead is what one read of an entry gets at least: head, key and value of most.
const readAhead = 4096

// part is what of a segment may be read without the lock: it was written before.
type part struct{ from, to int64 }

// read reads the entry at the beginning of a part, into buf, and checks that it is that of the key.
func (s *segment) read(where part, name []byte, buf *[]byte) (h head, value []byte, ok bool) {
	at := where.from
	b := slices.Grow((*buf)[:0], readAhead)[:readAhead]
	n, err := s.file.ReadAt(b, at)
	*buf = b
	if n < headSize || err != nil && !errors.Is(err, io.EOF) {
		return h, nil, false
	}
	h, ok = parse(b)
	if !ok || h.kind != put || int(h.keyLen) != len(name) || at+h.size() > where.to {
		return h, nil, false
	}
	if size := int(h.size()); size > n {
		b = slices.Grow(b[:n], size-n)[:size]
		*buf = b
		if _, err := s.file.ReadAt(b[n:], at+int64(n)); err != nil {
			return h, nil, false
		}
	}
	key := b[headSize : headSize+len(name)]
	value = b[headSize+len(name) : h.size()]
	return h, value, bytes.Equal(key, name) && sum(value) == h.valueSum
}
