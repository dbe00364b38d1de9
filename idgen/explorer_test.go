//go:build race

package idgen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The explorer runs the code of this package in every order of its accesses to shared words that a few goroutines can
// produce, and checks what came out after each run. It needs the race detector's build, in which the words stop before
// each access; the goroutines take turns, one at a time, as a schedule says. With a bound on preemptions (Musuvathi and
// Qadeer, PLDI 2007) longer programs are searched too: every order in which at most that many goroutines are interrupted.

// actor is a goroutine under the explorer. It runs from one stop to the next when it is resumed.
type actor struct {
	resume chan struct{}
	work   func()
	held   *sharedMutex // not nil while it waits for a lock
	done   bool
}

// explorer follows a schedule and records the choices that it had.
type explorer struct {
	actors    []*actor
	events    chan bool // a running actor has stopped, or (true) ended
	running   *actor    // nil while the test itself runs, which does not stop
	path      []int     // the schedule: which of the actors that may run goes on
	options   []int     // how many there were at each step
	step      int
	preempted int
}

// blocked tells that a waits for a lock that is still held.
func (a *actor) blocked() bool {
	if a.held == nil || !a.held.TryLock() {
		return a.held != nil
	}
	a.held.Unlock()
	a.held = nil
	return false
}

func (e *explorer) stop(held *sharedMutex) {
	if a := e.running; a != nil {
		a.held = held
		e.events <- false
		<-a.resume
	}
}

// choose returns the index of the next of n possibilities: what the schedule says, then always the first.
func (e *explorer) choose(n int) int {
	if e.step == len(e.path) {
		e.path, e.options = append(e.path, 0), append(e.options, n)
	}
	e.options[e.step] = n
	e.step++
	return e.path[e.step-1]
}

// run lets the actors go on to their end. The one that ran last is always the first possibility, every other one is a
// preemption unless it ended.
func (e *explorer) run(bound int) {
	for _, a := range e.actors {
		go func() {
			<-a.resume
			a.work()
			e.events <- true
		}()
	}
	var last *actor
	for {
		ready := slices.DeleteFunc(slices.Clone(e.actors), func(a *actor) bool { return a.done || a.blocked() })
		if len(ready) == 0 {
			return
		}
		if i := slices.Index(ready, last); i >= 0 {
			ready[0], ready[i] = ready[i], ready[0]
			if e.preempted == bound {
				ready = ready[:1]
			}
		}
		a := ready[e.choose(len(ready))]
		if last != nil && a != last && slices.Contains(ready, last) {
			e.preempted++
		}
		last = a
		e.running = a
		a.resume <- struct{}{}
		a.done = <-e.events
		e.running = nil
	}
}

// explore runs all schedules of the program that setup makes anew each time, until check fails.
func explore(bound int, setup func() (work []func(), check func() error)) (runs int, err error) {
	var e *explorer
	hook := func(held *sharedMutex) { e.stop(held) }
	beforeAccess.Store(&hook)
	defer beforeAccess.Store(nil)
	for path := []int(nil); ; {
		e = &explorer{events: make(chan bool), path: path, options: make([]int, len(path))}
		work, check := setup()
		for _, w := range work {
			e.actors = append(e.actors, &actor{resume: make(chan struct{}), work: w})
		}
		e.run(bound)
		runs++
		if err := check(); err != nil {
			return runs, fmt.Errorf("schedule %v: %w", e.path, err)
		}
		for path = e.path; len(path) > 0; path = path[:len(path)-1] {
			if d := len(path) - 1; path[d]+1 < e.options[d] {
				path = append(slices.Clone(path[:d]), path[d]+1)
				break
			}
		}
		if len(path) == 0 {
			return runs, nil
		}
	}
}

func TestTheExplorerFindsALostUpdate(t *testing.T) {
	program := func(once func(word *sharedUint64)) func() ([]func(), func() error) {
		return func() ([]func(), func() error) {
			var word sharedUint64
			work := func() { once(&word) }
			return []func(){work, work, work}, func() error {
				if n := word.Load(); n != 3 {
					return fmt.Errorf("three additions gave %d", n)
				}
				return nil
			}
		}
	}
	for _, bound := range []int{1, 99} {
		_, err := explore(bound, program(func(w *sharedUint64) { w.Store(w.Load() + 1) }))
		require.ErrorContains(t, err, "three additions")
		_, err = explore(bound, program(func(w *sharedUint64) { w.Add(1) }))
		require.NoError(t, err)
	}
	runs, err := explore(99, program(func(w *sharedUint64) { w.Add(1) }))
	require.NoError(t, err)
	require.Equal(t, 90, runs, "6!/(2!)^3: three actors of two steps")
}

// journal collects what the calls of one run returned.
type journal struct {
	layout Layout
	ahead  time.Duration
	moment int // counts the begins and ends of calls
	calls  []call
	used   time.Time // what Close gave back; zero before
}

type call struct {
	began, ended int
	at           time.Time // the clock at the begin
	ids          []ID
}

func (j *journal) record(do func() ([]ID, error)) func() {
	return func() {
		c := call{began: j.moment, at: time.Now()}
		j.moment++
		ids, err := do()
		if err != nil && !errors.Is(err, ErrExhausted) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrLeaseLost) {
			panic(err)
		}
		c.ended, c.ids = j.moment, slices.Clone(ids)
		j.moment++
		latest := time.Now().Add(j.ahead)
		for _, id := range ids {
			at := j.layout.Time(id)
			if at.After(latest) || at.Before(c.at.Truncate(j.layout.Unit).Add(-j.layout.Unit)) {
				panic(fmt.Sprintf("the time of %d is %v, the call lasted from %v to %v", id, at, c.at, latest))
			}
		}
		j.calls = append(j.calls, c)
	}
}

func (j *journal) check() error {
	seen := map[ID]bool{}
	for _, c := range j.calls {
		for i, id := range c.ids {
			if seen[id] || id == 0 {
				return fmt.Errorf("%d twice, or 0", id)
			}
			seen[id] = true
			if i > 0 && id <= c.ids[i-1] {
				return fmt.Errorf("Fill gives %d after %d", id, c.ids[i-1])
			}
			if !j.used.IsZero() && !j.layout.Time(id).Before(j.used) {
				return fmt.Errorf("%d was issued, and Close gave back all from %v", id, j.used)
			}
		}
	}
	for _, a := range j.calls {
		for _, b := range j.calls {
			if a.ended < b.began && len(a.ids) > 0 && len(b.ids) > 0 && a.ids[len(a.ids)-1] >= b.ids[0] {
				return fmt.Errorf("%v came before %v", a.ids, b.ids)
			}
		}
	}
	return nil
}

// onlyLeaser grants worker 0, and remembers what comes back.
type onlyLeaser struct {
	MemoryLeaser
	j *journal
}

func (l *onlyLeaser) Release(ctx context.Context, g Grant, used time.Time) error {
	l.j.used = used
	return l.MemoryLeaser.Release(ctx, g, used)
}

// program makes the actors that the letters stand for: n and N call Next (once, twice), f calls Fill, c is Close, i installs
// another worker number, and t moves the clock by a tick. before letters run first, by themselves.
func program(t *testing.T, before, letters string, seq uint8, ahead time.Duration) func() ([]func(), func() error) {
	l := Layout{TimeBits: 40, WorkerBits: 1, SeqBits: seq, Unit: time.Second, SeqFirst: true}.full()
	return func() ([]func(), func() error) {
		j := &journal{layout: l, ahead: ahead}
		leaser := &onlyLeaser{j: j}
		s, err := NewLeased(t.Context(), leaser, SnowflakeOptions{Layout: l, MaxAhead: ahead, MaxWait: -1, TTL: time.Hour})
		require.NoError(t, err)
		synctest.Wait() // the keeper sleeps
		next := j.record(func() ([]ID, error) {
			id, err := s.Next(context.Background())
			if err != nil {
				return nil, err
			}
			return []ID{id}, nil
		})
		fill := j.record(func() ([]ID, error) {
			ids := make([]ID, 2)
			n, err := s.Fill(context.Background(), ids)
			return ids[:n], err
		})
		actions := map[rune]func(){
			'n': next,
			'N': func() { next(); next() },
			'f': fill,
			't': func() { <-time.After(l.Unit) },
			'c': func() { _ = s.Close(context.Background()) },
			'i': func() {
				g := s.lease()
				g.Worker = 1
				if err := s.install(g); err != nil && !errors.Is(err, ErrClosed) {
					panic(err)
				}
			},
		}
		for _, c := range before {
			actions[c]()
		}
		var work []func()
		for _, c := range letters {
			work = append(work, actions[c])
		}
		return work, func() error {
			_ = s.Close(context.Background())
			return j.check()
		}
	}
}

func TestEveryInterleavingIssuesEachSlotOnce(t *testing.T) {
	for _, c := range []struct {
		letters string
		bound   int
	}{
		{"nn", 3},
		{"nnn", 1},
		{"nnt", 2},
		{"nnc", 1},
		{"nct", 2},
		{"nf", 3},
		{"Ni", 2},
		{"fi", 2},
		{"NN", 2},
		{"fc", 2},
		{"nic", 1},
	} {
		for _, before := range []string{"", "n", "nn", "nnt", "ntt"} {
			for _, ahead := range []time.Duration{0, 3 * time.Second} {
				synctest.Test(t, func(t *testing.T) {
					afterEpoch()
					runs, err := explore(c.bound, program(t, before, c.letters, 1, ahead))
					if err != nil {
						t.Errorf("%q after %q with MaxAhead of %v: %v", c.letters, before, ahead, err)
					}
					t.Logf("%q after %q: %d runs", c.letters, before, runs)
				})
				if t.Failed() {
					return
				}
			}
		}
	}
}
