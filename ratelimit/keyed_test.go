package ratelimit

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func mustKeyed[K comparable](tb testing.TB, o Options, limits ...Limit) *Keyed[K] {
	tb.Helper()
	k, err := NewKeyed[K](limits, o)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// quota never refills, so that every token can be counted.
func quota(n int64) Limit { return Limit{Per: time.Hour, Burst: n} }

func TestKeysUpToCapacityLoseNothing(t *testing.T) {
	const n = 50_000
	k := mustKeyed[int](t, Options{Capacity: n * 6 / 5}, quota(2))
	for i := range n {
		k.Allow(i)
	}
	s := k.Stats()
	if s.Evicted != 0 || s.Inserts != n || k.Len() != n {
		t.Errorf("%+v, Len %d", s, k.Len())
	}
	if per := float64(s.Bytes) / (n * 6 / 5); per > 24 {
		t.Errorf("%.1f bytes per key", per)
	}
	for i := range n {
		if !k.Allow(i) || k.Allow(i) {
			t.Fatalf("key %d did not have exactly one token left", i)
		}
	}
	k.Remove(7)
	if d := k.Take(7, 2); !d.OK {
		t.Errorf("removed key: %+v", d)
	}
	k.Clear()
	if k.Len() != 0 {
		t.Errorf("%d in use after Clear", k.Len())
	}
	if d := k.Take(3, 2); !d.OK || d.Remaining != 0 {
		t.Errorf("after Clear: %+v", d)
	}
}

// TestOverflowFollowsTheSimulation: two choices of eight slots overflow from about 80 % of the places on.
func TestOverflowFollowsTheSimulation(t *testing.T) {
	const slots = 1 << 18
	for load, most := range map[float64]float64{0.6: 0, 0.7: 0.00005, 0.8: 0.0006, 1.0: 0.06} {
		k := mustKeyed[int](t, Options{Capacity: slots * 7 / 10}, quota(1))
		n := int(load * float64(k.Stats().Slots))
		for i := range n {
			k.Allow(i)
		}
		if lost := float64(k.Stats().Evicted) / float64(n); lost > most {
			t.Errorf("load %.1f: %.5f %% evicted", load, 100*lost)
		}
	}
}

func TestFloodNeitherGrowsMemoryNorFreesAnAbuser(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 1000}, quota(100), Limit{Name: "b", Per: time.Second, Burst: 1000})
	abusers := 50
	for i := range abusers {
		k.Take(-1-i, 100)
	}
	before := runtime.NumGoroutine()
	for i := range 200_000 {
		k.Allow(i)
	}
	for i := range abusers {
		if k.Allow(-1 - i) {
			t.Errorf("abuser %d was forgotten", i)
		}
	}
	if s := k.Stats(); s.Evicted == 0 || k.Len() > s.Slots {
		t.Errorf("%+v", s)
	}
	if runtime.NumGoroutine() > before {
		t.Error("a goroutine was started")
	}
}

func TestDenyNewRefusesInsteadOfForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := mustKeyed[int](t, Options{Capacity: 11, DenyNew: true}, Per(1, time.Minute))
		denied := 0
		for i := range 1000 {
			if d := k.Take(i, 1); !d.OK {
				denied++
				if p := k.Key(i).Peek(1); p != d {
					t.Fatalf("peek %+v, take %+v", p, d)
				}
				if d.RetryAfter <= 0 || d.RetryAfter > time.Minute {
					t.Fatalf("%+v", d)
				}
			}
		}
		s := k.Stats()
		if denied != 1000-16 || s.Evicted != 0 || s.Refused != uint64(denied) || s.Slots != 16 {
			t.Errorf("%d denied, %+v", denied, s)
		}
		if n := k.Key(5000).TakeUpTo(1); n != 0 {
			t.Error("a partial grant without a place")
		}
		pause(time.Minute)
		if !k.Allow(2000) || k.Len() != 1 {
			t.Error("places did not free")
		}
	})
}

func TestUnusualKeys(t *testing.T) {
	k := mustKeyed[any](t, Options{Capacity: 100}, quota(1))
	nan := math.NaN()
	for range 1000 {
		if !k.Allow(nan) {
			t.Fatal("NaN met itself")
		}
	}
	type pair struct {
		a string
		b float64
	}
	if !k.Allow(pair{"x", 0}) || k.Allow(pair{"x", math.Copysign(0, -1)}) {
		t.Error("equal keys are one key")
	}
	defer func() {
		if recover() == nil {
			t.Error("a slice as key did not panic")
		}
	}()
	k.Allow([]int{1})
}

func TestExactTotalsUnderConcurrency(t *testing.T) {
	for _, goroutines := range []int{1, 4, 16, 64} {
		single := mustLimiter(t, quota(1000))
		several := mustLimiter(t, quota(1500), Limit{Name: "b", Per: 1, Burst: 1000}, Unlimited())
		first, second := mustLimiter(t, quota(1000)), mustLimiter(t, quota(1100), Unlimited())
		table := mustKeyed[string](t, Options{Capacity: 100}, quota(1000), Limit{Name: "b", Per: 1, Burst: 1200})
		for name, take := range map[string]func() bool{
			"single": single.Allow, "several": several.Allow,
			"keyed":   func() bool { return table.Allow("k") },
			"takeall": func() bool { return TakeAll(first.Claim(1), second.Claim(1)).OK },
		} {
			var got atomic.Int64
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					for range 3000/goroutines + 1 {
						if take() {
							got.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if got.Load() != 1000 {
				t.Errorf("%s with %d goroutines admitted %d of 1000", name, goroutines, got.Load())
			}
		}
	}
}

// TestFirstUseByManyGivesOneBucket: without a mutex per key, two goroutines could give a new key two places.
func TestFirstUseByManyGivesOneBucket(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 20_000}, quota(3))
	var got atomic.Int64
	const keys = 3000
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range keys {
				if k.Allow(i) {
					got.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got.Load() != 3*keys || k.Stats().Inserts != keys {
		t.Errorf("admitted %d, want %d; %+v", got.Load(), 3*keys, k.Stats())
	}
}

// TestTinyTableLosesAtMostWhatItEvicts: 16 places, many keys, all racing. Each eviction can forget one burst.
func TestTinyTableLosesAtMostWhatItEvicts(t *testing.T) {
	const burst, keys = 5, 40
	for _, limits := range [][]Limit{{quota(burst)}, {quota(burst), {Name: "b", Per: 1, Burst: burst + 3}}} {
		k := mustKeyed[int](t, Options{Capacity: 10}, limits...)
		var got [keys]atomic.Int64
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 1))
				for range 50_000 {
					key := rng.IntN(keys)
					switch rng.IntN(10) {
					case 0:
						k.Key(key).Peek(1)
					default:
						if k.Allow(key) {
							got[key].Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		total := int64(0)
		for i := range got {
			total += got[i].Load()
		}
		if evicted := int64(k.Stats().Evicted); total > keys*burst+evicted*burst {
			t.Errorf("admitted %d with %d evictions", total, evicted)
		}
	}
}

// TestChurnNeverChargesAnotherKey refills at once, so that places change hands without loss all the time: every key
// must always find its full burst.
func TestChurnNeverChargesAnotherKey(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 8}, quota(2))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 30_000 {
				l := k.Key(g*1_000_000 + i)
				if d := l.Take(2); !d.OK {
					t.Errorf("fresh key denied: %+v", d)
					return
				}
				l.Clear()
			}
		})
	}
	wg.Wait()
	if k.Len() != 0 || k.Stats().Evicted != 0 {
		t.Errorf("Len %d, %+v", k.Len(), k.Stats())
	}
}

func TestSetLimitsUnderFireKeepsCounting(t *testing.T) {
	limits := [][]Limit{
		{quota(1000)},
		{Limit{Name: "n", Per: time.Hour, Burst: 1000}},
		{Limit{Count: 1, Per: 1000 * time.Hour, Burst: 1000}},
		{Limit{Count: 7919, Per: 1 << 60, Burst: 1000}},
	}
	for name, l := range map[string]Limiter{
		"single": mustLimiter(t, limits[0]...),
		"keyed":  mustKeyed[int](t, Options{Capacity: 10}, limits[0]...).Key(1),
	} {
		t.Run(name, func(t *testing.T) {
			var got atomic.Int64
			var wg sync.WaitGroup
			stop := make(chan struct{})
			for range 4 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if l.Allow() {
							got.Add(1)
						}
						runtime.Gosched()
					}
				})
			}
			for i := range 3000 {
				if err := l.SetLimits(limits[i%len(limits)]...); err != nil {
					t.Error(err)
				}
			}
			close(stop)
			wg.Wait()
			for l.Allow() {
				got.Add(1)
			}
			// A change rounds what was used up by at most a unit, of which 2^30 make a token.
			if got.Load() > 1000 || got.Load() < 998 {
				t.Errorf("admitted %d of 1000", got.Load())
			}
		})
	}
}

func TestManyChangesOfLimitsKeepEveryKey(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 2000}, quota(10), Limit{Name: "b", Per: 1, Burst: 20})
	for i := range 2000 {
		k.Take(i, 1+i%9)
	}
	for i := range 3 * maxChain {
		b := int64(10 + i%5)
		if err := k.SetLimits(quota(b), Limit{Name: "b", Per: 1, Burst: 1 << (10 + i%40)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.SetLimits(quota(10), Limit{Name: "b", Per: 1, Burst: 20}); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if d := k.Key(i).Peek(0); d.Remaining != int64(9-i%9) {
			t.Fatalf("key %d: %+v", i, d)
		}
	}
}

func TestSetLimitsChangesAllKeysAndKeepsWhatWasUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := mustKeyed[int](t, Options{Capacity: 100}, PerSecond(10))
		k.Take(1, 7)
		k.Take(2, 10)
		if err := k.SetLimits(PerHour(1000)); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[int]int64{1: 993, 2: 990, 3: 1000} {
			if d := k.Key(key).Peek(0); d.Remaining != want {
				t.Errorf("key %d: %+v, want %d left", key, d, want)
			}
		}
		if err := k.SetLimits(PerHour(4)); err != nil {
			t.Fatal(err)
		}
		pause(15 * time.Minute)
		for key, want := range map[int]int64{1: 1, 2: 1, 3: 4} {
			if d := k.Key(key).Peek(0); d.Remaining != want {
				t.Errorf("key %d: %+v, want %d left", key, d, want)
			}
		}
	})
}

func TestHotPathsAllocateNothing(t *testing.T) {
	l1, l3 := mustLimiter(t, open("")), mustLimiter(t, open("a"), open("b"), open("c"))
	shut := mustLimiter(t, shut())
	k := mustKeyed[string](t, Options{Capacity: 1000}, open("a"), open("b"))
	flood := mustKeyed[int](t, Options{Capacity: 1000}, open("a"))
	i := 0
	for name, f := range map[string]func(){
		"Allow":    func() { l1.Allow(); shut.Allow() },
		"AllowN":   func() { l3.AllowN(2) },
		"Take":     func() { l1.Take(1); l3.Take(1); shut.Take(1) },
		"Peek":     func() { l1.Peek(1); l3.Peek(1); shut.Peek(1) },
		"TakeUpTo": func() { l1.TakeUpTo(3); l3.TakeUpTo(3) },
		"Charge":   func() { l1.Charge(3); l3.Charge(3); l3.Charge(-3) },
		"Key":      func() { k.Key("some key").Take(1) },
		"Keyed":    func() { k.Allow("some key") },
		"TakeAll":  func() { TakeAll(l1.Claim(1), l3.Claim(1), k.Key("x").Claim(1), l1.Claim(2)) },
		"refused":  func() { TakeAll(l1.Claim(1), l3.Claim(1), shut.Claim(1), l1.Claim(2)) },
		"flood":    func() { i++; flood.Allow(i) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// Two callers that both found no place: the second must find the first one's under the lock.
func TestInsertLooksAgainUnderTheLock(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 100}, quota(10))
	h := k.hash(1)
	var first, second reading
	k.q.read(h, 0, &first)
	k.q.read(h, 0, &second)
	if v, done := k.q.insert(h, 3, 0, &first); v != granted || !done {
		t.Fatal(v, done)
	}
	if _, done := k.q.insert(h, 3, 0, &second); done {
		t.Error("a second place for one key")
	}
	if s := k.Stats(); s.Inserts != 1 || k.Len() != 1 {
		t.Errorf("%+v, %d in use", s, k.Len())
	}
}

// A place whose second limit is in use is in use, also when it looked full before it was taken.
func TestInsertLeavesAPlaceThatIsChargedMeanwhile(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 1}, quota(10), Limit{Per: time.Hour, Burst: 20})
	h := k.hash(1)
	var r reading
	k.q.read(h, 0, &r)
	at, s, used := k.q.victim(h, &r)
	if used != 0 || s&mark != 0 {
		t.Fatal(s, used)
	}
	// A charge is under way there: its first word counts as full already, its second is still owed.
	a := &r.p.axes[1]
	k.q.words[at.st+1].Store(a.charged(0, a.at(0), a.cost(5)))
	k.q.words[at.st].Store(r.p.axes[0].full())
	if other, _, _ := k.q.victim(h, &r); other == at {
		t.Error("a place in use is taken for a new key")
	}
}

// A reader whose place went to another key between look-up and reading looks again.
func TestAPlaceThatChangedHandsIsNotRead(t *testing.T) {
	k := mustKeyed[int](t, Options{Capacity: 100}, quota(10))
	h := k.hash(1)
	k.Take(1, 3)
	var r reading
	k.q.read(h, 0, &r)
	if !r.found || !k.q.load(h, &r) {
		t.Fatal("the key has no place")
	}
	k.q.words[r.at.fp].Store(h + 1)
	if k.q.load(h, &r) {
		t.Error("another key's state was taken for this one's")
	}
}
