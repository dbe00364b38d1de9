// Package run is the file of a log-structured store: keys in order with their values, written once and never changed.
//
//	block │ block │ … │ filter │ index │ footer
//	  │                  │        │        └ where the two before it begin, how many keys, which run; 40 bytes
//	  │                  │        └ the first key of every block and its length: a few bytes per block, kept in memory
//	  │                  └ a Bloom filter of all keys: about ten bits per key, kept in memory
//	  └ keys and values until there are 4 KiB of them
//
// Every section ends with a checksum over its bytes, its place and the number of the run, so that a block is refused also when it is
// whole but lies in the wrong place. A look-up asks the filter, then the index, and then reads one block; the cache keeps blocks that
// have been verified.
//
// The index is sparse: it names one key of a block, and the rest is found inside. With entries of 100 bytes that is a fortieth of
// the keys, so the index of a hundred gigabytes fits into memory where the keys would not.
package run

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

const (
	// FalseRate is the share of absent keys that a run's filter lets through to the file.
	FalseRate = 0.01

	footerSize = 5*8 + checksumSize
	magic      = 0x7379_7362_6c6b_0001 // "sysblk", version 1
)

// Options are what the runs of a store share. The zero value is right for a run that is read once.
type Options struct {
	Cache    *Cache // of verified blocks; nil: every look-up reads the file
	NoFilter bool   // search the run for every key; for comparison
}

// Run is an open run. It is safe for concurrent use if the file is.
type Run struct {
	name   string
	number uint64
	file   io.ReaderAt
	opts   Options
	filter bloom.View
	first  []string // the first key of each block
	at     []int64  // where each block begins, and where the last one ends
	items  int
}

// Open reads footer, filter and index of a file of this size. The name is for messages; the number is the one that the run was
// written with. Memory is bounded by the size of the file, whatever its bytes say.
func Open(file io.ReaderAt, size int64, name string, number uint64, o Options) (*Run, error) {
	r := &Run{name: name, number: number, file: file, opts: o}
	footer, err := r.section(size-footerSize, size)
	if err != nil {
		return nil, err
	}
	filterAt, indexAt := int64(binary.BigEndian.Uint64(footer)), int64(binary.BigEndian.Uint64(footer[8:]))
	r.items = int(binary.BigEndian.Uint64(footer[16:]))
	if binary.BigEndian.Uint64(footer[24:]) != number || binary.BigEndian.Uint64(footer[32:]) != magic ||
		filterAt < 0 || indexAt < filterAt || size-footerSize < indexAt {
		return nil, r.damaged(size - footerSize)
	}
	filter, err := r.section(filterAt, indexAt)
	if err != nil {
		return nil, err
	}
	if r.filter, err = bloom.OpenTrusted(filter); err != nil { // the section has been verified
		return nil, errors.Join(r.damaged(filterAt), err)
	}
	index, err := r.section(indexAt, size-footerSize)
	if err != nil {
		return nil, err
	}
	if !r.readIndex(index, filterAt) || r.items < len(r.first) {
		return nil, r.damaged(indexAt)
	}
	return r, nil
}

// readIndex reports whether the blocks lie one behind the other up to the end, their first keys ascend, and none asks for more
// memory than one item can need.
func (r *Run) readIndex(b []byte, end int64) bool {
	r.at = append(r.at, 0)
	for at := int64(0); len(b) > 0; {
		key, rest, ok := entry.Cut(b)
		n, used := binary.Uvarint(rest)
		if !ok || used <= 0 || n <= checksumSize || n > maxBlock || int64(n) > end-at {
			return false
		}
		if len(r.first) > 0 && string(key) <= r.first[len(r.first)-1] {
			return false
		}
		at += int64(n)
		r.first, r.at = append(r.first, string(key)), append(r.at, at)
		b = rest[used:]
	}
	return r.at[len(r.at)-1] == end
}

// section reads what lies between two places and verifies it.
func (r *Run) section(from, to int64) ([]byte, error) {
	if from < 0 || to-from < checksumSize {
		return nil, r.damaged(max(from, 0))
	}
	b := make([]byte, to-from)
	if _, err := r.file.ReadAt(b, from); err != nil {
		return nil, fmt.Errorf("storage: read run %s at offset %d: %w", r.name, from, err)
	}
	b, ok := unseal(b, r.number, from)
	if !ok {
		return nil, r.damaged(from)
	}
	return b, nil
}

func (r *Run) damaged(at int64) error {
	return fmt.Errorf("%w: run %s at offset %d", entry.ErrCorrupt, r.name, at)
}

// Len is the number of keys.
func (r *Run) Len() int { return r.items }

// Blocks is the number of blocks.
func (r *Run) Blocks() int { return len(r.first) }

// MayHold asks the filter: false means that the key is certainly not in this run.
func (r *Run) MayHold(hash bloom.Key) bool { return r.filter.Test(hash) }

// Get returns the value of a key, which must not be changed. The hash is that of the key, made once for all runs. A key that the
// filter does not know costs no read; any other one costs a block, which may be in the cache.
func (r *Run) Get(key string, hash bloom.Key) (value []byte, found bool, err error) {
	if !r.opts.NoFilter && !r.filter.Test(hash) {
		return nil, false, nil
	}
	i := r.find(key)
	if i < 0 {
		return nil, false, nil
	}
	b, err := r.cached(i)
	if err != nil {
		return nil, false, err
	}
	value, found = b.search(key)
	return value, found, nil
}

// find is the block that would hold the key, -1 if the key sorts before all of them.
func (r *Run) find(key string) int {
	return sort.Search(len(r.first), func(i int) bool { return r.first[i] > key }) - 1
}

// read reads and verifies one block.
func (r *Run) read(i int) (*block, error) {
	data, err := r.section(r.at[i], r.at[i+1])
	if err != nil {
		return nil, err
	}
	b, ok := parse(data)
	if !ok || string(b.key(0)) != r.first[i] {
		return nil, r.damaged(r.at[i])
	}
	return b, nil
}

// Scan returns the items from a key on. It reads through the cache, or past it for work that would only wash the cache out.
func (r *Run) Scan(from string, past bool) Cursor {
	s := &scan{run: r, from: from, next: max(r.find(from), 0), read: r.cached}
	if past {
		s.read = r.read
	}
	return s
}

// scan walks through the blocks of a run.
type scan struct {
	run  *Run
	from string // begin here; "" once it has begun
	next int    // block
	read func(i int) (*block, error)
	b    *block
	item int
}

// Next implements Cursor.
func (s *scan) Next() (Item, bool, error) {
	for s.b == nil || s.item == len(s.b.starts) {
		if s.next == s.run.Blocks() {
			return Item{}, false, nil
		}
		b, err := s.read(s.next)
		if err != nil {
			return Item{}, false, err
		}
		s.b, s.item = b, b.seek(s.from)
		s.next++
		s.from = ""
	}
	key, value := s.b.at(s.item)
	s.item++
	return Item{Key: string(key), Value: value}, true, nil
}
