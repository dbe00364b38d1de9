package idgen

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowCounter takes its time, fails on demand and can go back.
type slowCounter struct {
	MemoryCounter
	latency time.Duration
	calls   atomic.Int64
	fail    atomic.Pointer[error]
	sizes   []int64
	mu      sync.Mutex
}

func (c *slowCounter) Reserve(ctx context.Context, n int64) (int64, error) {
	c.calls.Add(1)
	if c.latency > 0 {
		select {
		case <-time.After(c.latency):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if err := c.fail.Load(); err != nil && *err != nil {
		return 0, *err
	}
	c.mu.Lock()
	c.sizes = append(c.sizes, n)
	c.mu.Unlock()
	return c.MemoryCounter.Reserve(ctx, n)
}

func (c *slowCounter) setError(err error) { c.fail.Store(&err) }

func TestSegmentsOfManyProcessesAreUniqueAndAscending(t *testing.T) {
	var c MemoryCounter
	var all [][]ID
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 3 {
		s := newSegment(t, &c, SegmentOptions{MinStep: 1, MaxStep: 64})
		for g := range 4 {
			wg.Go(func() {
				var ids []ID
				batch := make([]ID, 100)
				for i := range 3000 {
					if i%50 == g {
						n, err := s.Fill(t.Context(), batch)
						if err != nil || n != 100 {
							t.Errorf("Fill: %d %v", n, err)
						}
						ids = append(ids, batch...)
						continue
					}
					id, err := s.Next(t.Context())
					if err != nil {
						t.Error(err)
					}
					ids = append(ids, id)
				}
				if !slices.IsSorted(ids) {
					t.Error("not ascending")
				}
				mu.Lock()
				all = append(all, ids)
				mu.Unlock()
			})
		}
	}
	wg.Wait()
	requireUnique(t, slices.Concat(all...))
}

func TestAllWhoFindItEmptyShareOneReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowCounter{latency: time.Second}
		s := newSegment(t, c, SegmentOptions{MinStep: 1000})
		begin := time.Now()
		all := t.Context()
		ctx, cancel := context.WithTimeout(all, 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if i == 0 { // the first caller gives up; that cancels nobody
					_, err := s.Next(ctx)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.Equal(t, 100*time.Millisecond, time.Since(begin))
					return
				}
				_, err := s.Next(all)
				require.NoError(t, err)
			})
			synctest.Wait()
		}
		wg.Wait()
		require.Equal(t, int64(1), c.calls.Load())
		require.Equal(t, time.Second, time.Since(begin))
		st := s.Stats()
		require.Equal(t, uint64(50), st.Stalls)
		require.Equal(t, uint64(1), st.Fetches)
		require.Equal(t, int64(1000-49), st.Remaining)
	})
}

func TestTheNextRangeIsFetchedBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowCounter{latency: 2 * time.Millisecond}
		s := newSegment(t, c, SegmentOptions{})
		for range 20000 { // 20,000 IDs per second: the first range lasts 5 ms
			_, err := s.Next(t.Context())
			require.NoError(t, err)
			<-time.After(50 * time.Microsecond)
		}
		require.Equal(t, uint64(1), s.Stats().Stalls, "only the first call waited")
		require.Greater(t, s.Stats().Step, int64(5000), "the step grew with the pace")
		require.True(t, slices.IsSorted(c.sizes), "by doubling: %v", c.sizes)
		for i := 1; i < len(c.sizes); i++ {
			require.LessOrEqual(t, c.sizes[i], 2*c.sizes[i-1])
		}
		for range 200 { // one ID per second: the step shrinks again, range by range
			ids := make([]ID, s.Stats().Step)
			_, err := s.Fill(t.Context(), ids[:min(len(ids), 5000)])
			require.NoError(t, err)
			<-time.After(time.Minute)
		}
		require.Less(t, s.Stats().Step, int64(20000))
	})
}

func TestAFailedEarlyFetchIsSeenOnlyWhenTheRangeIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowCounter{}
		s := newSegment(t, c, SegmentOptions{MinStep: 100, MaxStep: 100})
		_, err := s.Next(t.Context())
		require.NoError(t, err)
		down := errors.New("down")
		c.setError(down)
		for range 99 {
			_, err := s.Next(t.Context())
			require.NoError(t, err)
			synctest.Wait()
		}
		tries := c.calls.Load()
		require.Greater(t, tries, int64(3), "tried again before the end")
		for range 100 {
			_, err = s.Next(t.Context())
			require.ErrorIs(t, err, down)
		}
		require.LessOrEqual(t, c.calls.Load(), tries+2, "backs off")
		require.ErrorIs(t, s.Stats().LastError, down)
		c.setError(nil)
		<-time.After(time.Second)
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, ID(101), id)
		require.NoError(t, s.Stats().LastError)
	})
}

// replay answers with given first numbers.
type replay struct{ firsts []int64 }

func (r *replay) Reserve(context.Context, int64) (int64, error) {
	first := r.firsts[0]
	r.firsts = r.firsts[1:]
	return first, nil
}

func TestACounterThatWentBackIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, firsts := range map[string][]int64{
			"lost everything": {1, 1}, "lost a little": {1000, 1099}, "the same again": {500, 500}, "lost from zero": {0, 0},
		} {
			s := newSegment(t, &replay{append(firsts, 1, 1, 1)}, SegmentOptions{MinStep: 100, MaxStep: 100})
			n, err := s.Fill(t.Context(), make([]ID, 150))
			require.ErrorIs(t, err, ErrRegressed, name)
			require.GreaterOrEqual(t, n, 99)
			require.LessOrEqual(t, n, 100)
		}
		s := newSegment(t, &replay{[]int64{-5, maxID - 10, 3}}, SegmentOptions{MinStep: 100})
		for range 2 {
			_, err := s.Next(t.Context())
			require.ErrorIs(t, err, ErrRange)
			<-time.After(time.Second)
		}
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, ID(3), id)
		z := newSegment(t, &replay{[]int64{0, 1, 2, 3}}, SegmentOptions{MinStep: 1, MaxStep: 1})
		id, err = z.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, ID(1), id, "0 is never handed out")
	})
}

func TestNothingRunsAfterSegmentClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowCounter{latency: time.Hour}
		s, err := NewSegment(c, SegmentOptions{Timeout: 2 * time.Hour})
		require.NoError(t, err)
		result := make(chan error)
		go func() { _, err := s.Next(t.Context()); result <- err }()
		synctest.Wait()
		require.NoError(t, s.Close(t.Context()))
		require.ErrorIs(t, <-result, ErrClosed)
		require.NoError(t, s.Close(t.Context()))
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		_, err = s.Fill(t.Context(), make([]ID, 1))
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, int64(1), c.calls.Load())
	})
	var zero Segment
	_, err := zero.Next(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, zero.Close(t.Context()))
	require.Zero(t, zero.Stats())
}

func TestSegmentOptionsOutsideTheirLimits(t *testing.T) {
	for _, o := range []SegmentOptions{
		{MinStep: -1}, {MaxStep: -1}, {MinStep: 10, MaxStep: 9}, {Target: -1}, {Timeout: -1}, {MinStep: maxReserve + 1},
	} {
		_, err := NewSegment(&MemoryCounter{}, o)
		require.ErrorIs(t, err, ErrInvalid, "%+v", o)
	}
	_, err := NewSegment(nil, SegmentOptions{})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestSegmentNextAllocatesNothing(t *testing.T) {
	s := newSegment(t, &MemoryCounter{}, SegmentOptions{MinStep: 1_000_000})
	_, err := s.Next(t.Context())
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = s.Next(context.Background()) }))
}
