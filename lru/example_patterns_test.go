package lru_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

// An access is one way of putting a cache in front of a store.
type access struct {
	get   func(ctx context.Context, item string) (int, error)
	set   func(ctx context.Context, item string, n int) error
	close func(ctx context.Context) error // what an orderly end does; a kill does not
}

// counter counts what reaches the store. A write-back cache writes from several goroutines at once.
type counter struct {
	mu sync.Mutex
	shop
	reads, writes int
}

func (c *counter) Load(ctx context.Context, item string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	return c.shop.Load(ctx, item)
}

func (c *counter) Save(ctx context.Context, item string, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.shop.Save(ctx, item, n)
}

// aside is the pattern that needs nothing from the cache: the application looks, reads and puts, and drops what it writes.
func aside(store *counter) (access, error) {
	c, err := lru.New(40, lru.Options[string, int]{Policy: lru.LRU})
	if err != nil {
		return access{}, err
	}
	return access{
		get: func(ctx context.Context, item string) (int, error) {
			if n, ok := c.Get(item); ok {
				return n, nil
			}
			n, err := store.Load(ctx, item)
			if err == nil {
				c.Set(item, n)
			}
			return n, err
		},
		set: func(ctx context.Context, item string, n int) error {
			err := store.Save(ctx, item, n)
			c.Remove(item)
			return err
		},
		close: c.Close,
	}, nil
}

// backed reads through the cache and writes in one of the three modes.
func backed(store *counter, o lru.BackedOptions[string, int]) (access, error) {
	o.Cache.Policy = lru.LRU
	b, err := lru.NewBacked(store, 40, o)
	if err != nil {
		return access{}, err
	}
	return access{b.Fetch, b.Set, b.Close}, nil
}

// work runs the same day for every pattern: 750 reads and 250 writes of 100 items, while every fiftieth time another program writes
// to the store directly. It counts the reads that were older than the newest write, and what the store lacks if the process is
// killed at the end.
func work(ctx context.Context, store *counter, a access) (stale, lost int, err error) {
	random := rand.New(rand.NewPCG(1, 2))
	newest := map[string]int{}
	for i := 1; i <= 1000; i++ {
		item := fmt.Sprint("item-", min(random.IntN(100), random.IntN(100)))
		switch {
		case i%50 == 0:
			newest[item] = i
			err = store.shop.Save(ctx, item, i)
		case i%4 == 0:
			newest[item] = i
			err = a.set(ctx, item, i)
		default:
			var n int
			if n, err = a.get(ctx, item); n != newest[item] {
				stale++
			}
		}
		if err != nil {
			return 0, 0, err
		}
	}
	for item, n := range newest {
		if store.stock[item] != n {
			lost++
		}
	}
	return stale, lost, a.close(ctx)
}

// Five ways to use a cache, and the price of each: what the store has to do, what readers see that is old, and what a kill loses. Unsaved entries stay in
// memory beyond the capacity, which is why write-back reads so little.
func Example_patterns() {
	modes := []struct {
		name string
		open func(*counter) (access, error)
	}{
		{"no cache", func(s *counter) (access, error) {
			return access{s.Load, s.Save, func(context.Context) error { return nil }}, nil
		}},
		{"cache-aside", aside},
		{"read-through, write-around", func(s *counter) (access, error) {
			return backed(s, lru.BackedOptions[string, int]{Mode: lru.WriteAround})
		}},
		{"read-through, write-through", func(s *counter) (access, error) {
			return backed(s, lru.BackedOptions[string, int]{Mode: lru.WriteThrough})
		}},
		{"read-through, write-back", func(s *counter) (access, error) {
			return backed(s, lru.BackedOptions[string, int]{Mode: lru.WriteBack, FlushEvery: time.Hour})
		}},
	}
	ctx := context.Background()
	fmt.Println("pattern                      store-reads  store-writes  stale  lost")
	for _, m := range modes {
		store := &counter{shop: shop{stock: map[string]int{}}}
		for i := range 100 {
			store.stock[fmt.Sprint("item-", i)] = 0
		}
		a, err := m.open(store)
		if err != nil {
			fmt.Println(err)
			return
		}
		stale, lost, err := work(ctx, store, a)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-27s  %11d  %12d  %5d  %4d\n", m.name, store.reads, store.writes, stale, lost)
	}
	// Output:
	// pattern                      store-reads  store-writes  stale  lost
	// no cache                             740           240      0     0
	// cache-aside                          374           240     12     0
	// read-through, write-around           374           240     12     0
	// read-through, write-through          370           240     14     0
	// read-through, write-back             143            77     34    72
}
