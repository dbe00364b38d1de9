package idgen

import (
	"context"
	"fmt"
)

// mapped is a Generator whose IDs are a function of another one's. The function keeps the order.
type mapped struct {
	g  Generator
	of func(ID) (ID, error)
}

// NewStrided maps the n-th local ID (n >= 1) to s.At(n-1). A nil generator or an invalid stride is ErrInvalid; Next
// answers ErrOverflow where the stride leaves 63 bits.
func NewStrided(g Generator, s Stride) (Generator, error) {
	if g == nil {
		return nil, fmt.Errorf("%w: generator is nil", ErrInvalid)
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	return &mapped{g: g, of: func(id ID) (ID, error) { return s.At(int64(id) - 1) }}, nil
}

// NewSharded puts shard in front of local IDs. l has ShardBits and SeqBits only, else ErrInvalid, as is a shard outside
// ShardBits. A local ID that needs more than SeqBits is ErrOverflow. Route with l.Shard(id).
func NewSharded(g Generator, l Layout, shard uint32) (Generator, error) {
	if g == nil {
		return nil, fmt.Errorf("%w: generator is nil", ErrInvalid)
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	l = l.full()
	if l.TimeBits != 0 || l.WorkerBits != 0 {
		return nil, fmt.Errorf("%w: Layout.TimeBits is %d and WorkerBits %d, both must be 0 with ShardBits or SeqBits set",
			ErrInvalid, l.TimeBits, l.WorkerBits)
	}
	if uint64(shard) > mask(l.ShardBits) {
		return nil, fmt.Errorf("%w: shard %d, at most %d", ErrInvalid, shard, mask(l.ShardBits))
	}
	_, ss, _, qs := l.shifts()
	front, most := uint64(shard)<<ss, mask(l.SeqBits)
	return &mapped{g: g, of: func(id ID) (ID, error) {
		if id < 0 || uint64(id) > most {
			return 0, fmt.Errorf("%w: local ID %d needs more than %d bits", ErrOverflow, int64(id), l.SeqBits)
		}
		return ID(front | uint64(id)<<qs), nil
	}}, nil
}

// Next implements Generator.
func (m *mapped) Next(ctx context.Context) (ID, error) {
	id, err := m.g.Next(ctx)
	if err != nil {
		return 0, err
	}
	return m.of(id)
}

// Fill implements Generator.
func (m *mapped) Fill(ctx context.Context, dst []ID) (n int, err error) {
	n, err = m.g.Fill(ctx, dst)
	for i := range dst[:n] {
		id, bad := m.of(dst[i])
		if bad != nil {
			return i, bad
		}
		dst[i] = id
	}
	return n, err
}
