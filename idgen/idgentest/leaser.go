package idgentest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

const (
	window  = 250 * time.Millisecond
	numbers = 4 // worker numbers that the kit asks for
	// grain is the coarsest time a store may keep.
	grain = time.Microsecond
)

// TestLeaser checks a Leaser. open returns a handle of the same store and namespace, as another process would open it.
// The namespace must be the kit's own.
func TestLeaser(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, func(*testing.T) idgen.Leaser){
		"AWindowIsAsLongAsAsked":               asLongAsAsked,
		"WindowsOfOneWorkerFollowEachOther":    windowsFollow,
		"TwoHoldersHaveTwoNumbers":             twoNumbers,
		"TheNumberUnusedForLongestIsPreferred": longestUnused,
		"ExtendMovesTheEndAndNeverShortens":    extends,
		"AnOldTokenChangesNothing":             oldToken,
		"AnEndedWindowIsTakenOver":             takeover,
		"RefusesWindowsOutsideTheirLimits":     refusesWindows,
		"ABadClockBlocksNoNumber":              badClock,
		"ManyHandlesNeverShareANumber":         neverShare,
		"ObeysTheContext":                      leaserObeysContext,
		"ServesASnowflake":                     servesSnowflake,
	} {
		t.Run(name, func(t *testing.T) { check(t, open) })
	}
}

// take asks until a number is free, and gives it back at the end of the test.
func take(t *testing.T, l idgen.Leaser, workers uint32) idgen.Grant {
	t.Helper()
	give := time.Now().Add(patience)
	for {
		from := time.Now()
		g, err := l.Acquire(t.Context(), workers, from, from.Add(window))
		if err == nil {
			t.Cleanup(func() { // a grant that the test gave back or lost is ErrLeaseLost here
				if err := l.Release(context.Background(), g, g.Until); err != nil && !errors.Is(err, idgen.ErrLeaseLost) {
					t.Errorf("Release: %v", err)
				}
			})
			if g.Worker >= workers {
				t.Fatalf("worker %d of %d", g.Worker, workers)
			}
			if g.From.Before(from.Add(-grain)) {
				t.Fatalf("a window from %v, asked for %v", g.From, from)
			}
			return g
		}
		if !errors.Is(err, idgen.ErrNoWorker) || time.Now().After(give) {
			t.Fatalf("Acquire: %v", err)
		}
		<-time.After(window / 10)
	}
}

func release(t *testing.T, l idgen.Leaser, g idgen.Grant, used time.Time) {
	t.Helper()
	if err := l.Release(t.Context(), g, used); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

func asLongAsAsked(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	g := take(t, open(t), numbers)
	if d := g.Until.Sub(g.From) - window; d > grain || d < -grain {
		t.Errorf("a window of %v, asked for %v", g.Until.Sub(g.From), window)
	}
}

func windowsFollow(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l := open(t)
	last := map[uint32]idgen.Grant{}
	used := map[uint32]time.Time{}
	for i := range 3 * numbers {
		g := take(t, l, numbers)
		if before, ok := last[g.Worker]; ok {
			if g.From.Before(used[g.Worker]) {
				t.Fatalf("worker %d from %v, used until %v", g.Worker, g.From, used[g.Worker])
			}
			if g.Token <= before.Token {
				t.Fatalf("token %d after %d", g.Token, before.Token)
			}
		}
		last[g.Worker] = g
		used[g.Worker] = g.From.Add(window * time.Duration(i%4) / 4) // nothing, a part, nearly all
		release(t, l, g, used[g.Worker])
	}
}

func twoNumbers(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	a := take(t, open(t), numbers)
	l := open(t)
	b, err := l.Acquire(t.Context(), numbers, time.Now(), time.Now().Add(window))
	if errors.Is(err, idgen.ErrNoWorker) {
		t.Skip("this leaser serves one number")
	}
	if err != nil {
		t.Fatal(err)
	}
	release(t, l, b, b.From)
	if a.Worker == b.Worker && a.Until.After(b.From) {
		t.Fatalf("worker %d until %v was granted again from %v", a.Worker, a.Until, b.From)
	}
}

func longestUnused(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l := open(t)
	seen := map[uint32]bool{}
	for range numbers {
		g := take(t, l, numbers)
		seen[g.Worker] = true
		release(t, l, g, g.From)
		<-time.After(time.Millisecond) // so that "longest" is not a tie
	}
	if len(seen) == 1 {
		t.Skip("this leaser serves one number")
	}
	if len(seen) != numbers {
		t.Errorf("%d acquisitions used %d of %d numbers", numbers, len(seen), numbers)
	}
}

func extends(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l := open(t)
	g := take(t, l, numbers)
	longer, err := l.Extend(t.Context(), g, g.Until.Add(window))
	if err != nil {
		t.Fatal(err)
	}
	if d := longer.Until.Sub(g.Until.Add(window)); d > 0 || d < -grain {
		t.Errorf("extended to %v, asked for %v", longer.Until, g.Until.Add(window))
	}
	if longer.Worker != g.Worker || longer.Token != g.Token || !longer.From.Equal(g.From) {
		t.Errorf("%+v became %+v", g, longer)
	}
	again, err := l.Extend(t.Context(), longer, g.Until)
	if err != nil {
		t.Fatalf("Extend to an earlier end: %v", err)
	}
	if again.Until.Before(longer.Until) {
		t.Errorf("shortened from %v to %v", longer.Until, again.Until)
	}
	same, err := l.Extend(t.Context(), longer, longer.Until)
	if err != nil || !same.Until.Equal(longer.Until) {
		t.Errorf("Extend to the same end: %+v, %v", same, err)
	}
}

func oldToken(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l := open(t)
	g := take(t, l, numbers)
	release(t, l, g, g.From.Add(window/2))
	if _, err := l.Extend(t.Context(), g, g.Until.Add(time.Minute)); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("Extend after Release: %v", err)
	}
	if err := l.Release(t.Context(), g, g.From); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("second Release: %v", err)
	}
	never := idgen.Grant{Worker: numbers + 5, Token: 1, From: g.From, Until: g.Until}
	if _, err := l.Extend(t.Context(), never, g.Until.Add(time.Minute)); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("Extend of a grant that was never made: %v", err)
	}
	if err := l.Release(t.Context(), never, g.Until); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("Release of a grant that was never made: %v", err)
	}
}

func takeover(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l, other := open(t), open(t)
	held := map[uint32]idgen.Grant{}
	for range numbers { // all numbers, so that the next one has to be a takeover
		g, err := l.Acquire(t.Context(), numbers, time.Now(), time.Now().Add(window))
		if errors.Is(err, idgen.ErrNoWorker) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		held[g.Worker] = g
		t.Cleanup(func() { _ = l.Release(context.Background(), g, g.Until) })
	}
	if len(held) < numbers {
		t.Skip("this leaser does not serve all numbers at once")
	}
	if _, err := other.Acquire(t.Context(), numbers, time.Now(), time.Now().Add(window)); err == nil {
		for _, g := range held {
			if time.Now().Before(g.Until) {
				t.Fatal("a number was granted while all were held")
			}
		}
	}
	g := take(t, other, numbers)
	before := held[g.Worker]
	if g.From.Before(before.Until) {
		t.Errorf("worker %d was held until %v and granted from %v", g.Worker, before.Until, g.From)
	}
	if _, err := l.Extend(t.Context(), before, time.Now().Add(window)); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("the old holder's Extend: %v", err)
	}
	if err := l.Release(t.Context(), before, before.From); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("the old holder's Release: %v", err)
	}
	if _, err := other.Extend(t.Context(), g, g.Until.Add(window)); err != nil {
		t.Errorf("the new holder's Extend: %v", err)
	}
}

func refusesWindows(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l, now := open(t), time.Now()
	for _, d := range []time.Duration{0, -time.Second, 24*time.Hour + time.Second} {
		if g, err := l.Acquire(t.Context(), numbers, now, now.Add(d)); !errors.Is(err, idgen.ErrInvalid) {
			t.Errorf("a window of %v: %+v, %v", d, g, err)
		}
	}
	if g, err := l.Acquire(t.Context(), 0, now, now.Add(window)); !errors.Is(err, idgen.ErrInvalid) {
		t.Errorf("no workers: %+v, %v", g, err)
	}
}

func badClock(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l := open(t)
	g := take(t, l, numbers)
	year := time.Now().AddDate(1, 0, 0)
	if long, err := l.Extend(t.Context(), g, year); err == nil && long.Until.After(time.Now().Add(48*time.Hour)) {
		t.Errorf("extended to %v", long.Until)
	}
}

func leaserObeysContext(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	l := open(t)
	g := take(t, l, numbers)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Acquire(ctx, numbers, time.Now(), time.Now().Add(window)); err == nil {
		t.Error("Acquire with a cancelled context succeeded")
	}
	if _, err := l.Extend(ctx, g, g.Until.Add(window)); err == nil {
		t.Error("Extend with a cancelled context succeeded")
	}
}

// neverShare lets many handles take and give back numbers, and checks all windows at the end.
func neverShare(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	var mu sync.Mutex
	windows := map[uint32][]idgen.Grant{}
	var wg sync.WaitGroup
	for i := range 2 * numbers {
		l := open(t)
		wg.Go(func() {
			for round := range 6 {
				from := time.Now()
				g, err := l.Acquire(t.Context(), numbers, from, from.Add(window))
				if errors.Is(err, idgen.ErrNoWorker) {
					<-time.After(window / 20)
					continue
				}
				if err != nil {
					t.Errorf("Acquire: %v", err)
					return
				}
				if longer, err := l.Extend(t.Context(), g, g.Until.Add(window/4)); err == nil {
					g = longer
				} else if !errors.Is(err, idgen.ErrLeaseLost) {
					t.Errorf("Extend: %v", err)
				}
				used := g.From.Add(g.Until.Sub(g.From) * time.Duration((round+i)%3) / 8)
				if err := l.Release(t.Context(), g, used); err == nil {
					g.Until = used
				} else if !errors.Is(err, idgen.ErrLeaseLost) {
					t.Errorf("Release: %v", err)
				}
				mu.Lock()
				windows[g.Worker] = append(windows[g.Worker], g)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(windows) == 0 {
		t.Fatal("nobody was granted anything")
	}
	for worker, w := range windows {
		slices.SortFunc(w, func(a, b idgen.Grant) int { return a.From.Compare(b.From) })
		for i := 1; i < len(w); i++ {
			if w[i].From.Before(w[i-1].Until) {
				t.Errorf("worker %d: %+v and %+v overlap", worker, w[i-1], w[i])
			}
		}
	}
}

func servesSnowflake(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	var g *idgen.Snowflake
	give := time.Now().Add(patience)
	for {
		var err error
		g, err = idgen.NewLeased(t.Context(), open(t), idgen.SnowflakeOptions{
			Layout: idgen.Layout{TimeBits: 41, WorkerBits: 2, SeqBits: 12}, TTL: 2 * time.Second, MaxWait: 10 * time.Second,
		})
		if err == nil {
			break
		}
		if !errors.Is(err, idgen.ErrNoWorker) || time.Now().After(give) {
			t.Fatal(err)
		}
		<-time.After(window / 10)
	}
	TestGenerator(t, g)
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
