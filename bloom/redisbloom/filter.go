package redisbloom

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/sysblocks/sysblocks/bloom"
)

// Options tune a filter. The zero value is right for a service.
type Options struct {
	// ShardBytes is the size of one Redis string: a multiple of 64 from 4 KiB to 512 MiB, else bloom.ErrInvalid. 0 means
	// 8 MiB.
	ShardBytes int
	// MaxBytes is the most memory that the bits may take, on the server and in Load, else bloom.ErrTooLarge; 0 means 64 GiB.
	MaxBytes uint64
}

// Filter is a Bloom filter on a server. All methods are safe for concurrent use, by any number of processes.
type Filter struct {
	do     server
	name   string
	layout bloom.Layout
	place  place
	limit  uint64 // Options.MaxBytes
}

// place says where blocks lie.
type place struct {
	prefix      string // of the keys of shards, which a number follows
	suffix      string
	shardBlocks uint64
}

const (
	blockBytes   = 64
	defaultShard = 8 << 20
	leastShard   = 4 << 10
	mostShard    = 512 << 20 // a Redis string cannot be longer
	headerBytes  = 64
	recordBytes  = headerBytes + 16
	defaultLimit = uint64(1) << 36
)

// New creates the filter, or attaches to the one of that name; bloom.ErrIncompatible when that one was made with other
// arguments. capacity and rate are as for bloom.New, and so are the errors. name is the key of its description and the
// beginning of the keys of its shards; with a hash tag in it, all shards lie in one slot.
func New[R Reply](ctx context.Context, do func(ctx context.Context, args ...any) R, name string, capacity uint64, rate float64, o Options) (*Filter, error) {
	l, shard, err := plan(name, capacity, rate, o)
	if err != nil {
		return nil, err
	}
	record, err := encode(l, shard)
	if err != nil {
		return nil, err
	}
	s := connect(do)
	// The description can be deleted between the two commands; then it is ours to make.
	for range 3 {
		v, err := s(ctx, "SETNX", name, record)
		if err != nil {
			return nil, err
		}
		made, err := number(v, 0, 1)
		if err != nil {
			return nil, err
		}
		if made == 1 {
			return attach(s, name, l, shard, o), nil
		}
		there, err := fetch(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if there == record {
			return attach(s, name, l, shard, o), nil
		}
		if there == "" {
			continue
		}
		other, otherShard, err := decode(there)
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %q has capacity %d, rate %v, shards of %d bytes; asked for %d, %v, %d",
			bloom.ErrIncompatible, name, other.Capacity, other.TargetRate, otherShard, l.Capacity, l.TargetRate, shard)
	}
	return nil, fmt.Errorf("%w: %q is deleted as soon as it is made", ErrNotFound, name)
}

// Open attaches to an existing filter; ErrNotFound when there is none. Its geometry and its ShardBytes come from the
// server, and o.ShardBytes is not used. A description that is damaged is bloom.ErrCorrupt.
func Open[R Reply](ctx context.Context, do func(ctx context.Context, args ...any) R, name string, o Options) (*Filter, error) {
	s := connect(do)
	record, err := fetch(ctx, s, name)
	if err != nil {
		return nil, err
	}
	if record == "" {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	l, shard, err := decode(record)
	if err != nil {
		return nil, err
	}
	if err := o.check(l); err != nil {
		return nil, err
	}
	return attach(s, name, l, shard, o), nil
}

// plan checks the arguments.
func plan(name string, capacity uint64, rate float64, o Options) (bloom.Layout, uint64, error) {
	if name == "" {
		return bloom.Layout{}, 0, fmt.Errorf("%w: name is empty", bloom.ErrInvalid)
	}
	if o.ShardBytes == 0 {
		o.ShardBytes = defaultShard
	}
	if o.ShardBytes < leastShard || o.ShardBytes > mostShard || o.ShardBytes%blockBytes != 0 {
		return bloom.Layout{}, 0, fmt.Errorf("%w: ShardBytes is %d, want a multiple of 64 from 4 KiB to 512 MiB",
			bloom.ErrInvalid, o.ShardBytes)
	}
	l, err := bloom.Plan(capacity, rate)
	if err != nil {
		return bloom.Layout{}, 0, err
	}
	return l, uint64(o.ShardBytes), o.check(l)
}

func (o Options) check(l bloom.Layout) error {
	limit := o.MaxBytes
	if limit == 0 {
		limit = defaultLimit
	}
	if l.Bytes() > limit {
		return fmt.Errorf("%w: %d bytes needed, at most %d allowed", bloom.ErrTooLarge, l.Bytes(), limit)
	}
	return nil
}

func attach(s server, name string, l bloom.Layout, shard uint64, o Options) *Filter {
	return &Filter{
		do: s, name: name, layout: l, limit: o.MaxBytes,
		place: place{prefix: name + ":", shardBlocks: shard / blockBytes},
	}
}

// encode makes the description of a filter: header, shard size, checksum of both.
func encode(l bloom.Layout, shard uint64) (string, error) {
	b, err := l.AppendBinary(make([]byte, 0, recordBytes))
	if err != nil {
		return "", err
	}
	b = binary.LittleEndian.AppendUint64(b, shard)
	return string(binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))), nil
}

func decode(record string) (l bloom.Layout, shard uint64, err error) {
	b := []byte(record)
	if len(b) != recordBytes {
		return l, 0, fmt.Errorf("%w: description of %d bytes, want %d", bloom.ErrCorrupt, len(b), recordBytes)
	}
	if err := l.UnmarshalBinary(b[:headerBytes]); err != nil {
		return l, 0, err
	}
	if binary.LittleEndian.Uint64(b[recordBytes-8:]) != xxhash.Sum64(b[:recordBytes-8]) {
		return l, 0, fmt.Errorf("%w: checksum of the description", bloom.ErrCorrupt)
	}
	shard = binary.LittleEndian.Uint64(b[headerBytes:])
	if shard < leastShard || shard > mostShard || shard%blockBytes != 0 {
		return l, 0, fmt.Errorf("%w: shards of %d bytes", bloom.ErrCorrupt, shard)
	}
	return l, shard, nil
}

// fetch returns the description, or "" where there is none. One byte more than it can have shows a longer string.
func fetch(ctx context.Context, s server, name string) (string, error) {
	v, err := s(ctx, "GETRANGE", name, 0, recordBytes)
	if err != nil {
		return "", err
	}
	return text(v, recordBytes+1)
}

// shard returns the number of the shard of a block, and the first bit of the block in it.
func (p place) shard(block uint64) (shard uint64, bit int64) {
	return block / p.shardBlocks, int64(block % p.shardBlocks * blockBytes * 8)
}

// key returns the Redis key of a shard.
func (p place) key(shard uint64) string {
	return p.prefix + strconv.FormatUint(shard, 10) + p.suffix
}

// offsets appends the offsets of the bits of a mask in a string that holds the block from bit first on. Redis counts
// bits from the high end of each byte, the words of a block are little-endian.
func offsets(to []int64, first int64, mask [8]uint64) []int64 {
	for w, m := range mask {
		for ; m != 0; m &= m - 1 {
			b := int64(bits.TrailingZeros64(m))
			to = append(to, first+64*int64(w)+b&^7+7-b&7)
		}
	}
	return to
}

// mostBits is the most bits a key can have: 8 words of 2.
const mostBits = 16

// Layout returns the geometry of the filter.
func (f *Filter) Layout() bloom.Layout { return f.layout }

// Add adds k.
func (f *Filter) Add(ctx context.Context, k bloom.Key) error {
	_, err := f.TestAndAdd(ctx, k)
	return err
}

// Test reports whether k may be in the filter: false, nil means certainly absent.
func (f *Filter) Test(ctx context.Context, k bloom.Key) (bool, error) {
	var one [1]bool
	out, err := f.TestMany(ctx, one[:0], []bloom.Key{k})
	if err != nil {
		return false, err
	}
	return out[0], nil
}

// TestAndAdd is Test, then Add, as one step on the server: of any number of concurrent calls with one key that is not in
// the filter exactly one returns false, nil. When a call fails its outcome is unknown; it is not sent again.
func (f *Filter) TestAndAdd(ctx context.Context, k bloom.Key) (bool, error) {
	var one [1]bool
	out, err := f.TestAndAddMany(ctx, one[:0], []bloom.Key{k})
	if err != nil {
		return false, err
	}
	return out[0], nil
}
