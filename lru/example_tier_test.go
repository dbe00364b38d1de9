package lru_test

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/lru/diskstore"
)

// shop is a store: a table, a bucket, a service.
type shop struct{ stock map[string]int }

func (s *shop) Load(_ context.Context, item string) (int, error) {
	n, ok := s.stock[item]
	if !ok {
		return 0, lru.ErrNotFound
	}
	return n, nil
}

func (s *shop) Save(_ context.Context, item string, n int) error {
	s.stock[item] = n
	return nil
}

func (s *shop) Remove(_ context.Context, item string) error {
	delete(s.stock, item)
	return nil
}

func ExampleNewBacked() {
	ctx := context.Background()
	store := &shop{stock: map[string]int{"tea": 5}}
	b, err := lru.NewBacked(store, 1000, lru.BackedOptions[string, int]{Mode: lru.WriteBack})
	if err != nil {
		fmt.Println(err)
		return
	}
	for n := 4; n >= 0; n-- {
		if err := b.Set(ctx, "tea", n); err != nil { // in memory; a second later one of them is saved
			fmt.Println(err)
		}
	}
	n, err := b.Fetch(ctx, "tea")
	fmt.Println(n, err, b.Dirty())
	if err := b.Close(ctx); err != nil { // saves what is left
		fmt.Println(err)
	}
	fmt.Println(store.stock["tea"])
	// Output:
	// 0 <nil> 1
	// 0
}

func ExampleCache_Save() {
	ctx := context.Background()
	old, err := lru.New(100, lru.Options[string, int]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	old.Set("a", 1)
	old.Set("b", 2)
	var snapshot bytes.Buffer // a file, or the response to the next process
	if _, err := old.Save(ctx, &snapshot, lru.Encoding[string, int]{}); err != nil {
		fmt.Println(err)
	}
	next, err := lru.New(100, lru.Options[string, int]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	next.Set("b", 3) // newer than the snapshot
	n, err := next.Restore(ctx, &snapshot, lru.Encoding[string, int]{})
	a, _ := next.Get("a")
	b, _ := next.Get("b")
	fmt.Println(n, err, a, b)
	// Output: 1 <nil> 1 3
}

func ExampleOptions_overflow() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lru")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	disk, err := diskstore.Open(dir, diskstore.Options[string, string]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	loads := 0
	c, err := lru.New(1, lru.Options[string, string]{
		Policy:   lru.LRU,
		Overflow: disk,
		Load: func(_ context.Context, key string) (string, error) {
			loads++
			return "value of " + key, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []string{"a", "b", "a"} { // there is room for one in memory
		v, err := c.Fetch(ctx, key)
		fmt.Println(v, err)
	}
	fmt.Println(loads, "loads", disk.Len(), "on disk")
	if err := disk.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// value of a <nil>
	// value of b <nil>
	// value of a <nil>
	// 2 loads 1 on disk
}
