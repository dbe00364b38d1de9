package lru

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// mapTier is a tier in memory that counts, and fails as the test says.
type mapTier struct {
	mu     sync.Mutex
	m      map[int]Entry[int, string]
	fail   error
	clears int
	before func(op string, key int) // outside the lock
}

func newTier() *mapTier { return &mapTier{m: map[int]Entry[int, string]{}} }

func (t *mapTier) begin(op string, key int) error {
	if t.before != nil {
		t.before(op, key)
	}
	t.mu.Lock()
	return t.fail
}

func (t *mapTier) Put(e Entry[int, string]) error {
	defer t.mu.Unlock()
	if err := t.begin("put", e.Key); err != nil {
		return err
	}
	t.m[e.Key] = e
	return nil
}

func (t *mapTier) Take(_ context.Context, key int) (Entry[int, string], bool, error) {
	defer t.mu.Unlock()
	if err := t.begin("take", key); err != nil {
		return Entry[int, string]{}, false, err
	}
	e, ok := t.m[key]
	delete(t.m, key)
	return e, ok, nil
}

func (t *mapTier) Remove(key int) error {
	defer t.mu.Unlock()
	if err := t.begin("remove", key); err != nil {
		return err
	}
	delete(t.m, key)
	return nil
}

func (t *mapTier) Clear() error {
	defer t.mu.Unlock()
	if err := t.begin("clear", 0); err != nil {
		return err
	}
	t.clears++
	clear(t.m)
	return nil
}

func (t *mapTier) has(key int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.m[key]
	return ok
}

// origins counts the loads of a loader that returns the key with a version.
type origins struct {
	loads   atomic.Int32
	version atomic.Int32
}

func (o *origins) load(_ context.Context, key int) (string, error) {
	o.loads.Add(1)
	return fmt.Sprint(key, "/", o.version.Load()), nil
}

func fetches(tb testing.TB, c *Cache[int, string], key int, want string) {
	tb.Helper()
	if v, err := c.Fetch(tb.Context(), key); err != nil || v != want {
		tb.Fatalf("Fetch(%d) = %q, %v; want %q", key, v, err, want)
	}
}

func TestEvictedEntryComesBackFromTheTierWithItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier, o := newTier(), &origins{}
		c := stringsOf(t, 2, Options[int, string]{Policy: LRU, TTL: time.Minute, Load: o.load, Overflow: tier})
		c.Set(1, "one")
		c.SetTTL(2, "two", time.Hour)
		<-time.After(30 * time.Second)
		c.Set(3, "three")
		c.Set(4, "four")
		if !tier.has(1) || !tier.has(2) {
			t.Fatal("an evicted entry is not in the tier")
		}
		if _, ok := c.Get(1); ok {
			t.Fatal("Get asked the tier")
		}
		fetches(t, c, 1, "one")
		if tier.has(1) || !tier.has(3) {
			t.Fatal("an entry is in memory and in the tier, or in neither")
		}
		if e, ok := c.Entry(1); !ok || time.Until(e.Expires) != 30*time.Second {
			t.Fatalf("key 1 has %v left, want 30s", time.Until(e.Expires))
		}
		fetches(t, c, 2, "two")
		if s := c.Stats(); s.Loads != 0 || o.loads.Load() != 0 {
			t.Fatalf("%d loads", s.Loads)
		}
		<-time.After(time.Minute)
		fetches(t, c, 3, "3/0") // it expired in the tier
	})
}

func TestWriteAndRemovalReachTheTierBeforeTheyReturn(t *testing.T) {
	for name, change := range map[string]func(c *Cache[int, string]){
		"Set":            func(c *Cache[int, string]) { c.Set(1, "new"); c.Remove(1) },
		"Remove":         func(c *Cache[int, string]) { c.Remove(1) },
		"Clear":          func(c *Cache[int, string]) { c.Clear() },
		"RemoveFunc":     func(c *Cache[int, string]) { c.RemoveFunc(func(int, string) bool { return false }) },
		"InvalidateTags": func(c *Cache[int, string]) { c.InvalidateTags("any") },
		"Compute": func(c *Cache[int, string]) {
			c.Compute(1, func(string, bool) (string, Action) { return "", Remove })
		},
	} {
		t.Run(name, func(t *testing.T) {
			tier, o := newTier(), &origins{}
			c := stringsOf(t, 1, Options[int, string]{
				Policy: LRU, Load: o.load, Overflow: tier, Tags: func(int, string) []string { return []string{"any"} },
			})
			c.Set(1, "old")
			c.Set(2, "two")
			if !tier.has(1) {
				t.Fatal("not in the tier")
			}
			change(c)
			if tier.has(1) {
				t.Fatal("the tier still has the old value")
			}
			fetches(t, c, 1, "1/0")
		})
	}
}

func TestFailingTierIsNotUsedAnyMore(t *testing.T) {
	tier, o := newTier(), &origins{}
	c := stringsOf(t, 1, Options[int, string]{Policy: LRU, Load: o.load, Overflow: tier})
	c.Set(1, "one")
	c.Set(2, "two")
	tier.fail = errors.New("disk is full")
	fetches(t, c, 1, "1/0")
	tier.fail = nil
	c.Set(3, "three")
	if tier.has(2) || !tier.has(1) {
		t.Fatal("the tier was used after its error")
	}
	fetches(t, c, 2, "2/0")
}

func TestFetchManyAndGetOrLoadAskTheTier(t *testing.T) {
	tier := newTier()
	asked := 0
	c := stringsOf(t, 1, Options[int, string]{
		Policy: LRU, Overflow: tier,
		LoadMany: func(_ context.Context, keys []int) (map[int]string, error) {
			asked += len(keys)
			return map[int]string{keys[0]: "loaded"}, nil
		},
	})
	c.Set(1, "one")
	c.Set(2, "two")
	c.Set(3, "three")
	got, err := c.FetchMany(t.Context(), []int{1, 2, 9})
	if err != nil || got[1] != "one" || got[2] != "two" || got[9] != "loaded" || asked != 1 {
		t.Fatalf("FetchMany = %v, %v; %d asked", got, err, asked)
	}
	v, err := c.GetOrLoad(t.Context(), 3, func(context.Context, int) (string, error) { return "", errSource })
	if v != "three" || err != nil {
		t.Fatalf("GetOrLoad = %q, %v", v, err)
	}
}

func TestRefreshDoesNotTakeTheOldValueFromTheTier(t *testing.T) {
	tier, o := newTier(), &origins{}
	c := stringsOf(t, 1, Options[int, string]{Policy: LRU, Load: o.load, Overflow: tier})
	c.Set(1, "old")
	c.Set(2, "two")
	if err := c.Refresh(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	fetches(t, c, 1, "1/0")
	if tier.has(1) {
		t.Fatal("the tier has the old value")
	}
}

// TestEntryOnItsWayToTheTierIsFoundWhileItLives looks for an evicted entry before its Put began.
func TestEntryOnItsWayToTheTierIsFoundWhileItLives(t *testing.T) {
	tier, o := newTier(), &origins{}
	c := stringsOf(t, 10, Options[int, string]{Policy: LRU, Load: o.load, Overflow: tier})
	c.Set(1, "one")
	c.SetTTL(2, "two", 5*time.Millisecond)
	s := &c.shards[0]
	s.mu.Lock()
	for _, key := range []int{1, 2} {
		h := c.hash(key)
		e := s.table.Load().find(h, key)
		c.used.Add(-1)
		c.evict(s, e)
	}
	spills := s.takeSpills() // what the evicting goroutine does next takes its time
	s.publish()
	s.mu.Unlock()
	<-time.After(5 * time.Millisecond)
	fetches(t, c, 1, "one")
	fetches(t, c, 2, "2/0")
	s.pour(spills)
	if tier.has(1) || tier.has(2) {
		t.Fatal("an entry is in memory and in the tier")
	}
	check(t, c)
}

// TestLatePutDoesNotOutliveAWrite holds the Put of an evicted value back until the key is removed.
func TestLatePutDoesNotOutliveAWrite(t *testing.T) {
	tier, o := newTier(), &origins{}
	hanging, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	tier.before = func(op string, key int) {
		if op == "put" && key == 1 {
			once.Do(func() {
				close(hanging)
				<-hold
			})
		}
	}
	c := stringsOf(t, 1, Options[int, string]{Policy: LRU, Load: o.load, Overflow: tier})
	c.Set(1, "old")
	var group sync.WaitGroup
	group.Go(func() { c.Set(2, "two") }) // evicts 1, whose Put hangs
	<-hanging
	removed := make(chan struct{})
	group.Go(func() {
		c.Remove(1)
		close(removed)
	})
	select {
	case <-removed:
		t.Fatal("Remove returned while the old value is on its way to the tier")
	case <-time.After(20 * time.Millisecond):
	}
	close(hold)
	group.Wait()
	if tier.has(1) {
		t.Fatal("the old value is in the tier")
	}
	fetches(t, c, 1, "1/0")
}

// TestSkippedForgetIsMadeGood: a write notes that the tier must forget the key, but its value is evicted before that was
// done, which makes the note void. Whatever becomes of that value, the version before the write must not stay.
func TestSkippedForgetIsMadeGood(t *testing.T) {
	for name, then := range map[string]func(c *Cache[int, string], s *shard[int, string], spills []*spill[int, string]){
		"recalled by a call whose result is thrown away": func(c *Cache[int, string], s *shard[int, string], spills []*spill[int, string]) {
			c.recall(t.Context(), c.hash(1), 1)
			s.pour(spills)
		},
		"expired on its way": func(_ *Cache[int, string], s *shard[int, string], spills []*spill[int, string]) {
			<-time.After(40 * time.Millisecond)
			s.pour(spills)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tier, o := newTier(), &origins{}
			c := stringsOf(t, 10, Options[int, string]{Policy: LRU, Load: o.load, Overflow: tier})
			tier.m[1] = Entry[int, string]{Key: 1, Value: "old"}
			s := &c.shards[0]
			s.tiering.Lock() // the tier is busy
			var group sync.WaitGroup
			group.Go(func() { c.SetTTL(1, "new", 30*time.Millisecond) })
			for noted := false; !noted; runtime.Gosched() {
				s.mu.Lock()
				noted = s.pending[1] != nil
				s.mu.Unlock()
			}
			s.mu.Lock()
			h := c.hash(1)
			e := s.table.Load().find(h, 1)
			c.used.Add(-1)
			c.evict(s, e)
			spills := s.takeSpills()
			s.publish()
			s.mu.Unlock()
			s.tiering.Unlock()
			group.Wait()
			if !tier.has(1) {
				t.Fatal("the write's note was not void: nothing is tested")
			}
			then(c, s, spills)
			if tier.has(1) {
				t.Fatal("the tier has the version before the write")
			}
			check(t, c)
		})
	}
}

// TestTierNeverBringsAnOldVersionBack is for -race, and a model: versions of a key only rise, and what Fetch returns is
// at least the version whose write had returned before.
func TestTierNeverBringsAnOldVersionBack(t *testing.T) {
	tier := newTier()
	const keys = 30
	var source, returned [keys]atomic.Int64
	c, err := New(10, Options[int, string]{Policy: LRU, Overflow: tier, Load: func(_ context.Context, key int) (string, error) {
		return strconv.FormatInt(source[key].Load(), 10), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var locks [keys]sync.Mutex // one writer per key at a time, so that versions rise
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for range 3000 {
				key := rng.IntN(keys)
				if rng.IntN(3) == 0 {
					locks[key].Lock()
					v := source[key].Add(1)
					if rng.IntN(4) == 0 {
						c.Remove(key)
					} else {
						c.Set(key, strconv.FormatInt(v, 10))
					}
					returned[key].Store(v)
					locks[key].Unlock()
					continue
				}
				least := returned[key].Load()
				v, err := c.Fetch(t.Context(), key)
				var got int64
				if _, scan := fmt.Sscan(v, &got); err != nil || scan != nil || got < least {
					t.Errorf("key %d: %q, %v, want at least version %d", key, v, err, least)
					return
				}
			}
		})
	}
	group.Wait()
	check(t, c)
}
