package uuid

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestV7AscendsStrictlyAndIsNeverAheadOfTheClock(t *testing.T) {
	var last UUID
	for range 300_000 {
		before := time.Now().UnixMilli()
		u := NewV7()
		after := time.Now().UnixMilli()
		if u.Compare(last) <= 0 {
			t.Fatalf("%v after %v", u, last)
		}
		at, ok := u.Time()
		if !ok || at.UnixMilli() > after || at.UnixMilli() < before-1 {
			t.Fatalf("%v shows %v, the clock %d to %d", u, at, before, after)
		}
		last = u
	}
	ids := make([]UUID, 100_000)
	FillV7(ids)
	after := time.Now()
	for _, u := range ids {
		if u.Compare(last) <= 0 {
			t.Fatalf("%v after %v", u, last)
		}
		last = u
	}
	at, _ := last.Time()
	require.False(t, at.After(after))
	FillV7(nil)
}

func TestV7IsUniqueAndOrderedOverGoroutines(t *testing.T) {
	const workers, each = 8, 20_000
	all := make([][]UUID, workers)
	var wg sync.WaitGroup
	for g := range workers {
		wg.Go(func() {
			ids := make([]UUID, 0, each+100)
			batch := make([]UUID, 37)
			for len(ids) < each {
				if len(ids)%5 == 0 {
					FillV7(batch)
					ids = append(ids, batch...)
				}
				ids = append(ids, NewV7())
			}
			if !slices.IsSortedFunc(ids, UUID.Compare) {
				t.Error("IDs of one goroutine do not ascend")
			}
			all[g] = ids
		})
	}
	wg.Wait()
	ids := slices.Concat(all...)
	for i := range ids { // without the random bits: the slots themselves are unique
		clear(ids[i][10:])
	}
	slices.SortFunc(ids, UUID.Compare)
	require.Len(t, slices.Compact(ids), len(ids))
}

func TestASourceLivesInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Source
		<-time.After(time.Hour)
		u := s.NewV7()
		at, ok := u.Time()
		require.True(t, ok)
		require.Equal(t, time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC), at)
		<-time.After(90 * time.Minute)
		v := s.NewV7()
		at, _ = v.Time()
		require.Equal(t, time.Date(2000, 1, 1, 2, 30, 0, 0, time.UTC), at)
		require.Equal(t, 1, v.Compare(u))

		// The package's own order goes on, with real time.
		a, b := NewV7(), NewV7()
		require.Equal(t, 1, b.Compare(a))
		at, _ = a.Time()
		require.Greater(t, at.Year(), 2020)
	})
}

func TestABackwardStepFreezesTheTimeAndKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Source
		last := s.NewV7()
		frozen, _ := last.Time()
		e := s.now.Load()
		e.skew.Store(int64(-time.Hour))
		<-time.After(1100 * time.Millisecond)
		for range 1000 {
			u := s.NewV7()
			require.Equal(t, 1, u.Compare(last))
			at, _ := u.Time()
			require.Equal(t, frozen, at)
			last = u
		}
		<-time.After(time.Hour)
		at, _ := s.NewV7().Time()
		require.Equal(t, frozen.Add(1100*time.Millisecond), at, "the clock is back")

		e.skew.Store(int64(time.Hour)) // a forward step is followed
		<-time.After(1100 * time.Millisecond)
		at, _ = s.NewV7().Time()
		require.Equal(t, time.Now().Add(time.Hour).UnixMilli(), at.UnixMilli())
	})
}

func TestAMachineThatBootsIn1970LearnsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Source
		last := s.NewV7()
		s.now.Load().skew.Store(int64(56 * 365 * 24 * time.Hour)) // far above the years that one word holds
		<-time.After(1100 * time.Millisecond)
		for range 100 {
			u := s.NewV7()
			require.Equal(t, 1, u.Compare(last))
			last = u
		}
		old := s.now.Load()
		<-time.After(5 * 365 * 24 * time.Hour) // and a process that runs for years
		u := s.NewV7()
		require.Equal(t, 1, u.Compare(last))
		require.False(t, old == s.now.Load(), "another era")
		at, _ := u.Time()
		require.Equal(t, time.Now().Add(56*365*24*time.Hour).UnixMilli(), at.UnixMilli())
	})
}

// Each random bit of 40,000 ids is a fair coin. The deviation of a sum is sqrt(n)/2 = 100; a bound of 6.5 deviations over
// 122 bits raises a false alarm less than once in 10^7 runs (two-sided normal tail 8e-11 per bit). Neighbouring bits are
// compared likewise, so that a stuck pattern shows.
func TestRandomBitsAreFair(t *testing.T) {
	const n = 40_000
	ones, equal := [128]int{}, [127]int{}
	for range n {
		u := NewV4()
		if u.Version() != 4 || u[8]>>6 != 2 {
			t.Fatal(u)
		}
		bit := func(i int) int { return int(u[i/8]>>(7-i%8)) & 1 }
		for i := range 128 {
			ones[i] += bit(i)
			if i > 0 && bit(i) == bit(i-1) {
				equal[i-1]++
			}
		}
	}
	limit := 6.5 * math.Sqrt(n) / 2
	fixed := func(i int) bool { return i >= 48 && i < 52 || i == 64 || i == 65 }
	for i, k := range ones {
		if !fixed(i) && math.Abs(float64(k)-n/2) > limit {
			t.Errorf("bit %d is 1 in %d of %d", i, k, n)
		}
		if i > 0 && !fixed(i) && !fixed(i-1) && math.Abs(float64(equal[i-1])-n/2) > limit {
			t.Errorf("bits %d and %d are equal in %d of %d", i-1, i, equal[i-1], n)
		}
	}
	var sum int
	ids := make([]UUID, n)
	FillV7(ids)
	for _, u := range ids {
		for _, c := range u[10:] {
			sum += bits.OnesCount8(c)
		}
	}
	require.InDelta(t, 24*n, sum, 6.5*math.Sqrt(48*n)/2)
}

func TestUsedRandomBytesAreWiped(t *testing.T) {
	b := &block{used: blockSize}
	seen := map[uint64]bool{}
	for i := range blockSize / 6 {
		v := b.next48()
		require.False(t, seen[v], "bytes used twice")
		seen[v] = true
		for _, c := range b.buf[:6*(i+1)] {
			require.Zero(t, c)
		}
	}
	require.Greater(t, b.used, blockSize-6)
}

func TestNothingIsAllocated(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ids := make([]UUID, 100)
	buf := make([]byte, 0, 64)
	u := NewV7()
	s, l := u.String(), ULID(u).String()
	allocs := testing.AllocsPerRun(2000, func() {
		_, _, _ = NewV4(), NewV7(), NewULID()
		FillV7(ids)
		buf, _ = u.AppendText(buf[:0])
		buf, _ = ULID(u).AppendText(buf[:0])
		_, _ = Parse(s)
		_, _ = ParseULID(l)
	})
	require.Less(t, allocs, 1.0, "a collection may empty the pool now and then")
}
