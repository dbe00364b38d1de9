package lru

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// checkTable recounts what the tags and marks of a table say.
func checkTable[K comparable, V any](tb testing.TB, t *table[K, V], hash func(*entry[K, V]) uint64) (searched float64) {
	tb.Helper()
	n := len(t.buckets)
	passed := make([]int, n)
	for i := range t.buckets {
		ctrl := t.buckets[i].ctrl.Load()
		for j := range bucketSlots {
			e, tag := t.buckets[i].slots[j].Load(), ctrl>>(8*j)&0xff
			if (e == nil) != (tag == 0) {
				tb.Fatalf("slot %d of bucket %d has the tag %#x and the entry %p", j, i, tag, e)
			}
			if e == nil {
				continue
			}
			home := t.home(hash(e))
			if want := tagOf(hash(e), home); tag != want {
				tb.Fatalf("an entry has the tag %#x, want %#x", tag, want)
			}
			for k := home; k != i; k = t.next(k) {
				passed[k]++
			}
		}
	}
	total := 0
	for i := range t.buckets {
		if got := int(t.buckets[i].ctrl.Load() >> 56); got != passed[i] {
			tb.Fatalf("bucket %d counts %d entries that passed it, there are %d", i, got, passed[i])
		}
		for k, steps := i, 0; steps < n; steps++ {
			total++
			if passed[k] == 0 {
				break
			}
			k = t.next(k)
		}
	}
	return float64(total) / float64(n)
}

// spread is a hash that a test can compute from an entry.
func spread(e *entry[uint64, int]) uint64 { return e.key * 0x9e3779b97f4a7c15 }

func TestTableEqualsMap(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, buckets := range []int{1, 4, 8, 60} {
		tab, model := newTable[uint64, int](buckets), map[uint64]*entry[uint64, int]{}
		for step := range 20_000 {
			key := rng.Uint64N(uint64(tab.limit) * 2)
			e := model[key]
			switch {
			case e != nil && rng.IntN(3) == 0:
				next := &entry[uint64, int]{key: key, value: step}
				tab.replace(spread(e), e, next)
				model[key] = next
			case e != nil:
				tab.remove(spread(e), e)
				delete(model, key)
			case tab.count < tab.limit:
				e = &entry[uint64, int]{key: key, value: step}
				if !tab.insert(spread(e), e) {
					t.Fatalf("seed %d: no room among %d of %d", seed, tab.count, tab.limit)
				}
				model[key] = e
			}
			if tab.count != len(model) {
				t.Fatalf("seed %d: %d entries, want %d", seed, tab.count, len(model))
			}
			if step%100 == 0 {
				checkTable(t, tab, spread)
			}
			for _, k := range []uint64{key, rng.Uint64N(uint64(tab.limit) * 2)} {
				if got := tab.find(k*0x9e3779b97f4a7c15, k); got != model[k] {
					t.Fatalf("seed %d, step %d: key %d finds %v, want %v", seed, step, k, got, model[k])
				}
			}
		}
	}
}

// A table whose entries stay where they first found room looks at dozens of buckets for a missing key.
func TestTableStaysShortWhereEntriesComeAndGo(t *testing.T) {
	const n = 3000
	tab := newTable[uint64, int](n / (bucketSlots - 1))
	var ring [n]*entry[uint64, int]
	for i := range 40 * n {
		if old := ring[i%n]; old != nil {
			tab.remove(spread(old), old)
		}
		e := &entry[uint64, int]{key: uint64(i)}
		for !tab.insert(spread(e), e) {
			t.Fatal("no room")
		}
		ring[i%n] = e
	}
	if searched := checkTable(t, tab, spread); searched > 3.5 {
		t.Errorf("a search that fails looks at %.1f buckets", searched)
	}
}

func TestReaderFindsWhatOthersMove(t *testing.T) {
	const stay, come = 30, 60
	tab := newTable[uint64, int](16) // 112 slots
	for k := range uint64(stay) {
		e := &entry[uint64, int]{key: k}
		tab.insert(spread(e), e)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop.Store(true)
		rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
		var there []*entry[uint64, int]
		for i := range uint64(300_000) {
			if len(there) == come {
				k := rng.IntN(come)
				tab.remove(spread(there[k]), there[k])
				there[k] = there[come-1]
				there = there[:come-1]
			}
			e := &entry[uint64, int]{key: stay + i}
			tab.insert(spread(e), e)
			there = append(there, e)
		}
	})
	for k := uint64(0); !stop.Load(); k = (k + 1) % stay {
		if tab.find(k*0x9e3779b97f4a7c15, k) == nil {
			t.Errorf("key %d, which never left, was not found", k)
			break
		}
	}
	wg.Wait()
	checkTable(t, tab, spread)
}

// slow is a key that takes long to compare: it differs in the last word.
type slow [4096]uint64

func slowEntry(id int) *entry[slow, int] {
	e := &entry[slow, int]{}
	e.key[len(e.key)-1] = uint64(id)
	return e
}

// moved lets a reader look for an entry while a writer moves it, from another moment on in each round.
func moved(t *testing.T, round int, tab *table[slow, int], h uint64, e *entry[slow, int], move func()) {
	t.Helper()
	before, _ := tab.locate(h, e)
	var reading atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for turns := 0; turns < round*20; {
			if reading.Load() {
				turns++
			}
		}
		move()
	})
	reading.Store(true)
	for range 20 {
		if tab.find(h, e.key) != e {
			t.Fatalf("round %d: an entry that never left was not found", round)
		}
	}
	wg.Wait()
	if after, _ := tab.locate(h, e); after == before {
		t.Fatal("the entry did not move: nothing is tested")
	}
}

// Seven other keys fill the home bucket, and while the reader compares them the entry comes there from the next one.
func TestReaderLooksAgainForAnEntryThatCameCloser(t *testing.T) {
	const h = 1 << 32
	for round := range 500 {
		tab := newTable[slow, int](4)
		var entries []*entry[slow, int]
		for i := range bucketSlots + 1 {
			entries = append(entries, slowEntry(i))
			tab.insert(h, entries[i])
		}
		moved(t, round, tab, h, entries[bucketSlots], func() { tab.remove(h, entries[0]) })
	}
}

// The entry is the last of the seven in its bucket. While the reader compares the others, all of them have to make room:
// the three buckets before are full of entries that may not go farther.
func TestReaderLooksAgainForAnEntryThatWentFarther(t *testing.T) {
	const buckets, before = 8, 5 << 61 // a home three buckets before the first
	for round := range 500 {
		tab := newTable[slow, int](buckets)
		for i := range 3 * bucketSlots {
			tab.insert(before, slowEntry(100+i))
		}
		var last *entry[slow, int]
		for i := range bucketSlots {
			last = slowEntry(i)
			tab.insert(0, last)
		}
		newcomers := make([]*entry[slow, int], bucketSlots)
		for i := range newcomers {
			newcomers[i] = slowEntry(200 + i)
		}
		moved(t, round, tab, 0, last, func() {
			for _, e := range newcomers {
				tab.insert(before, e)
			}
		})
	}
}

func TestQueueEqualsSlice(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var c chain[int, int]
	var q queue
	var model []*entry[int, int]
	for step := range 50_000 {
		switch rng.IntN(7) {
		case 0, 1:
			if len(model) < 200 {
				e := &entry[int, int]{key: step}
				c.pushBack(&q, c.take(e, 0, &q))
				model = append(model, e)
			}
		case 2:
			if len(model) < 200 {
				e := &entry[int, int]{key: step}
				c.pushFront(&q, c.take(e, 0, &q))
				model = append([]*entry[int, int]{e}, model...)
			}
		case 3:
			if len(model) > 0 {
				c.release(c.pop(&q))
				model = model[1:]
			}
		case 4:
			if len(model) > 0 {
				c.rotate(&q)
				model = append(model[1:], model[0])
			}
		default:
			if len(model) > 0 {
				k := rng.IntN(len(model))
				c.cut(&q, model[k].pos)
				model = append(model[:k:k], model[k+1:]...)
			}
		}
		i := 0
		c.each(&q, func(e *entry[int, int]) bool {
			if i >= len(model) || model[i] != e {
				t.Fatalf("seed %d, step %d: entry %d differs", seed, step, i)
			}
			i++
			return true
		})
		if i != len(model) || q.n != i {
			t.Fatalf("seed %d, step %d: %d entries, counts %d, want %d", seed, step, i, q.n, len(model))
		}
		holes := 0
		for i := q.front; i != 0; i = c.nodes[i].next {
			if c.nodes[i].e == nil {
				holes++
			}
		}
		// 200 entries fill the places to fifteen sixteenths at least before half as many are added.
		if holes != q.holes || len(c.nodes) > 321 {
			t.Fatalf("seed %d, step %d: %d holes, counts %d; %d places for %d entries", seed, step, holes, q.holes, len(c.nodes), q.n)
		}
	}
}

// An entry that never leaves the front keeps trim from giving the holes behind it back.
func TestQueueGivesHolesBackBeforeItGrows(t *testing.T) {
	var c chain[int, int]
	var q queue
	c.pushBack(&q, c.take(&entry[int, int]{}, 0, &q))
	for i := range 10_000 {
		e := &entry[int, int]{key: i}
		c.pushBack(&q, c.take(e, 0, &q))
		c.cut(&q, e.pos)
	}
	if len(c.nodes) > 32 {
		t.Errorf("%d places for one entry", len(c.nodes))
	}
}
