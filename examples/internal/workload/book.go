package workload

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// Content identifies what was written: comparable, and equal only for equal bytes.
type Content struct {
	Size int64
	Sum  [sha256.Size]byte
}

// Book is a Writer that notes what passes through it: once beside the bytes that go into a system, once at its exit.
type Book struct {
	size, different int64
	sum             hash.Hash
	original        io.Reader
}

// NewBook makes an empty book.
func NewBook() *Book { return &Book{sum: sha256.New()} }

// Compare makes the book count the bytes that differ from those of the original, which it reads along.
func (b *Book) Compare(original io.Reader) { b.original = original }

// Content is what has been written so far.
func (b *Book) Content() Content {
	return Content{Size: b.size, Sum: [sha256.Size]byte(b.sum.Sum(nil))}
}

// Different is the number of bytes that were not those of the original. Bytes that the original has no counterpart for count too.
func (b *Book) Different() int64 { return b.different }

func (b *Book) Write(p []byte) (int, error) {
	if b.original != nil {
		want := make([]byte, len(p))
		n, err := io.ReadFull(b.original, want)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, err
		}
		for i := range p {
			if i >= n || p[i] != want[i] {
				b.different++
			}
		}
	}
	b.size += int64(len(p))
	return b.sum.Write(p)
}
