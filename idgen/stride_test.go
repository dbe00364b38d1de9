package idgen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDisjointAgreesWithBruteForce(t *testing.T) {
	const most = 9
	common := func(s, u Stride) bool { // two progressions that meet do so before offset + lcm
		for k := range int64(200) {
			if id, err := s.At(k); err == nil {
				if _, ok := u.Index(id); ok {
					return true
				}
			}
		}
		return false
	}
	for si := int64(1); si <= most; si++ {
		for so := int64(1); so <= si; so++ {
			for ui := int64(1); ui <= most; ui++ {
				for uo := int64(1); uo <= ui; uo++ {
					s, u := Stride{so, si}, Stride{uo, ui}
					require.Equal(t, !common(s, u), s.Disjoint(u), "%v %v", s, u)
				}
			}
		}
	}
	require.False(t, Stride{1, 2}.Disjoint(Stride{3, 4}), "offsets differ, and yet 3 is in both")
	require.False(t, Stride{}.Disjoint(Stride{1, 2}))
	require.False(t, Stride{3, 2}.Disjoint(Stride{0, 2}))
}

func TestStrideEdges(t *testing.T) {
	s := Stride{2, 5}
	for k := range int64(100) {
		id, err := s.At(k)
		require.NoError(t, err)
		back, ok := s.Index(id)
		require.True(t, ok)
		require.Equal(t, k, back)
		_, ok = s.Index(id + 1)
		require.False(t, ok)
	}
	_, ok := s.Index(-3)
	require.False(t, ok)
	_, err := s.At(-1)
	require.ErrorIs(t, err, ErrRange)
	_, err = s.At(maxID/5 + 1)
	require.ErrorIs(t, err, ErrOverflow)
	last, err := Stride{2, 5}.At((maxID - 2) / 5)
	require.NoError(t, err)
	require.Positive(t, last)
	_, err = Stride{0, 1}.At(1)
	require.ErrorIs(t, err, ErrInvalid)
	for _, c := range [][2]int{{0, 1}, {2, 1}, {1, 65536}, {-1, -1}} {
		_, err := Strides(c[0], c[1])
		require.ErrorIs(t, err, ErrInvalid)
	}
	all, err := Strides(3, 8)
	require.NoError(t, err)
	later, err := Strides(8, 8)
	require.NoError(t, err)
	require.Equal(t, later[:3], all, "adding servers moves nobody")
}

func newSegment(t *testing.T, c Counter, o SegmentOptions) *Segment {
	t.Helper()
	s, err := NewSegment(c, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s
}

func TestShardedKeepsTheShardReadable(t *testing.T) {
	l := Layout{ShardBits: 13, SeqBits: 50}
	var c MemoryCounter
	seg := newSegment(t, &c, SegmentOptions{})
	g, err := NewSharded(seg, l, 1341)
	require.NoError(t, err)
	ids := make([]ID, 300)
	n, err := g.Fill(t.Context(), ids)
	require.NoError(t, err)
	require.Equal(t, 300, n)
	id, err := g.Next(t.Context())
	require.NoError(t, err)
	for i, id := range append(ids, id) {
		p, err := l.Split(id)
		require.NoError(t, err)
		require.Equal(t, uint32(1341), p.Shard)
		require.Equal(t, uint64(i+1), p.Seq)
	}
	for _, bad := range []Layout{{}, {TimeBits: 1, ShardBits: 2, SeqBits: 3}, {WorkerBits: 1, ShardBits: 2, SeqBits: 3}, {ShardBits: 12, SeqBits: 50}} {
		_, err := NewSharded(seg, bad, 8191)
		require.ErrorIs(t, err, ErrInvalid, "%+v", bad)
	}
	_, err = NewSharded(nil, l, 1)
	require.ErrorIs(t, err, ErrInvalid)

	tiny, err := NewSharded(newSegment(t, &MemoryCounter{}, SegmentOptions{}), Layout{ShardBits: 2, SeqBits: 3}, 3)
	require.NoError(t, err)
	n, err = tiny.Fill(t.Context(), ids[:20])
	require.ErrorIs(t, err, ErrOverflow)
	require.Equal(t, 7, n, "local IDs 1 to 7 fit in three bits")
	_, err = tiny.Next(t.Context())
	require.ErrorIs(t, err, ErrOverflow)
}

func TestTwoStridedMastersNeverMeet(t *testing.T) {
	strides, err := Strides(2, 2)
	require.NoError(t, err)
	seen := map[ID]bool{}
	for _, s := range strides {
		g, err := NewStrided(newSegment(t, &MemoryCounter{}, SegmentOptions{}), s)
		require.NoError(t, err)
		for k := range int64(500) {
			id, err := g.Next(t.Context())
			require.NoError(t, err)
			want, err := s.At(k)
			require.NoError(t, err)
			require.Equal(t, want, id)
			require.False(t, seen[id])
			seen[id] = true
		}
	}
	require.Len(t, seen, 1000)
	_, err = NewStrided(nil, strides[0])
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewStrided(&Segment{}, Stride{2, 1})
	require.ErrorIs(t, err, ErrInvalid)
}

// brokenCounter fails while down is set.
type brokenCounter struct {
	MemoryCounter
	down  error
	hang  bool
	calls int
}

func (b *brokenCounter) Reserve(ctx context.Context, n int64) (int64, error) {
	b.calls++
	if b.hang {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if b.down != nil {
		return 0, b.down
	}
	return b.MemoryCounter.Reserve(ctx, n)
}

func TestTicketsSkipAServerThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &brokenCounter{}, &brokenCounter{}
		g, err := NewTickets([]Counter{a, b}, TicketsOptions{})
		require.NoError(t, err)
		seen := map[ID]bool{}
		draw := func(n int) {
			for range n {
				id, err := g.Next(t.Context())
				require.NoError(t, err)
				require.False(t, seen[id])
				seen[id] = true
			}
		}
		draw(10)
		require.Equal(t, 5, a.calls)
		down := errors.New("down")
		b.down = down
		draw(10)
		require.Equal(t, 6, b.calls, "asked once, then left out")
		<-time.After(5 * time.Second)
		draw(4)
		require.Equal(t, 7, b.calls, "asked again after Retry")
		a.down = errors.New("also down")
		_, err = g.Next(t.Context())
		require.ErrorIs(t, err, a.down)
		require.ErrorIs(t, err, b.down)
		before := b.calls
		b.down = nil
		draw(1)
		require.Equal(t, before+1, b.calls, "when all are left out, all are tried")
		a.down, a.hang = nil, true
		<-time.After(5 * time.Second)
		draw(2) // each server has a turn; the one that hangs costs its Timeout
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = g.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestTicketsFillIsOneServersRun(t *testing.T) {
	g, err := NewTickets([]Counter{&MemoryCounter{}, &MemoryCounter{}, &MemoryCounter{}}, TicketsOptions{Servers: 10})
	require.NoError(t, err)
	ids := make([]ID, 50)
	n, err := g.Fill(t.Context(), ids)
	require.NoError(t, err)
	require.Equal(t, 50, n)
	for i := range 49 {
		require.Equal(t, ID(10), ids[i+1]-ids[i])
	}
	_, err = (&Tickets{}).Next(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	for _, bad := range []struct {
		c []Counter
		o TicketsOptions
	}{
		{nil, TicketsOptions{}},
		{[]Counter{nil}, TicketsOptions{}},
		{[]Counter{&MemoryCounter{}, &MemoryCounter{}}, TicketsOptions{Servers: 1}},
		{[]Counter{&MemoryCounter{}}, TicketsOptions{Timeout: -1}},
		{[]Counter{&MemoryCounter{}}, TicketsOptions{Retry: -1}},
	} {
		_, err := NewTickets(bad.c, bad.o)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestMemoryCounterOverflowLeavesItAlone(t *testing.T) {
	var c MemoryCounter
	c.last.Store(maxID - 5)
	_, err := c.Reserve(t.Context(), 6)
	require.ErrorIs(t, err, ErrOverflow)
	first, err := c.Reserve(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, int64(maxID-4), first)
	for _, n := range []int64{0, -1, maxReserve + 1} {
		_, err := c.Reserve(t.Context(), n)
		require.ErrorIs(t, err, ErrRange)
	}
}
