package golanglru

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// naive is the same cache as a slice, oldest use first.
type naive struct {
	size     int // 0: no limit
	lifetime time.Duration
	list     []item
	gone     []string
	adds     int
}

type item struct {
	key, value int
	deadline   time.Time
	age        int
}

func (n *naive) find(key int) int {
	return slices.IndexFunc(n.list, func(i item) bool { return i.key == key })
}

func (n *naive) drop(at int) {
	n.gone = append(n.gone, fmt.Sprint(n.list[at].key, "=", n.list[at].value))
	n.list = slices.Delete(n.list, at, at+1)
}

func (n *naive) expire() {
	if n.lifetime == 0 {
		return
	}
	byAge := slices.SortedFunc(slices.Values(n.list), func(a, b item) int { return a.age - b.age })
	for _, i := range byAge {
		if !i.deadline.After(time.Now()) {
			n.drop(n.find(i.key))
		}
	}
}

func (n *naive) add(key, value int) bool {
	n.adds++
	it := item{key, value, time.Now().Add(n.lifetime), n.adds}
	if at := n.find(key); at >= 0 {
		n.list = append(slices.Delete(n.list, at, at+1), it)
		return false
	}
	n.list = append(n.list, it)
	if n.size > 0 && len(n.list) > n.size {
		n.drop(0)
		return true
	}
	return false
}

func (n *naive) get(key int) (int, bool) {
	at := n.find(key)
	if at < 0 {
		return 0, false
	}
	it := n.list[at]
	n.list = append(slices.Delete(n.list, at, at+1), it)
	return it.value, true
}

// both is what Cache and Expirable have in common.
type both interface {
	Add(key, value int) bool
	Get(key int) (int, bool)
	Peek(key int) (int, bool)
	Contains(key int) bool
	Remove(key int) bool
	RemoveOldest() (int, int, bool)
	GetOldest() (int, int, bool)
	Keys() []int
	Values() []int
	Len() int
	Cap() int
	Resize(size int) int
	Purge()
}

// TestEqualsANaiveCache runs random programs on both, with contents and callbacks compared after each step.
func TestEqualsANaiveCache(t *testing.T) {
	for _, lifetime := range []time.Duration{0, 20 * time.Millisecond} {
		for range 40 {
			seed := rand.Uint64()
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				n := &naive{size: 1 + rng.IntN(8), lifetime: lifetime}
				var mu sync.Mutex // the timer calls back too
				var gone []string
				listener := func(key, value int) {
					mu.Lock()
					defer mu.Unlock()
					gone = append(gone, fmt.Sprint(key, "=", value))
				}
				var c both = NewExpirable(n.size, listener, lifetime)
				if lifetime == 0 && seed%2 == 0 {
					plain, err := NewWithEvict(n.size, listener)
					if err != nil {
						t.Fatal(err)
					}
					c = plain
				}
				for i := range 300 {
					what := step(rng, c, n, i)
					synctest.Wait()
					mu.Lock()
					got, want := fmt.Sprint(c.Keys(), c.Values(), c.Len(), c.Cap(), gone), n.state()
					mu.Unlock()
					if got != want {
						t.Fatalf("seed %d, step %d, %s:\n got %s\nwant %s", seed, i, what, got, want)
					}
				}
			})
		}
	}
}

func (n *naive) state() string {
	keys, values := []int{}, []int{}
	for _, i := range n.list {
		keys, values = append(keys, i.key), append(values, i.value)
	}
	return fmt.Sprint(keys, values, len(keys), n.size, n.gone)
}

// step makes one call on both and returns its text, with both results where they differ.
func step(rng *rand.Rand, c both, n *naive, i int) string {
	key := rng.IntN(12)
	n.expire()
	switch op := rng.IntN(20); {
	case op < 7:
		return fmt.Sprint("Add ", key, differ(c.Add(key, i), n.add(key, i)))
	case op < 11:
		v, ok := c.Get(key)
		w, has := n.get(key)
		return fmt.Sprint("Get ", key, differ([]any{v, ok}, []any{w, has}))
	case op < 13:
		v, ok := c.Peek(key)
		at := n.find(key)
		return fmt.Sprint("Peek ", key, differ([]any{ok, c.Contains(key)}, []any{at >= 0, at >= 0}), ok && n.list[at].value != v)
	case op < 15:
		at := n.find(key)
		if at >= 0 {
			n.drop(at)
		}
		return fmt.Sprint("Remove ", key, differ(c.Remove(key), at >= 0))
	case op < 16:
		k, _, ok := c.GetOldest()
		k2, _, ok2 := c.RemoveOldest()
		if len(n.list) > 0 {
			n.drop(0)
		}
		return fmt.Sprint("RemoveOldest", differ([]any{k, ok}, []any{k2, ok2}))
	case op < 17:
		n.size = 1 + rng.IntN(8)
		evicted := 0
		for len(n.list) > n.size {
			n.drop(0)
			evicted++
		}
		return fmt.Sprint("Resize", differ(c.Resize(n.size), evicted))
	case op < 18 && i%7 == 0:
		for len(n.list) > 0 {
			n.drop(0)
		}
		c.Purge()
		return "Purge"
	default:
		<-time.After(time.Duration(rng.IntN(10)) * time.Millisecond)
		n.expire()
		c.Len()
		return "wait"
	}
}

func differ(got, want any) string {
	if fmt.Sprint(got) == fmt.Sprint(want) {
		return ""
	}
	panic(fmt.Sprintf("got %v, want %v", got, want))
}
