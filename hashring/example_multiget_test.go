package hashring_test

import (
	"fmt"
	"log"
	"maps"
	"sync"

	"github.com/sysblocks/sysblocks/hashring"
)

// shard answers many keys in one round trip.
type shard map[string]int

func (s shard) getMulti(keys []string) map[string]int {
	found := make(map[string]int, len(keys))
	for _, key := range keys {
		if v, ok := s[key]; ok {
			found[key] = v
		}
	}
	return found
}

// multiGet fans a list of keys out to their owners, one request to each. The snapshot makes it consistent: all
// keys are routed by one version of the membership, also when it changes meanwhile.
func multiGet(s *hashring.Snapshot[shard], keys []string) (values map[string]int, requests int) {
	values = make(map[string]int, len(keys))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for node, part := range s.Group(keys) {
		requests++
		wg.Go(func() {
			found := node.Value.getMulti(part)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(values, found)
		})
	}
	wg.Wait()
	return values, requests
}

// A consistent multi-get: 100 keys, and one request to each shard that owns some of them.
func Example_multiGet() {
	ring, err := hashring.New([]hashring.Node[shard]{
		{ID: "shard-1", Value: shard{}}, {ID: "shard-2", Value: shard{}}, {ID: "shard-3", Value: shard{}},
	}, hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var keys []string
	for i := range 100 {
		key := fmt.Sprint("user:", i)
		owner, _ := ring.Get(key)
		owner[key] = i * i
		keys = append(keys, key)
	}
	values, requests := multiGet(ring.Snapshot(), keys)
	fmt.Println(len(values), "values in", requests, "requests;", "user:12 is", values["user:12"])
	// Output:
	// 100 values in 3 requests; user:12 is 144
}
