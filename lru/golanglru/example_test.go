package golanglru_test

import (
	"fmt"

	lru "github.com/sysblocks/sysblocks/lru/golanglru"
)

func Example() {
	cache, err := lru.NewWithEvict(2, func(key string, _ int) { fmt.Println("evicted", key) })
	if err != nil {
		fmt.Println(err)
		return
	}
	cache.Add("a", 1)
	cache.Add("b", 2)
	cache.Get("a")
	cache.Add("c", 3)
	fmt.Println(cache.Keys())
	// Output:
	// evicted b
	// [a c]
}

func ExampleNewExpirable() {
	cache := lru.NewExpirable[string, int](100, nil, 0) // ttl 0: for ever
	cache.Add("a", 1)
	v, ok := cache.Get("a")
	fmt.Println(v, ok)
	// Output: 1 true
}
