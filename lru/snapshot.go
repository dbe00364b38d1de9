package lru

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"time"
)

// A snapshot is, with all numbers little endian:
//
//	21  "sysblocks lru cache 1"
//	 4  length of the name of the encoding, which follows
//	 8  time of saving, in nanoseconds since 1970
//	    frames, hottest first:
//	    4  length of the body, all ones for the last frame
//	    4  CRC-32C of the body
//	       body: 8 lifetime left at the time of saving in nanoseconds, all ones: for ever
//	             8 warmth: what the policy knew of the popularity of the key
//	             4 length of the key, the key, the value
//	    the body of the last frame is the number of frames in 8 bytes
const (
	snapshotMagic = "sysblocks lru cache 1"
	lastFrame     = 1<<32 - 1
	bodyHead      = 20
	// maxBody bounds what a frame may claim to hold.
	maxBody = 64 << 20
	// firstRead is how much memory a claim gets before its bytes have come.
	firstRead = 64 << 10
	maxName   = 4096
)

// Save writes the live entries, hottest first, with what lifetime they have left and how popular they are, and returns
// their number. It takes no lock while it writes, so that entries are as of the beginning of Save or later. An entry whose
// bytes exceed 64 MiB is left out. On an error, or the cause of ctx, what was written is not a whole snapshot.
func (c *Cache[K, V]) Save(ctx context.Context, w io.Writer, e Encoding[K, V]) (n int, err error) {
	e = e.resolve()
	name := e.id()
	saved := time.Now()
	b := append([]byte(snapshotMagic), make([]byte, 4)...)
	binary.LittleEndian.PutUint32(b[len(snapshotMagic):], uint32(len(name)))
	b = binary.LittleEndian.AppendUint64(append(b, name...), uint64(saved.UnixNano()))
	if _, err := w.Write(b); err != nil {
		return 0, err
	}
	all := c.ranked()
	for _, hot := range slices.Backward(all) {
		if err := context.Cause(ctx); err != nil {
			return n, err
		}
		ent, warmth, ok := c.popular(hot)
		if !ok {
			continue
		}
		if b, err = appendBody(b[:0], e, ent, warmth, saved); err != nil {
			return n, err
		}
		if len(b) > 8+maxBody {
			continue
		}
		if err := writeFrame(w, b, uint32(len(b)-8)); err != nil {
			return n, err
		}
		n++
	}
	return n, writeFrame(w, binary.LittleEndian.AppendUint64(make([]byte, 8), uint64(n)), lastFrame)
}

// popular is current with the popularity of the key.
func (c *Cache[K, V]) popular(e *entry[K, V]) (ent Entry[K, V], warmth uint64, ok bool) {
	h := c.place(e)
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.ref.Load()&refGone != 0 { // replaced, or gone
		if e = s.table.Load().find(h, e.key); e == nil {
			return ent, 0, false
		}
	}
	if c.dead(e, c.now()) != 0 {
		return ent, 0, false
	}
	warmth = 1
	if e.ref.Load()&refPinned == 0 {
		warmth = s.policy.warmth(e)
	}
	return c.copyOf(e), warmth, true
}

// appendBody leaves eight bytes for length and sum in front.
func appendBody[K comparable, V any](b []byte, e Encoding[K, V], ent Entry[K, V], warmth uint64, saved time.Time) ([]byte, error) {
	left := uint64(1<<64 - 1)
	if !ent.Expires.IsZero() {
		left = uint64(max(ent.Expires.Sub(saved), 0))
	}
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint64(b, left)
	b = binary.LittleEndian.AppendUint64(b, warmth)
	b = append(b, 0, 0, 0, 0)
	at := len(b)
	b, err := e.Key.Append(b, ent.Key)
	if err != nil {
		return nil, fmt.Errorf("lru: encode key: %w", err)
	}
	binary.LittleEndian.PutUint32(b[at-4:], uint32(len(b)-at))
	if b, err = e.Value.Append(b, ent.Value); err != nil {
		return nil, fmt.Errorf("lru: encode value: %w", err)
	}
	return b, nil
}

func sumOf(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func writeFrame(w io.Writer, b []byte, length uint32) error {
	binary.LittleEndian.PutUint32(b, length)
	binary.LittleEndian.PutUint32(b[4:], sumOf(b[8:]))
	_, err := w.Write(b)
	return err
}

// Restore is Warm with the entries of a snapshot that Save wrote, which may be of another size, policy or process. The
// time since then is taken off the lifetimes. What is damaged, cut off, or of another encoding is ErrCorrupt; entries
// read before stay. Memory is bounded whatever the bytes. Behind the last frame nothing is read, so other data may
// follow; give r a buffer where single reads are dear.
func (c *Cache[K, V]) Restore(ctx context.Context, r io.Reader, e Encoding[K, V]) (n int, err error) {
	e = e.resolve()
	saved, err := readHeader(r, e.id())
	if err != nil {
		return 0, err
	}
	// A clock that went back must not make entries younger.
	age := max(time.Since(saved), 0)
	w := c.startWarming()
	defer c.endWarming()
	for f, err := range frames(r, e) {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return n, err
		}
		if f.expires {
			f.entry.Expires = time.Now().Add(f.left - age)
		}
		stored, full := c.warm(w, f.entry, f.warmth)
		if stored {
			n++
		}
		if full {
			break
		}
	}
	return n, nil
}

func readHeader(r io.Reader, name string) (saved time.Time, err error) {
	b := make([]byte, len(snapshotMagic)+4)
	if err := readAll(r, b); err != nil {
		return saved, err
	}
	if string(b[:len(snapshotMagic)]) != snapshotMagic {
		return saved, fmt.Errorf("%w: not a snapshot", ErrCorrupt)
	}
	length := binary.LittleEndian.Uint32(b[len(snapshotMagic):])
	if length > maxName {
		return saved, fmt.Errorf("%w: name of %d bytes", ErrCorrupt, length)
	}
	b = make([]byte, length+8)
	if err := readAll(r, b); err != nil {
		return saved, err
	}
	if got := string(b[:length]); got != name {
		return saved, fmt.Errorf("%w: the encoding is %q, want %q", ErrCorrupt, got, name)
	}
	return time.Unix(0, int64(binary.LittleEndian.Uint64(b[length:]))), nil
}

// readAll fills b. The end of the data inside is corruption.
func readAll(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off", ErrCorrupt)
	}
	return err
}

// frame is one entry of a snapshot.
type frame[K comparable, V any] struct {
	entry   Entry[K, V]
	warmth  uint64
	left    time.Duration
	expires bool
}

// frames reads the frames of a snapshot behind its header.
func frames[K comparable, V any](r io.Reader, e Encoding[K, V]) iter.Seq2[frame[K, V], error] {
	return func(yield func(frame[K, V], error) bool) {
		var b []byte
		for n := uint64(0); ; n++ {
			var last bool
			var f frame[K, V]
			var err error
			if b, last, err = readBody(r, b); err == nil && !last {
				f, err = parseBody(b, e)
			}
			if last && err == nil {
				if got := binary.LittleEndian.Uint64(b); got != n {
					yield(f, fmt.Errorf("%w: %d entries, want %d", ErrCorrupt, n, got))
				}
				return
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// readBody reads one frame into b, which grows as the bytes come and not as the length says.
func readBody(r io.Reader, b []byte) (body []byte, last bool, err error) {
	var head [8]byte
	if err := readAll(r, head[:]); err != nil {
		return b, false, err
	}
	length := binary.LittleEndian.Uint32(head[:])
	if last = length == lastFrame; last {
		length = 8
	} else if length < bodyHead || length > maxBody {
		return b, false, fmt.Errorf("%w: frame of %d bytes, at most %d", ErrCorrupt, length, maxBody)
	}
	b = b[:0]
	for len(b) < int(length) {
		part := min(int(length)-len(b), max(firstRead, len(b)))
		if cap(b)-len(b) < part {
			b = append(make([]byte, 0, len(b)+part), b...)
		}
		if err := readAll(r, b[len(b):len(b)+part]); err != nil {
			return b, false, err
		}
		b = b[:len(b)+part]
	}
	if sumOf(b) != binary.LittleEndian.Uint32(head[4:]) {
		return b, false, fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	return b, last, nil
}

func parseBody[K comparable, V any](b []byte, e Encoding[K, V]) (f frame[K, V], err error) {
	left := binary.LittleEndian.Uint64(b)
	f.expires = left != 1<<64-1
	f.left = time.Duration(min(left, never))
	f.warmth = binary.LittleEndian.Uint64(b[8:])
	n := int64(binary.LittleEndian.Uint32(b[16:]))
	if n > int64(len(b)-bodyHead) {
		return f, fmt.Errorf("%w: key of %d bytes in a frame of %d", ErrCorrupt, n, len(b))
	}
	if f.entry.Key, err = e.Key.Decode(b[bodyHead : bodyHead+n]); err != nil {
		return f, fmt.Errorf("%w: key: %w", ErrCorrupt, err)
	}
	if f.entry.Value, err = e.Value.Decode(b[bodyHead+n:]); err != nil {
		return f, fmt.Errorf("%w: value: %w", ErrCorrupt, err)
	}
	return f, nil
}
