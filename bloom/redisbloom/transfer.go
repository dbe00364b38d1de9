package redisbloom

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/sysblocks/sysblocks/bloom"
)

// pieceBytes is how much Load asks for at once: a reply that a client can hold and a server can make without a pause.
const pieceBytes = 1 << 20

// shards returns the number of strings that the blocks take.
func (f *Filter) shards() uint64 {
	return (f.layout.Blocks + f.place.shardBlocks - 1) / f.place.shardBlocks
}

// shardBytes returns the length that a shard can have; the last may be shorter than the others.
func (f *Filter) shardBytes(shard uint64) int64 {
	return int64(min(f.place.shardBlocks, f.layout.Blocks-shard*f.place.shardBlocks) * blockBytes)
}

// Load fetches all bits: a snapshot to test without the network, and to save again. It holds every key whose Add returned
// before the call, and some of those added meanwhile. Missing or short shards read as zeros, a longer one is
// bloom.ErrCorrupt, a filter above MaxBytes bloom.ErrTooLarge.
func (f *Filter) Load(ctx context.Context) (*bloom.Filter, error) {
	header, err := f.layout.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	r := &stream{ctx: ctx, f: f, buf: header}
	r.digest.Reset()
	_, _ = r.digest.Write(header)
	g, err := bloom.Read(r, bloom.Options{MaxBytes: f.limit})
	if r.err != nil { // as it is, not as a reader's error
		return nil, r.err
	}
	return g, err
}

// stream presents the filter on the server in the format that bloom.Read reads.
type stream struct {
	ctx    context.Context //nolint:containedctx // lives for one call of Load, behind io.Reader
	f      *Filter
	buf    []byte
	shard  uint64
	at     int64 // in the shard
	digest xxhash.Digest
	ended  bool
	err    error
}

func (r *stream) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.ended {
			return 0, io.EOF
		}
		if r.shard == r.f.shards() {
			r.buf, r.ended = binary.LittleEndian.AppendUint64(nil, r.digest.Sum64()), true
			break
		}
		r.buf, r.err = r.piece()
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// piece fetches the next part of a shard.
func (r *stream) piece() ([]byte, error) {
	size := r.f.shardBytes(r.shard)
	n := min(size-r.at, pieceBytes)
	end := r.at + n - 1
	last := r.at+n == size
	if last {
		end++ // one byte more than there can be
	}
	v, err := r.f.do(r.ctx, "GETRANGE", r.f.place.key(r.shard), r.at, end)
	if err != nil {
		return nil, err
	}
	s, err := text(v, int(end-r.at)+1)
	if err != nil {
		return nil, err
	}
	if int64(len(s)) > n {
		return nil, fmt.Errorf("%w: shard %d of %q is longer than %d bytes", bloom.ErrCorrupt, r.shard, r.f.name, size)
	}
	b := make([]byte, n)
	copy(b, s)
	_, _ = r.digest.Write(b)
	if r.at += n; last {
		r.shard, r.at = r.shard+1, 0
	}
	return b, nil
}

// Save publishes g in place of what is there; bloom.ErrIncompatible unless g has the geometry of the filter. Nobody may add
// meanwhile: shards are replaced one by one, and an Add to one that is replaced later is lost. After an error some
// shards are new and others old; save again.
func (f *Filter) Save(ctx context.Context, g *bloom.Filter) error {
	l := g.Layout()
	if l.Blocks != f.layout.Blocks || l.Words != f.layout.Words || l.Bits != f.layout.Bits {
		return fmt.Errorf("%w: %d blocks of (%d, %d) against %d blocks of (%d, %d)", bloom.ErrIncompatible,
			l.Blocks, l.Words, l.Bits, f.layout.Blocks, f.layout.Words, f.layout.Bits)
	}
	w := &shardWriter{ctx: ctx, f: f, skip: headerBytes}
	_, err := g.WriteTo(w)
	if w.err != nil {
		return w.err
	}
	return err
}

// shardWriter cuts a serialized filter into shards.
type shardWriter struct {
	ctx   context.Context //nolint:containedctx // lives for one call of Save, behind io.Writer
	f     *Filter
	skip  int // bytes of the header still to come
	buf   []byte
	shard uint64
	err   error
}

func (w *shardWriter) Write(p []byte) (int, error) {
	n := len(p)
	skipped := min(w.skip, n)
	w.skip -= skipped
	p = p[skipped:]
	for len(p) > 0 && w.shard < w.f.shards() { // what follows the last shard is the checksum
		size := int(w.f.shardBytes(w.shard))
		part := p[:min(len(p), size-len(w.buf))]
		w.buf = append(w.buf, part...)
		p = p[len(part):]
		if len(w.buf) < size {
			continue
		}
		if w.err = w.send(); w.err != nil {
			return 0, w.err
		}
	}
	return n, nil
}

func (w *shardWriter) send() error {
	v, err := w.f.do(w.ctx, "SET", w.f.place.key(w.shard), string(w.buf))
	if err != nil {
		return err
	}
	w.buf = w.buf[:0]
	w.shard++
	return okay(v)
}

// Delete removes the filter: its shards, then its description, so that a Delete which failed half-way can be repeated. It is
// no error when there is nothing. Nobody may use the filter meanwhile.
func (f *Filter) Delete(ctx context.Context) error {
	for i := range f.shards() {
		if err := f.remove(ctx, f.place.key(i)); err != nil {
			return err
		}
	}
	return f.remove(ctx, f.name)
}

func (f *Filter) remove(ctx context.Context, key string) error {
	v, err := f.do(ctx, "DEL", key)
	if err != nil {
		return err
	}
	_, err = number(v, 0, 1)
	return err
}
