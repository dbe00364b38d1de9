package idgen

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func newFlake(t *testing.T, worker uint32, o SnowflakeOptions) *Snowflake {
	t.Helper()
	s, err := NewSnowflake(worker, o)
	require.NoError(t, err)
	return s
}

// afterEpoch sleeps through a bubble's years before the epoch of the default layout.
func afterEpoch() { <-time.After(time.Until(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC))) }

// requireUnique sorts and compares neighbours.
func requireUnique(t *testing.T, ids []ID) {
	t.Helper()
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		require.NotEqual(t, ids[i-1], ids[i])
	}
	require.NotContains(t, ids[:min(1, len(ids))], ID(0))
}

func TestTinyLayoutsInConstantRolloverStayUniqueAndOrdered(t *testing.T) {
	for _, procs := range []int{1, 2, 8} {
		for _, l := range []Layout{
			{TimeBits: 50, SeqBits: 1, Unit: time.Microsecond},
			{TimeBits: 50, SeqBits: 3, Unit: 10 * time.Microsecond},
			{TimeBits: 45, ShardBits: 2, WorkerBits: 1, SeqBits: 2, Unit: 100 * time.Microsecond, SeqFirst: true},
			{TimeBits: 41, SeqBits: 2},
			{TimeBits: 55, Unit: time.Microsecond},
			{TimeBits: 41, SeqBits: 22},
		} {
			for _, coarse := range []bool{false, true} {
				old := runtime.GOMAXPROCS(procs)
				s := newFlake(t, 0, SnowflakeOptions{Layout: l, MaxAhead: time.Hour, CoarseClock: coarse})
				const workers = 8
				each := 1500
				if l.SeqBits == 22 { // no rollover: the fetch-and-add alone
					each = 100_000
				}
				all := make([][]ID, workers)
				var wg sync.WaitGroup
				for g := range workers {
					wg.Go(func() {
						ids := make([]ID, 0, each+64)
						batch := make([]ID, 17)
						for i := 0; len(ids) < each; i++ {
							if (i+g)%9 == 0 {
								n, err := s.Fill(t.Context(), batch)
								if err != nil || n != len(batch) {
									t.Errorf("Fill: %d, %v", n, err)
									return
								}
								ids = append(ids, batch...)
								continue
							}
							id, err := s.Next(t.Context())
							if err != nil {
								t.Error(err)
								return
							}
							ids = append(ids, id)
						}
						if !slices.IsSorted(ids) {
							t.Errorf("%+v: IDs of one goroutine do not ascend", l)
						}
						all[g] = ids
					})
				}
				wg.Wait()
				runtime.GOMAXPROCS(old)
				requireUnique(t, slices.Concat(all...))
				require.NoError(t, s.Close(t.Context()))
			}
		}
	}
}

func TestIDsAscendAcrossAHandOver(t *testing.T) {
	s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 50, SeqBits: 2, Unit: 10 * time.Microsecond}, MaxAhead: time.Hour})
	ball := make(chan ID)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			for last := range ball {
				id, err := s.Next(context.Background())
				if err != nil || id <= last {
					done <- err
					close(ball)
					return
				}
				if id&7 == 0 {
					runtime.Gosched()
				}
				select {
				case ball <- id:
				case <-t.Context().Done():
					return
				}
			}
		}()
	}
	ball <- 0
	select {
	case err := <-done:
		t.Fatal("an ID did not exceed the one received before", err)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestEachCallChoosesItsShard(t *testing.T) {
	s := newFlake(t, 5, SnowflakeOptions{Layout: Layout{TimeBits: 41, ShardBits: 8, WorkerBits: 6, SeqBits: 8}})
	var last ID
	for shard := range uint32(256) {
		id, err := s.NextFor(t.Context(), shard)
		require.NoError(t, err)
		p, err := s.Layout().Split(id)
		require.NoError(t, err)
		require.Equal(t, shard, p.Shard)
		require.Equal(t, uint32(5), p.Worker)
		require.WithinDuration(t, time.Now(), p.Time, 10*time.Second)
		require.NoError(t, s.Layout().Check(id, time.Now(), 0))
	}
	before := s.win.Load().word.Load()
	_, err := s.NextFor(t.Context(), 256)
	require.ErrorIs(t, err, ErrRange)
	require.Equal(t, before, s.win.Load().word.Load(), "no slot was used")
	require.Equal(t, uint32(5), s.Worker())

	o := newFlake(t, 5, SnowflakeOptions{Layout: Layout{TimeBits: 41, ShardBits: 8, WorkerBits: 6, SeqBits: 8, SeqFirst: true}})
	for shard := range uint32(200) { // falling shards, rising IDs
		id, err := o.NextFor(t.Context(), 255-shard)
		require.NoError(t, err)
		require.Greater(t, id, last)
		last = id
	}
}

func TestATickIsUsedCompletelyAndZeroIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlake(t, 0, SnowflakeOptions{
			Layout: Layout{TimeBits: 30, SeqBits: 3, Unit: time.Second, Epoch: time.Now()},
		})
		for want := ID(1); want < 40; want++ {
			id, err := s.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, id)
		}
		require.Equal(t, uint64(4), s.Stats().Waits, "one sleep per tick")
		require.Equal(t, 4*time.Second, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
		require.Equal(t, 4*time.Second, s.Stats().WaitTime)

		f := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 30, SeqBits: 3, Unit: time.Second, Epoch: time.Now()}})
		ids := make([]ID, 20)
		n, err := f.Fill(t.Context(), ids)
		require.NoError(t, err)
		require.Equal(t, 20, n)
		for i, id := range ids {
			require.Equal(t, ID(i+1), id)
		}
		z := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 30, Unit: time.Second, Epoch: time.Now()}})
		id, err := z.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, ID(1), id)
	})
}

func TestSleepersAreServedInTheOrderOfTheirReservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := Layout{TimeBits: 36, SeqBits: 1, Unit: 100 * time.Millisecond}
		s := newFlake(t, 0, SnowflakeOptions{Layout: l, MaxWait: time.Minute})
		begin := time.Now()
		var got []ID
		var at []time.Duration
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				id, err := s.Next(t.Context())
				mu.Lock()
				defer mu.Unlock()
				require.NoError(t, err)
				got = append(got, id)
				at = append(at, time.Since(begin))
			})
			synctest.Wait() // the reservation is made
		}
		wg.Wait()
		for i := range got {
			start := l.full().Time(got[i])
			require.False(t, begin.Add(at[i]).Before(start), "an ID before its tick")
			if i >= 2 {
				require.Equal(t, start, begin.Add(at[i]).UTC(), "woken at the start of the tick")
				require.Greater(t, at[i], at[i-2])
			}
		}
		slices.Sort(got)
		require.Equal(t, got[0]+39, got[39], "no slot was skipped")
	})
}

func TestWhatCannotBeMetByTheDeadlineFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := Layout{TimeBits: 36, SeqBits: 0, Unit: time.Second}
		s := newFlake(t, 0, SnowflakeOptions{Layout: l})
		_, err := s.Next(t.Context())
		require.NoError(t, err)
		word := s.win.Load().word.Load()
		begin := time.Now()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err = s.Next(ctx)
		require.ErrorIs(t, err, ErrExhausted)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, time.Since(begin), "at once")
		require.Equal(t, word, s.win.Load().word.Load(), "no slot was taken")

		dead, cancel2 := context.WithCancel(t.Context())
		cancel2()
		_, err = s.Next(dead)
		require.Equal(t, context.Canceled, err)
		require.Equal(t, word, s.win.Load().word.Load())

		never := newFlake(t, 0, SnowflakeOptions{Layout: l, MaxWait: -1})
		_, err = never.Next(t.Context())
		require.NoError(t, err)
		_, err = never.Next(t.Context())
		require.ErrorIs(t, err, ErrExhausted)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, uint64(1), never.Stats().Exhausted)
		require.Zero(t, time.Since(begin))

		// Cancelled while asleep: the context's error, and the slot is burnt.
		soon, cancel3 := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/4, cancel3)
		_, err = s.Next(soon)
		require.Equal(t, context.Canceled, err)
		require.Equal(t, time.Second/4, time.Since(begin))
		require.Equal(t, word+1, s.win.Load().word.Load())
		// MaxWait is 1s and the next slot is in 1.75s.
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrExhausted)
		<-time.After(time.Second)
		_, err = s.Next(t.Context())
		require.NoError(t, err)
	})
}

func TestMaxAheadBorrowsAndNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := Layout{TimeBits: 36, SeqBits: 2, Unit: time.Second}.full()
		s := newFlake(t, 0, SnowflakeOptions{Layout: l, MaxAhead: 5 * time.Second, MaxWait: -1})
		n := 0
		for {
			id, err := s.Next(t.Context())
			if err != nil {
				require.ErrorIs(t, err, ErrExhausted)
				break
			}
			n++
			require.LessOrEqual(t, time.Until(l.Time(id)), 5*time.Second)
		}
		require.Equal(t, 6*4, n)
		require.Equal(t, 5*time.Second, s.Stats().Ahead)
		ids := make([]ID, 9)
		<-time.After(2 * time.Second)
		k, err := s.Fill(t.Context(), ids)
		require.ErrorIs(t, err, ErrExhausted)
		require.Equal(t, 8, k, "the first n are valid")
	})
}

func TestABackwardStepIsReportedAndRecoversByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		s := newFlake(t, 0, SnowflakeOptions{})
		last, err := s.Next(t.Context())
		require.NoError(t, err)
		s.clk.skew.Store(int64(-time.Minute))
		<-time.After(1100 * time.Millisecond) // a step is seen within a second
		for range 3 {
			begin := time.Now()
			_, err = s.Next(t.Context())
			require.ErrorIs(t, err, ErrClock)
			require.NotErrorIs(t, err, ErrExhausted)
			require.ErrorContains(t, err, "58.9", "with the distance")
			require.Zero(t, time.Since(begin))
		}
		require.Equal(t, uint64(1), s.Stats().ClockSteps)
		require.Equal(t, time.Minute, s.Stats().LargestStep)
		<-time.After(58 * time.Second) // 900 ms are left, less than MaxWait
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Greater(t, id, last)

		// Within MaxAhead nothing is felt.
		b := newFlake(t, 0, SnowflakeOptions{MaxAhead: 2 * time.Minute})
		last, err = b.Next(t.Context())
		require.NoError(t, err)
		b.clk.skew.Store(int64(-time.Minute))
		<-time.After(1100 * time.Millisecond)
		begin := time.Now()
		id, err = b.Next(t.Context())
		require.NoError(t, err)
		require.Zero(t, time.Since(begin))
		require.Greater(t, id, last)

		// An idle generator has acted on nothing in between: the step does not concern it.
		idle := newFlake(t, 0, SnowflakeOptions{})
		_, err = idle.Next(t.Context())
		require.NoError(t, err)
		<-time.After(time.Hour)
		idle.clk.skew.Store(int64(-30 * time.Minute))
		_, err = idle.Next(t.Context())
		require.NoError(t, err)
	})
}

func TestAForwardStepIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		s := newFlake(t, 0, SnowflakeOptions{})
		_, err := s.Next(t.Context())
		require.NoError(t, err)
		s.clk.skew.Store(int64(time.Hour))
		<-time.After(1100 * time.Millisecond)
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), s.Layout().Time(id), 2*time.Millisecond)
		require.Zero(t, s.Stats().ClockSteps)
	})
}

func TestBeforeTheEpochIsErrClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlake(t, 1, SnowflakeOptions{CoarseClock: true})
		_, err := s.Next(t.Context())
		require.ErrorIs(t, err, ErrClock)
		require.ErrorContains(t, err, "2000")
		require.ErrorContains(t, err, "2025")
		<-time.After(time.Until(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)))
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, ID(1<<12|1), id, "tick 0, slot 1: slot 0 of tick 0 is skipped")
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestOverflowIsForEverAndExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Layout{TimeBits: 5, SeqBits: 2, Unit: time.Second, Epoch: time.Now()}
		s := newFlake(t, 0, SnowflakeOptions{Layout: l, MaxAhead: time.Minute})
		ids := make([]ID, 200)
		n, err := s.Fill(t.Context(), ids)
		require.ErrorIs(t, err, ErrOverflow)
		require.Equal(t, 127, n, "32 ticks of 4, without the zero")
		require.Equal(t, ID(127), ids[126])
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrOverflow)

		late := newFlake(t, 0, SnowflakeOptions{Layout: l})
		<-time.After(time.Until(l.full().Expires()) - 1)
		id, err := late.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, ID(124), id)
		<-time.After(1)
		for range 3 {
			_, err = late.Next(t.Context())
			require.ErrorIs(t, err, ErrOverflow)
		}
		<-time.After(100 * 365 * 24 * time.Hour)
		_, err = late.Next(t.Context())
		require.ErrorIs(t, err, ErrOverflow)
	})
}

func TestOptionsOutsideTheirLimitsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		worker uint32
		o      SnowflakeOptions
	}{
		"worker 1024": {1024, SnowflakeOptions{}},
		"worker 1":    {1, SnowflakeOptions{Layout: Layout{TimeBits: 41}}},
		"TimeBits":    {0, SnowflakeOptions{Layout: Layout{SeqBits: 12}}},
		"MaxAhead":    {0, SnowflakeOptions{MaxAhead: -1}},
		"Unit":        {0, SnowflakeOptions{Layout: Layout{Unit: 1}}},
	} {
		_, err := NewSnowflake(c.worker, c.o)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, name)
	}
}

func TestClosedAndZeroGenerators(t *testing.T) {
	var zero Snowflake
	_, err := zero.Next(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	_, err = zero.Fill(t.Context(), make([]ID, 1))
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, zero.Close(t.Context()))
	require.Zero(t, zero.Stats())

	s := newFlake(t, 0, SnowflakeOptions{CoarseClock: true})
	_, err = s.Next(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	_, err = s.Next(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	n, err := s.Fill(t.Context(), make([]ID, 1))
	require.ErrorIs(t, err, ErrClosed)
	require.Zero(t, n)
}

func TestCoarseClockLagsByAnIntervalAtMostAndParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		s := newFlake(t, 0, SnowflakeOptions{CoarseClock: true, Layout: Layout{TimeBits: 41, SeqBits: 22}})
		for range 20 {
			for range 100 {
				id, err := s.Next(t.Context())
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(s.Layout().Time(id)), 2*time.Millisecond)
			}
			<-time.After(time.Millisecond / 3)
		}
		<-time.After(time.Hour) // an idle tick ends the goroutine; the next ID has the real time
		require.Equal(t, parked, s.pump.tick.Load())
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Less(t, time.Since(s.Layout().Time(id)), time.Millisecond)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestTimesAreTrue(t *testing.T) {
	s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 52, SeqBits: 10, Unit: time.Microsecond}})
	for range 20000 {
		before := time.Now()
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		at := s.Layout().Time(id)
		require.False(t, at.After(time.Now().Add(stepTolerance2)), "in the future")
		require.False(t, at.Before(before.Add(-stepTolerance2)), "in the past")
	}
}

// stepTolerance2 is what two readings of the wall clock may be off from the generator's base.
const stepTolerance2 = 2 * time.Duration(stepTolerance)

func TestNothingIsAllocated(t *testing.T) {
	for _, coarse := range []bool{false, true} {
		s := newFlake(t, 3, SnowflakeOptions{Layout: Layout{TimeBits: 41, SeqBits: 22, WorkerBits: 0}, CoarseClock: coarse, MaxAhead: time.Hour}.withWorkerBits())
		ids := make([]ID, 100)
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			_, _ = s.Next(context.Background())
			_, _ = s.Fill(context.Background(), ids)
		}))
		require.NoError(t, s.Close(t.Context()))
	}
}

func (o SnowflakeOptions) withWorkerBits() SnowflakeOptions {
	o.Layout.TimeBits, o.Layout.WorkerBits = 39, 2
	return o
}

func TestTheWordStandsAlone(t *testing.T) {
	var w window
	requireApart(t, &w.word, &w.limit)
	var r span
	requireApart(t, &r.next, &r.end)
}

func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func requireApart[A, B any](t *testing.T, a *A, b *B) {
	t.Helper()
	require.GreaterOrEqual(t, addressOf(b)-addressOf(a), uintptr(120))
}

func TestCloseDuringTrafficCountsEverySlot(t *testing.T) {
	for range 100 {
		s := newFlake(t, 0, SnowflakeOptions{Layout: Layout{TimeBits: 41, SeqBits: 22}})
		var highest atomic.Int64
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for {
					id, err := s.Next(context.Background())
					if err != nil {
						return
					}
					for {
						h := highest.Load()
						if int64(id) <= h || highest.CompareAndSwap(h, int64(id)) {
							break
						}
					}
				}
			})
		}
		for highest.Load() == 0 {
			runtime.Gosched()
		}
		require.NoError(t, s.Close(t.Context()))
		used := s.after(s.win.Load())
		wg.Wait()
		require.Less(t, uint64(highest.Load())>>22, used, "an ID at or after what Close would give back")
	}
}
