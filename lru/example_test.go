package lru_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

func Example() {
	pages, err := lru.New(10_000, lru.Options[string, string]{TTL: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	pages.Set("/", "home")
	body, ok := pages.Get("/")
	fmt.Println(body, ok)
	// Output: home true
}

func ExampleNew_exact() {
	c, err := lru.New(2, lru.Options[string, int]{
		Policy:   lru.LRU,
		OnRemove: func(e lru.Entry[string, int], cause lru.Cause) { fmt.Println(e.Key, e.Value, cause) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Set("a", 1)
	c.Set("b", 2)
	c.Get("a")
	c.Set("c", 3)
	c.Set("a", 10)
	for e := range c.Coldest() {
		fmt.Println(e.Key)
	}
	// Output:
	// b 2 Evicted
	// a 1 Replaced
	// c
	// a
}

func ExampleOptions_weight() {
	c, err := lru.New(10, lru.Options[string, string]{
		Policy: lru.LRU,
		Weight: func(_ string, value string) int { return len(value) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Set("a", "12345")
	c.Set("b", "123")
	evicted := c.Set("c", "1234567")
	fmt.Println(evicted, c.Len(), c.Weight())
	fmt.Println(c.Set("d", "more than ten"), c.Stats().Rejected)
	// Output:
	// true 2 10
	// true 1
}

func ExampleCache_Fetch() {
	load := func(_ context.Context, id int) (string, error) {
		if id > 100 {
			return "", lru.ErrNotFound
		}
		fmt.Println("loading", id)
		return fmt.Sprint("user ", id), nil
	}
	users, err := lru.New(1000, lru.Options[int, string]{
		TTL:     10 * time.Minute,
		Load:    load,
		Loading: lru.Loading{RefreshAfter: 5 * time.Minute, StaleFor: time.Hour, NegativeTTL: 5 * time.Second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		fmt.Println(users.Fetch(context.Background(), 42))
	}
	_, err = users.Fetch(context.Background(), 404)
	fmt.Println(errors.Is(err, lru.ErrNotFound))
	// Output:
	// loading 42
	// user 42 <nil>
	// user 42 <nil>
	// true
}

func ExampleCache_FetchMany() {
	prices, err := lru.New(1000, lru.Options[string, int]{
		LoadMany: func(_ context.Context, keys []string) (map[string]int, error) {
			fmt.Println("one query for", len(keys))
			return map[string]int{"apple": 3, "pear": 4}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := prices.FetchMany(context.Background(), []string{"apple", "pear", "unicorn", "apple"})
	fmt.Println(found, err)
	// Output:
	// one query for 3
	// map[apple:3 pear:4] <nil>
}

func ExampleCache_GetOrLoad() {
	c, err := lru.New(10, lru.Options[string, int]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := c.GetOrLoad(context.Background(), "answer", func(context.Context, string) (int, error) { return 42, nil })
	fmt.Println(v, err)
	// Output: 42 <nil>
}

func ExampleCache_Compute() {
	hits, err := lru.New(10, lru.Options[string, int]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		hits.Compute("/", func(old int, _ bool) (int, lru.Action) { return old + 1, lru.Set })
	}
	fmt.Println(hits.Get("/"))
	// Output: 3 true
}

func ExampleCache_InvalidateTags() {
	c, err := lru.New(10, lru.Options[string, string]{
		Tags: func(_, author string) []string { return []string{"author:" + author} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Set("post 1", "ann")
	c.Set("post 2", "bob")
	c.InvalidateTags("author:ann")
	for key := range c.All() {
		fmt.Println(key)
	}
	// Output: post 2
}

func ExampleCurve() {
	curve, err := lru.NewCurve[int](0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 10_000 { // a loop over 100 keys
		curve.Add(i % 100)
	}
	fmt.Printf("%.2f %.2f\n", curve.HitRatio(50), curve.HitRatio(110))
	// Output: 0.00 0.99
}

func ExampleStats() {
	c, err := lru.New(10, lru.Options[int, int]{CountHits: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Set(1, 1)
	c.Get(1)
	c.Get(1)
	c.Get(2)
	s := c.Stats()
	fmt.Printf("%.2f of %d reads, %d entry\n", s.HitRatio(), s.Hits+s.Misses, s.Len)
	// Output: 0.67 of 3 reads, 1 entry
}
