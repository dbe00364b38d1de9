package diskstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

var (
	// ErrInvalid is wrapped by the errors of Open about its arguments; the text names the field and its limit.
	ErrInvalid = errors.New("diskstore: invalid argument")
	// ErrLocked is wrapped by the error of Open where another store, of this process or another, has the directory.
	ErrLocked = errors.New("diskstore: directory is in use")
	// ErrClosed is returned by all methods after Close.
	ErrClosed = errors.New("diskstore: store is closed")
	// ErrDisabled is wrapped by the errors of a store that gave itself up after a failed write.
	ErrDisabled = errors.New("diskstore: disabled after a failed write")
)

const (
	defaultMaxBytes    = 1 << 30
	defaultSegmentSize = 16 << 20
	minSegmentSize     = 4 << 10
	minSegments        = 8
	maxSegments        = 4096 // each holds a file open
)

// Options configures Open. The zero value keeps 1 GiB.
type Options[K comparable, V any] struct {
	// MaxBytes limits the files together; 0: 1 GiB. At least eight segments.
	MaxBytes int64

	// SegmentSize is how large a file grows, and the largest entry that is kept; 0: 16 MiB, less where MaxBytes is
	// small. 4 KiB to 1 GiB.
	SegmentSize int64

	// Encoding turns keys and values into bytes; nil codecs are lru.DefaultCodec.
	Encoding lru.Encoding[K, V]

	// OnError hears once why the store gave itself up: a write failed, as on a full disk. It then holds nothing,
	// has deleted its files, and answers every call with ErrDisabled.
	OnError func(error)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// check returns an error that names the first field out of range, and fills in the defaults.
func (o *Options[K, V]) check() error {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = max(min(defaultSegmentSize, o.MaxBytes/minSegments), minSegmentSize)
	}
	switch {
	case o.SegmentSize < minSegmentSize || o.SegmentSize > defaultMaxBytes:
		return invalid("SegmentSize %d, want %d to %d", o.SegmentSize, minSegmentSize, defaultMaxBytes)
	case o.MaxBytes < minSegments*o.SegmentSize:
		return invalid("MaxBytes %d, want at least %d segments of %d", o.MaxBytes, minSegments, o.SegmentSize)
	case o.MaxBytes > maxSegments*o.SegmentSize:
		return invalid("MaxBytes %d, want at most %d segments of %d", o.MaxBytes, maxSegments, o.SegmentSize)
	}
	o.Encoding.Key = orDefault(o.Encoding.Key)
	o.Encoding.Value = orDefault(o.Encoding.Value)
	return nil
}

func orDefault[T any](c lru.Codec[T]) lru.Codec[T] {
	if c == nil {
		return lru.DefaultCodec[T]()
	}
	return c
}

// Store is an lru.Tier on local files. All methods may be called by any number of goroutines. Use Open.
type Store[K comparable, V any] struct {
	opts    Options[K, V]
	dir     string
	title   string // of the encoding
	seed    maphash.Seed
	lock    *os.File
	buffers sync.Pool // of *[]byte

	mu       sync.Mutex
	index    map[uint64]place // by hash of the encoded key
	segments []*segment       // oldest first; the last one is written to
	bytes    int64            // of all segments
	state    error            // why the store takes no calls: ErrClosed, or one that wraps ErrDisabled
	report   error            // what OnError has to hear when the lock is given back
	retiring bool             // a goroutine empties the oldest segment
	retired  sync.Cond        // it is done
}

// place is where a frame is: the number of its segment in the upper half, its offset in the lower. With the hash that
// makes 16 bytes per entry, 20 to 39 in a map.
type place uint64

func placeOf(s *segment, at int64) place { return place(s.id)<<32 | place(at) }

func (p place) segment() uint32 { return uint32(p >> 32) }

func (p place) offset() int64 { return int64(uint32(p)) }

// Open opens the store in dir, which it makes where it is missing, with all entries that an earlier run left there.
// Files of another encoding are deleted. The error wraps ErrInvalid, ErrLocked, or one of the file system.
func Open[K comparable, V any](dir string, opts Options[K, V]) (*Store[K, V], error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLocked, dir, err)
	}
	s := &Store[K, V]{
		opts:  opts,
		dir:   dir,
		title: fmt.Sprintf("%T %T %T %T", *new(K), *new(V), opts.Encoding.Key, opts.Encoding.Value),
		seed:  maphash.MakeSeed(),
		lock:  lock,
		index: map[uint64]place{},
	}
	s.retired.L = &s.mu
	s.buffers.New = func() any { return new([]byte) }
	if err := s.reopen(); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	return s, nil
}

func (s *Store[K, V]) hash(name []byte) uint64 { return maphash.Bytes(s.seed, name) }

// Len returns the number of entries, with those that have expired and were not asked for since.
func (s *Store[K, V]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.index)
}

// Bytes returns the size of all files, at most MaxBytes.
func (s *Store[K, V]) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// end gives the lock back and tells of a failure.
func (s *Store[K, V]) end() {
	report := s.report
	s.report = nil
	s.mu.Unlock()
	if report != nil && s.opts.OnError != nil {
		s.opts.OnError(report)
	}
}

// Put stores an entry in place of one with the same key. An entry that has expired, is larger than SegmentSize or
// cannot be encoded is not stored, which is no error, but its key is forgotten.
func (s *Store[K, V]) Put(entry lru.Entry[K, V]) error {
	buf := s.buffers.Get().(*[]byte) //nolint:forcetypeassert // holds nothing else
	defer s.buffers.Put(buf)
	b, err := s.opts.Encoding.Key.Append(beginFrame((*buf)[:0], put, entry.Expires, entry.Weight), entry.Key)
	if err != nil {
		return nil // a key without bytes was never stored either
	}
	value := len(b)
	keep := entry.Expires.IsZero() || entry.Expires.After(time.Now())
	if keep {
		if b, err = s.opts.Encoding.Value.Append(b, entry.Value); err != nil {
			keep = false
		}
	}
	*buf = b
	h := s.hash(b[headSize:value])
	keep = keep && int64(len(b)) <= s.opts.SegmentSize-int64(len(title(s.title)))
	if keep {
		seal(b, value)
	}
	s.mu.Lock()
	defer s.end()
	if !keep {
		return s.forget(h, b[headSize:value])
	}
	if err := s.makeRoom(len(b)); err != nil {
		return err
	}
	return s.append(h, b)
}

// Take hands back an entry and forgets it. A damaged entry is none.
func (s *Store[K, V]) Take(ctx context.Context, key K) (entry lru.Entry[K, V], ok bool, err error) {
	name, err := s.opts.Encoding.Key.Append(nil, key)
	if err != nil || ctx.Err() != nil {
		return entry, false, nil // a miss: nothing is wrong with the store
	}
	seg, part, err := s.claim(s.hash(name), name)
	if seg == nil || err != nil {
		return entry, false, err
	}
	buf := s.buffers.Get().(*[]byte) //nolint:forcetypeassert // holds nothing else
	defer s.buffers.Put(buf)
	h, value, ok := seg.read(part, name, buf)
	if !ok || h.expires != 0 && !h.deadline().After(time.Now()) {
		return entry, false, nil
	}
	v, err := s.opts.Encoding.Value.Decode(value)
	if err != nil {
		return entry, false, nil // written by another version of the program: a miss
	}
	return lru.Entry[K, V]{Key: key, Value: v, Weight: int(h.weight), Expires: h.deadline()}, true, nil
}

// claim finds an entry and forgets it. That is written before the entry is read: after a crash it must not come back
// beside what became of it in memory.
func (s *Store[K, V]) claim(h uint64, name []byte) (*segment, part, error) {
	s.mu.Lock()
	defer s.end()
	if _, known := s.index[h]; known {
		if err := s.makeRoom(headSize + len(name)); err != nil {
			return nil, part{}, err
		}
	}
	p, known := s.index[h]
	if !known {
		return nil, part{}, s.state
	}
	seg := s.find(p.segment()) // there is one: what the index points to is never deleted
	where := part{p.offset(), seg.size}
	return seg, where, s.forget(h, name)
}

// Remove forgets a key.
func (s *Store[K, V]) Remove(key K) error {
	name, err := s.opts.Encoding.Key.Append(nil, key)
	if err != nil {
		return nil // a key without bytes was never stored
	}
	s.mu.Lock()
	defer s.end()
	return s.forget(s.hash(name), name)
}

// forget writes that a key is forgotten, if it is known.
func (s *Store[K, V]) forget(h uint64, name []byte) error {
	if _, known := s.index[h]; !known {
		return s.state
	}
	if err := s.makeRoom(headSize + len(name)); err != nil {
		return err
	}
	b := append(beginFrame(make([]byte, 0, headSize+len(name)), remove, time.Time{}, 0), name...)
	seal(b, len(b))
	return s.append(h, b)
}

// Clear forgets everything and frees the files.
func (s *Store[K, V]) Clear() error {
	s.mu.Lock()
	defer s.end()
	if err := s.makeRoom(headSize); err != nil {
		return err
	}
	// The frame comes first: after a crash between the deletions nothing that is left counts.
	b := beginFrame(make([]byte, 0, headSize), wipe, time.Time{}, 0)
	seal(b, headSize)
	if err := s.append(0, b); err != nil {
		return err
	}
	last := len(s.segments) - 1
	for _, seg := range s.segments[:last] {
		if err := s.destroy(seg); err != nil {
			return s.disable(err)
		}
	}
	s.segments = s.segments[last:]
	return nil
}

// Close closes the files, which the next Open finds as they are, and gives the directory free. ctx limits the wait for
// a segment that is being emptied.
func (s *Store[K, V]) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.state, ErrClosed) {
		return nil
	}
	s.state = ErrClosed // which the goroutine sees
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.retired.Broadcast()
	})
	defer stop()
	for s.retiring && ctx.Err() == nil {
		s.retired.Wait()
	}
	return s.closeFiles()
}

func (s *Store[K, V]) closeFiles() (err error) {
	for _, seg := range s.segments {
		err = errors.Join(err, seg.file.Close())
	}
	s.segments, s.index = nil, nil
	return errors.Join(err, s.lock.Close())
}
