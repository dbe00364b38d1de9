package idgen_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// A reservation whose answer was lost may be lost, and is never given out again.
func TestAServerKilledInTheMiddleOfReserveRepeatsNothing(t *testing.T) {
	for _, kind := range []string{"postgres", "mariadb", "redis"} {
		t.Run(kind, func(t *testing.T) {
			s := newStore(t, kind)
			c, err := s.counter("outage")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var mu sync.Mutex
			var firsts []int64
			failed := 0
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						one, cancel := context.WithTimeout(ctx, time.Second)
						first, err := c.Reserve(one, 10)
						cancel()
						mu.Lock()
						if err == nil {
							firsts = append(firsts, first)
						} else {
							failed++
						}
						mu.Unlock()
						if err != nil {
							pause(ctx, 10*time.Millisecond)
						}
					}
				})
			}
			for range 2 {
				pause(t.Context(), 300*time.Millisecond)
				s.server.Kill()
				pause(t.Context(), 100*time.Millisecond)
				s.server.Restart()
			}
			pause(t.Context(), 300*time.Millisecond)
			stop()
			wg.Wait()
			slices.Sort(firsts)
			for i := 1; i < len(firsts); i++ {
				if firsts[i] < firsts[i-1]+10 {
					t.Fatalf("ranges at %d and %d overlap", firsts[i-1], firsts[i])
				}
			}
			t.Logf("%d ranges, %d failed calls", len(firsts), failed)
			if len(firsts) < 20 || failed == 0 {
				t.Error("the kill hit nothing")
			}
		})
	}
}

func TestAFlushRepeatsNothingAboveTheFloor(t *testing.T) {
	s := servers.Redis(t)
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer rdb.Close()
	c, err := redisid.NewCounter(rdb.Do, "floor", redisid.CounterOptions{FloorRate: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	for range 20 {
		for range 5 {
			first, err := c.Reserve(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			if first < end {
				t.Fatalf("%d was given out before", first)
			}
			end = first + 10
		}
		if err := rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	elapsed := int64(time.Since(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds())
	if end < (elapsed-10)*1_000_000 || end > (elapsed+10)*1_000_000 {
		t.Errorf("the counter stands at %d after %d seconds", end, elapsed)
	}

	// Without a floor, a Segment notices.
	plain, err := redisid.NewCounter(rdb.Do, "plain", redisid.CounterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seg, err := idgen.NewSegment(plain, idgen.SegmentOptions{MinStep: 10, MaxStep: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer seg.Close(t.Context())
	if _, err := seg.Fill(t.Context(), make([]idgen.ID, 100)); err != nil {
		t.Fatal(err)
	}
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	n, err := seg.Fill(t.Context(), make([]idgen.ID, 100))
	if !errors.Is(err, idgen.ErrRegressed) || n > 20 {
		t.Errorf("after a flush: %d numbers, %v", n, err)
	}
}

func TestCountersEndWithErrOverflowAndStayThere(t *testing.T) {
	s := servers.Redis(t)
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer rdb.Close()
	for name, o := range map[string]redisid.CounterOptions{
		"plain": {}, "first": {First: 1<<63 - 4}, "floor": {FloorRate: 1, First: 1<<53 - 3},
	} {
		if name == "plain" {
			if err := rdb.Set(t.Context(), name, "9223372036854775804", 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		c, err := redisid.NewCounter(rdb.Do, name, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if first, err := c.Reserve(t.Context(), 100); !errors.Is(err, idgen.ErrOverflow) {
				t.Errorf("%s: %d, %v", name, first, err)
			}
		}
		if _, err := c.Reserve(t.Context(), 1); err != nil { // it was left as it was
			t.Errorf("%s: %v", name, err)
		}
		if err := rdb.Set(t.Context(), name, "no number", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if first, err := c.Reserve(t.Context(), 1); err == nil {
			t.Errorf("%s: %d from a key that holds text", name, first)
		}
	}
	for _, kind := range []string{"sqlite", "postgres", "mariadb"} {
		st := newStore(t, kind)
		c, err := st.counter("end")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Reserve(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, err := st.db.ExecContext(t.Context(), "UPDATE idgen_counters SET next_value = 9223372036854775800"); err != nil {
			t.Fatal(err)
		}
		if first, err := c.Reserve(t.Context(), 8); !errors.Is(err, idgen.ErrOverflow) {
			t.Errorf("%s: %d, %v", kind, first, err)
		}
		if first, err := c.Reserve(t.Context(), 7); err != nil || first != 9223372036854775800 {
			t.Errorf("%s: %d, %v", kind, first, err)
		}
	}
}

// A store that is silent for a while: IDs flow to the end of the window, then fail, and come back with the store.
func TestIDsOutliveAStoreThatIsPaused(t *testing.T) {
	s := newStore(t, "redis")
	l, err := s.leaser("paused")
	if err != nil {
		t.Fatal(err)
	}
	gen, err := idgen.NewLeased(t.Context(), l, idgen.SnowflakeOptions{TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.server.Pause()
	until := gen.Stats().Lease.Until
	for time.Until(until) > 50*time.Millisecond {
		if _, err := gen.Next(t.Context()); err != nil {
			t.Fatalf("%v before the end: %v", time.Until(until), err)
		}
		pause(t.Context(), 5*time.Millisecond)
	}
	pause(t.Context(), time.Until(until)+10*time.Millisecond)
	if _, err := gen.Next(t.Context()); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("after the end: %v", err)
	}
	s.server.Resume()
	for limit := time.Now().Add(20 * time.Second); ; pause(t.Context(), 20*time.Millisecond) {
		if _, err := gen.Next(t.Context()); err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("IDs do not come back")
		}
	}
	if err := gen.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
