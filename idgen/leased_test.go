package idgen

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// scripted is a Leaser whose store can be cut off, counting and timing its calls.
type scripted struct {
	MemoryLeaser
	mu      sync.Mutex
	down    error
	extends []time.Time
	granted []Grant
	used    []time.Time
}

func (s *scripted) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

func (s *scripted) extensions() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.extends)
}

func (s *scripted) Acquire(ctx context.Context, workers uint32, from, until time.Time) (Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return Grant{}, s.down
	}
	g, err := s.MemoryLeaser.Acquire(ctx, workers, from, until)
	if err == nil {
		s.granted = append(s.granted, g)
	}
	return g, err
}

func (s *scripted) Extend(ctx context.Context, g Grant, until time.Time) (Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extends = append(s.extends, time.Now())
	if s.down != nil {
		return Grant{}, s.down
	}
	return s.MemoryLeaser.Extend(ctx, g, until)
}

func (s *scripted) Release(ctx context.Context, g Grant, used time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = append(s.used, used)
	return s.MemoryLeaser.Release(ctx, g, used)
}

func newLeased(t *testing.T, l Leaser, o SnowflakeOptions) *Snowflake {
	t.Helper()
	s, err := NewLeased(t.Context(), l, o)
	require.NoError(t, err)
	return s
}

func TestRenewalsComeEveryThirdOfTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := &scripted{}
		s := newLeased(t, l, SnowflakeOptions{})
		begin := time.Now()
		<-time.After(35 * time.Second)
		require.Len(t, l.extensions(), 3)
		for i, at := range l.extensions() {
			require.Equal(t, time.Duration(i+1)*10*time.Second, at.Sub(begin))
		}
		st := s.Stats()
		require.Equal(t, uint64(3), st.Renewals)
		require.Equal(t, begin.Add(60*time.Second).UnixNano(), st.Lease.Until.UnixNano())
		require.NoError(t, s.Close(t.Context()))
		<-time.After(time.Minute)
		require.Len(t, l.extensions(), 3, "nothing runs after Close")
	})
}

func TestIDsFlowUntilTheEndOfTheWindowToTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		<-time.After(300 * time.Microsecond) // edges between ticks: From rounds up, Until down
		l := &scripted{}
		s := newLeased(t, l, SnowflakeOptions{})
		until := s.Stats().Lease.Until
		down := errors.New("store is away")
		l.fail(down)
		<-time.After(time.Until(until) - 301*time.Microsecond)
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.True(t, s.Layout().Time(id).Before(until))
		require.GreaterOrEqual(t, len(l.extensions()), 4, "one renewal and at least three retries")
		<-time.After(2 * time.Microsecond) // the tick that Until lies in
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrLeaseLost)
		require.ErrorIs(t, err, down)
		n, err := s.Fill(t.Context(), make([]ID, 3))
		require.ErrorIs(t, err, ErrLeaseLost)
		require.Zero(t, n)
		require.ErrorIs(t, s.Stats().LastError, down)
		require.GreaterOrEqual(t, s.Stats().RenewErrors, uint64(4))
		l.fail(nil)
		<-time.After(3 * time.Second)
		next, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Greater(t, next, id)
		require.NoError(t, s.Stats().LastError)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestCloseGivesBackTheUnusedPartOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := &scripted{}
		o := SnowflakeOptions{Layout: Layout{TimeBits: 41, SeqBits: 2}, MaxWait: -1}
		s := newLeased(t, l, o)
		_, err := NewLeased(t.Context(), l, o)
		require.ErrorIs(t, err, ErrNoWorker, "one number only")
		last, err := s.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Close(t.Context()))
		require.NoError(t, s.Close(t.Context()))
		require.Len(t, l.used, 1)
		require.Equal(t, s.Layout().Time(last).Add(time.Millisecond).UnixNano(), l.used[0].UnixNano())
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		<-time.After(time.Millisecond)
		again := newLeased(t, l, o)
		id, err := again.Next(t.Context())
		require.NoError(t, err)
		require.Greater(t, id, last)
		require.NoError(t, again.Close(t.Context()))
	})
}

func TestALostNumberIsReplacedWhileTheWindowRunsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := &scripted{}
		s := newLeased(t, l, SnowflakeOptions{})
		first := l.granted[0]
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, l.MemoryLeaser.Release(t.Context(), first, first.Until)) // the store forgets us
		l.fail(nil)
		<-time.After(9 * time.Second)
		same, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, first.Worker, s.Layout().Worker(same), "the held window goes on")
		<-time.After(2 * time.Second)
		other, err := s.Next(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, first.Worker, s.Layout().Worker(other))
		require.Equal(t, s.Worker(), s.Layout().Worker(other))
		require.Greater(t, other, same)
		require.Greater(t, same, id)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestOrderHoldsAcrossAChangeOfWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		l := &scripted{}
		s := newLeased(t, l, SnowflakeOptions{Layout: Layout{TimeBits: 41, WorkerBits: 2, SeqBits: 1}, MaxAhead: time.Minute})
		var last ID
		for i := range 200 {
			if i%5 == 4 {
				// Change to whatever number is granted next, also to a smaller one, while the word is ahead.
				g, err := l.MemoryLeaser.Acquire(t.Context(), 4, s.clk.wall(s.now()), s.clk.wall(s.now()).Add(time.Hour))
				if err != nil {
					<-time.After(time.Hour)
					continue
				}
				require.NoError(t, s.install(g))
			}
			id, err := s.Next(t.Context())
			require.NoError(t, err)
			require.Greater(t, id, last)
			last = id
		}
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestAClockSetBackBetweenTwoRunsCannotRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		path := t.TempDir() + "/worker"
		open := func() *FileLeaser {
			l, err := NewFileLeaser(path, 3)
			require.NoError(t, err)
			return l
		}
		o := SnowflakeOptions{TTL: 2 * time.Second}
		s := newLeased(t, open(), o)
		require.Equal(t, uint32(3), s.Worker())
		last, err := s.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Close(t.Context()))

		// bwmarrin/snowflake#20: the restart with an earlier clock repeats. Here the window starts after the last one.
		g, err := open().Acquire(t.Context(), 1024, time.Now().Add(-time.Hour), time.Now().Add(-time.Hour+o.TTL))
		require.NoError(t, err)
		require.True(t, g.From.After(s.Layout().Time(last)))
	})
}

func TestAWindowInTheFutureWaitsOrIsErrClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		var l MemoryLeaser
		g, err := l.Acquire(t.Context(), 1, time.Now(), time.Now().Add(30*time.Second))
		require.NoError(t, err)
		require.NoError(t, l.Release(t.Context(), g, g.Until))
		<-time.After(29500 * time.Millisecond)
		// Our clock is set back by ten seconds against the store's.
		o := SnowflakeOptions{Layout: Layout{TimeBits: 41, SeqBits: 12}}
		s, err := newSnowflake(o)
		require.NoError(t, err)
		require.NoError(t, s.install(Grant{From: time.Now().Add(10 * time.Second), Until: time.Now().Add(40 * time.Second)}))
		s.keep = &keeper{}
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrClock)
		<-time.After(9500 * time.Millisecond)
		begin := time.Now()
		id, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, 500*time.Millisecond, time.Since(begin), "a wait within MaxWait is slept")
		require.False(t, s.Layout().Time(id).Before(s.lastGrant.From))
	})
}

func TestLeasedOptionsOutsideTheirLimits(t *testing.T) {
	for name, o := range map[string]SnowflakeOptions{
		"TTL": {TTL: 99 * time.Millisecond}, "TTL is": {TTL: 25 * time.Hour}, "10 units": {Layout: Layout{TimeBits: 20, Unit: 3 * time.Hour}},
		"TTL is -": {TTL: -1},
	} {
		_, err := NewLeased(t.Context(), &MemoryLeaser{}, o)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, name)
	}
	_, err := NewLeased(t.Context(), nil, SnowflakeOptions{})
	require.ErrorIs(t, err, ErrInvalid)
	l := &scripted{}
	l.fail(errors.New("away"))
	_, err = NewLeased(t.Context(), l, SnowflakeOptions{})
	require.ErrorIs(t, err, l.down)
}

func TestCloseWithACancelledContextStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble fails if a goroutine is left
		afterEpoch()
		s := newLeased(t, &MemoryLeaser{}, SnowflakeOptions{CoarseClock: true})
		_, err := s.Next(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Close(ctx); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		_, err = s.Next(t.Context())
		require.ErrorIs(t, err, ErrClosed)
	})
}

// Many generators, few numbers, windows that end, stores that fail and clocks that step: all IDs collected, none twice.
func TestUniqueUnderTakeoverAndClockSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterEpoch()
		var l MemoryLeaser
		o := SnowflakeOptions{
			Layout: Layout{TimeBits: 41, WorkerBits: 2, SeqBits: 2}, TTL: 100 * time.Millisecond, MaxAhead: 20 * time.Millisecond,
		}
		var mu sync.Mutex
		var all []ID
		var wg sync.WaitGroup
		for g := range 7 {
			wg.Go(func() {
				for round := range 150 {
					s, err := NewLeased(t.Context(), &l, o)
					if err != nil {
						<-time.After(time.Duration(40+g) * time.Millisecond)
						continue
					}
					step := []time.Duration{0, -time.Second, time.Second, -50 * time.Millisecond, 3 * time.Second}[(round+g)%5]
					s.clk.skew.Store(int64(step))
					s.clk.next.Store(0)
					for range 60 {
						id, err := s.Next(t.Context())
						if err == nil {
							mu.Lock()
							all = append(all, id)
							mu.Unlock()
						} else {
							<-time.After(time.Millisecond)
						}
					}
					if round%3 == 0 { // a crash: nothing is given back
						s.keep.cancel()
						continue
					}
					require.NoError(t, s.Close(t.Context()))
				}
			})
		}
		wg.Wait()
		require.Greater(t, len(all), 1000)
		requireUnique(t, all)
	})
}
