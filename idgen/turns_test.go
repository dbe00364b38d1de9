package idgen

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slotOf returns the tick, counted from the first call's, and the sequence of the next ID.
func slotOf(t *testing.T, s *Snowflake, from time.Time) (tick int64, seq uint64) {
	t.Helper()
	id, err := s.Next(t.Context())
	require.NoError(t, err)
	p, err := s.Layout().Split(id)
	require.NoError(t, err)
	return int64(p.Time.Sub(from) / s.Layout().Unit), p.Seq
}

func TestATickThatWasWaitedForIsUsedUpOneTickLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 36, SeqBits: 2, Unit: time.Second}, MaxWait: time.Minute})
		begin := time.Now()
		want := func(tick int64, seqs ...uint64) {
			t.Helper()
			for _, seq := range seqs {
				gotTick, gotSeq := slotOf(t, s, begin)
				require.Equal(t, []any{tick, seq}, []any{gotTick, gotSeq})
			}
		}
		want(0, 0, 1, 2, 3)
		want(1, 0) // after a sleep: tick 1 was waited for
		require.Equal(t, uint64(1), s.Stats().Waits)
		<-time.After(time.Second)
		want(1, 1, 2, 3) // in tick 2, the rest of tick 1
		want(2, 0, 1)
		require.Equal(t, uint64(1), s.Stats().Waits)
		<-time.After(time.Second)
		want(3, 0) // nobody waited for tick 2: its rest is left
		<-time.After(time.Second)
		want(4, 0, 1, 2, 3)
		want(5, 0)
		<-time.After(2 * time.Second)
		want(7, 0) // tick 5 was waited for, but is two ticks old
	})
}

func TestRefusedCallsTakeNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		for _, fill := range []bool{false, true} {
			s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 36, SeqBits: 2, Unit: time.Second}, MaxWait: -1})
			_, err := s.Next(t.Context())
			require.NoError(t, err)
			if fill {
				n, err := s.Fill(t.Context(), make([]ID, 3))
				require.NoError(t, err)
				require.Equal(t, 3, n)
			} else {
				for range 3 {
					_, err := s.Next(t.Context())
					require.NoError(t, err)
				}
			}
			word := s.win.Load().word.Load()
			for range 10 {
				_, err := s.Next(t.Context())
				require.ErrorIs(t, err, ErrExhausted)
				n, err := s.Fill(t.Context(), make([]ID, 2))
				require.ErrorIs(t, err, ErrExhausted)
				require.Zero(t, n)
			}
			require.Equal(t, word, s.win.Load().word.Load())
		}
	})
}

func TestCallsAfterTheEndOfALeaseTakeOneSlotAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 36, SeqBits: 8, Unit: time.Second}})
		_, err := s.Next(t.Context())
		require.NoError(t, err)
		w := s.win.Load()
		word := w.word.Load()
		w.limit.Store(word) // as when a lease ends
		for range 10 {
			_, err := s.Next(t.Context())
			require.ErrorIs(t, err, ErrOverflow)
		}
		require.LessOrEqual(t, w.word.Load(), word+1)
	})
}

// The first of the woken would take all that is left of the tick: with one processor, 13 of 16 slots for one of four.
func TestThoseWhoWaitedForATickTakeTurnsInIt(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 36, SeqBits: 4, Unit: time.Second}, MaxWait: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		var got [4]int
		var wg sync.WaitGroup
		for g := range got {
			wg.Go(func() {
				for begin := time.Now(); ; {
					_, err := s.Next(ctx)
					if err != nil {
						return
					}
					if time.Since(begin) > 2*time.Second { // the first tick belongs to whoever comes first
						got[g]++
					}
				}
			})
		}
		<-time.After(102*time.Second + time.Second/2)
		cancel()
		wg.Wait()
		sum := 0
		for _, n := range got {
			sum += n
		}
		require.InDelta(t, 1600, sum, 16, "every tick is used up")
		require.Less(t, float64(slices.Max(got[:])), 1.2*float64(slices.Min(got[:])), "%v", got)
	})
}

func TestFillStaysInsideItsTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := Layout{TimeBits: 36, WorkerBits: 2, SeqBits: 2, Unit: time.Second}
		s := newFlake(t, 3, SnowflakeOptions{Layout: l, MaxWait: time.Minute})
		begin := time.Now()
		_, err := s.Next(t.Context())
		require.NoError(t, err)
		ids := make([]ID, 11)
		n, err := s.Fill(t.Context(), ids)
		require.NoError(t, err)
		require.Equal(t, len(ids), n)
		for i, id := range ids {
			p, err := s.Layout().Split(id)
			require.NoError(t, err)
			require.Equal(t, Parts{Time: begin.Add(time.Duration((i+1)/4) * time.Second).UTC(), Worker: 3, Seq: uint64(i+1) % 4}, p)
		}
		require.Equal(t, 2*time.Second, time.Since(begin), "the last tick has begun")
	})
}
