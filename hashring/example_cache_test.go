package hashring_test

import (
	"fmt"
	"log"
	"sync"

	"github.com/sysblocks/sysblocks/hashring"
)

// cacheServer stands for a memcached or Redis server.
type cacheServer struct {
	mu   sync.Mutex
	rows map[string]string
	up   bool
}

func (s *cacheServer) get(key string) (value string, found, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, found = s.rows[key]
	return value, found, s.up
}

func (s *cacheServer) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[key] = value
}

// cacheClient reads through a pool of cache servers, each key on one of them.
type cacheClient struct {
	ring *hashring.Ring[*cacheServer]
	load func(key string) string // from the database
}

// get asks the owner of the key; when that is down, the next node of the key's preference list. Since each key
// has a list of its own, the load of a dead server spreads over all others.
func (c *cacheClient) get(key string) string {
	for node := range c.ring.Walk(key) {
		value, found, up := node.Value.get(key)
		if !up {
			continue
		}
		if !found {
			value = c.load(key)
			node.Value.set(key, value)
		}
		return value
	}
	return c.load(key)
}

// A caching client: growth of the pool loses only the joiner's part of the cache.
func Example_cachingClient() {
	server := func() *cacheServer { return &cacheServer{rows: map[string]string{}, up: true} }
	nodes := []hashring.Node[*cacheServer]{
		{ID: "cache-1", Value: server()}, {ID: "cache-2", Value: server()}, {ID: "cache-3", Value: server()},
	}
	ring, err := hashring.New(nodes, hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	loads := 0
	client := cacheClient{ring: ring, load: func(key string) string { loads++; return "row of " + key }}
	read := func() int {
		loads = 0
		for i := range 1000 {
			client.get(fmt.Sprint("user:", i))
		}
		return loads
	}
	fmt.Println("cold:", read(), "misses")
	fmt.Println("warm:", read(), "misses")
	if _, err := ring.Add(hashring.Node[*cacheServer]{ID: "cache-4", Value: server()}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("a fourth server:", read(), "misses")
	nodes[0].Value.up = false
	fmt.Println("one server down:", read(), "misses")
	// Output:
	// cold: 1000 misses
	// warm: 0 misses
	// a fourth server: 246 misses
	// one server down: 270 misses
}
