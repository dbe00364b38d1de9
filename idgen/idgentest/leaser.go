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
// The namespace must be the kit's own, and nobody may hold a number of it at the start.
func TestLeaser(t *testing.T, open func(t *testing.T) idgen.Leaser) {
	t.Helper()
	k := &leaserKit{open: open, served: served(t, open(t))}
	for _, c := range []struct {
		name  string
		check func(*testing.T)
	}{
		{"AWindowIsAsLongAsAsked", k.asLongAsAsked},
		{"WindowsOfOneWorkerFollowEachOther", k.windowsFollow},
		{"AnEarlierClockStartsAfterTheLastWindow", k.earlierClock},
		{"TwoHoldersHaveTwoNumbers", k.twoNumbers},
		{"TheNumberUnusedForLongestIsPreferred", k.longestUnused},
		{"ExtendMovesTheEndAndNeverShortens", k.extends},
		{"AnOldTokenChangesNothing", k.oldToken},
		{"AnEndedWindowIsTakenOver", k.takeover},
		{"RefusesWindowsOutsideTheirLimits", k.refusesWindows},
		{"ABadClockBlocksNoNumber", k.badClock},
		{"ManyHandlesNeverShareANumber", k.neverShare},
		{"ObeysTheContext", k.obeysContext},
		{"ServesASnowflake", k.servesSnowflake},
	} {
		t.Run(c.name, c.check)
	}
}

// leaserKit is the store under test.
type leaserKit struct {
	open   func(t *testing.T) idgen.Leaser
	served int // worker numbers that can be held at once, at most numbers
}

// served counts the numbers: a file keeps one.
func served(t *testing.T, l idgen.Leaser) int {
	t.Helper()
	var held []idgen.Grant
	for range numbers {
		g, err := l.Acquire(t.Context(), numbers, time.Now(), time.Now().Add(patience/10))
		if errors.Is(err, idgen.ErrNoWorker) {
			break
		}
		if err != nil {
			t.Fatalf("Acquire: %v", err)
		}
		held = append(held, g)
	}
	if len(held) == 0 {
		t.Fatal("no number is free at the start")
	}
	for _, g := range held {
		release(t, l, g, g.From)
	}
	return len(held)
}

// all holds every number at once, waiting for the windows of earlier subtests to end.
func (k *leaserKit) all(t *testing.T, l idgen.Leaser) []idgen.Grant {
	t.Helper()
	give := time.Now().Add(patience)
	for {
		var held []idgen.Grant
		for range k.served {
			g, err := l.Acquire(t.Context(), numbers, time.Now(), time.Now().Add(window))
			if err != nil && !errors.Is(err, idgen.ErrNoWorker) || time.Now().After(give) {
				t.Fatalf("Acquire: %v", err)
			}
			if err == nil {
				held = append(held, g)
			}
		}
		if len(held) == k.served && time.Now().Before(held[0].Until.Add(-window/2)) {
			t.Cleanup(func() {
				for _, g := range held { // what the test gave back or lost is ErrLeaseLost
					_ = l.Release(context.Background(), g, g.From)
				}
			})
			return held
		}
		for _, g := range held {
			if err := l.Release(t.Context(), g, g.From); err != nil && !errors.Is(err, idgen.ErrLeaseLost) {
				t.Fatalf("Release: %v", err)
			}
		}
		<-time.After(window / 5)
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
				if err := l.Release(context.Background(), g, g.From); err != nil && !errors.Is(err, idgen.ErrLeaseLost) {
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

func (k *leaserKit) asLongAsAsked(t *testing.T) {
	t.Helper()
	g := take(t, k.open(t), numbers)
	if d := g.Until.Sub(g.From) - window; d > grain || d < -grain {
		t.Errorf("a window of %v, asked for %v", g.Until.Sub(g.From), window)
	}
}

func (k *leaserKit) windowsFollow(t *testing.T) {
	t.Helper()
	l := k.open(t)
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

// earlierClock asks with a clock that is a second behind: within every sensible skew, and before the last windows.
func (k *leaserKit) earlierClock(t *testing.T) {
	t.Helper()
	l, used := k.open(t), map[uint32]time.Time{}
	for _, g := range k.all(t, l) {
		used[g.Worker] = g.From.Add(window / 4)
		release(t, l, g, used[g.Worker])
	}
	<-time.After(window / 2)
	for range k.served {
		from := time.Now().Add(-time.Second)
		g, err := l.Acquire(t.Context(), numbers, from, from.Add(window))
		if errors.Is(err, idgen.ErrClock) {
			t.Skip("this leaser refuses a clock that is a second behind")
		}
		if errors.Is(err, idgen.ErrNoWorker) {
			break
		}
		if err != nil {
			t.Fatalf("Acquire: %v", err)
		}
		if g.From.Before(used[g.Worker]) {
			t.Errorf("worker %d was used until %v and granted from %v", g.Worker, used[g.Worker], g.From)
		}
		if err := l.Release(t.Context(), g, g.From); err != nil {
			t.Errorf("Release: %v", err)
		}
	}
}

func (k *leaserKit) twoNumbers(t *testing.T) {
	t.Helper()
	if k.served == 1 {
		t.Skip("this leaser serves one number")
	}
	held := k.all(t, k.open(t))
	seen := map[uint32]bool{}
	for _, g := range held {
		if seen[g.Worker] {
			t.Errorf("worker %d was granted twice: %+v", g.Worker, held)
		}
		seen[g.Worker] = true
	}
	if g, err := k.open(t).Acquire(t.Context(), uint32(k.served), time.Now(), time.Now().Add(window)); err == nil && g.From.Before(held[0].Until) {
		t.Errorf("%+v was granted while all numbers were held: %+v", g, held)
	}
}

func (k *leaserKit) longestUnused(t *testing.T) {
	t.Helper()
	if k.served == 1 {
		t.Skip("this leaser serves one number")
	}
	l := k.open(t)
	for _, g := range k.all(t, l) {
		release(t, l, g, g.From)
		<-time.After(time.Until(g.From))
	}
	seen := map[uint32]bool{}
	for range k.served {
		<-time.After(2 * time.Millisecond) // so that "longest" is not a tie
		g := take(t, l, numbers)
		seen[g.Worker] = true
		release(t, l, g, g.From)
	}
	if len(seen) != k.served {
		t.Errorf("%d acquisitions used %d of %d numbers", k.served, len(seen), k.served)
	}
}

func (k *leaserKit) extends(t *testing.T) {
	t.Helper()
	l := k.open(t)
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

func (k *leaserKit) oldToken(t *testing.T) {
	t.Helper()
	l := k.open(t)
	g := take(t, l, numbers)
	release(t, l, g, g.From.Add(window/2))
	if _, err := l.Extend(t.Context(), g, g.Until.Add(window)); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("Extend after Release: %v", err)
	}
	if err := l.Release(t.Context(), g, g.From); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("second Release: %v", err)
	}
	never := idgen.Grant{Worker: numbers + 5, Token: 1, From: g.From, Until: g.Until}
	if _, err := l.Extend(t.Context(), never, g.Until.Add(window)); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("Extend of a grant that was never made: %v", err)
	}
	if err := l.Release(t.Context(), never, g.Until); !errors.Is(err, idgen.ErrLeaseLost) {
		t.Errorf("Release of a grant that was never made: %v", err)
	}
}

func (k *leaserKit) takeover(t *testing.T) {
	t.Helper()
	if k.served < numbers {
		t.Skip("this leaser does not serve all numbers at once")
	}
	l, other := k.open(t), k.open(t)
	held := map[uint32]idgen.Grant{}
	for _, g := range k.all(t, l) {
		held[g.Worker] = g
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

func (k *leaserKit) refusesWindows(t *testing.T) {
	t.Helper()
	l, now := k.open(t), time.Now()
	for _, d := range []time.Duration{0, -time.Second, 24*time.Hour + time.Second} {
		if g, err := l.Acquire(t.Context(), numbers, now, now.Add(d)); !errors.Is(err, idgen.ErrInvalid) {
			t.Errorf("a window of %v: %+v, %v", d, g, err)
		}
	}
	if g, err := l.Acquire(t.Context(), 0, now, now.Add(window)); !errors.Is(err, idgen.ErrInvalid) {
		t.Errorf("no workers: %+v, %v", g, err)
	}
}

func (k *leaserKit) badClock(t *testing.T) {
	t.Helper()
	l := k.open(t)
	g := take(t, l, numbers)
	year := time.Now().AddDate(1, 0, 0)
	if long, err := l.Extend(t.Context(), g, year); err == nil && long.Until.After(time.Now().Add(48*time.Hour)) {
		t.Errorf("extended to %v", long.Until)
	}
}

func (k *leaserKit) obeysContext(t *testing.T) {
	t.Helper()
	l := k.open(t)
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
func (k *leaserKit) neverShare(t *testing.T) {
	t.Helper()
	var mu sync.Mutex
	windows := map[uint32][]idgen.Grant{}
	var wg sync.WaitGroup
	for i := range 2 * numbers {
		l := k.open(t)
		wg.Go(func() {
			give := time.Now().Add(patience)
			for round := 0; round < 4 && time.Now().Before(give); {
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
				round++
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

func (k *leaserKit) servesSnowflake(t *testing.T) {
	t.Helper()
	var g *idgen.Snowflake
	give := time.Now().Add(patience)
	for {
		var err error
		g, err = idgen.NewLeased(t.Context(), k.open(t), idgen.SnowflakeOptions{
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
