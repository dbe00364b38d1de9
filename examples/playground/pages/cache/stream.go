package cache

import (
	"container/heap"
	"math"
	"math/rand/v2"

	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/lru"
)

const (
	requests  = 5000
	smallest  = 25 // capacities, in steps of itself
	largest   = 400
	loopKeys  = 300
	scanRows  = 300 // that nobody else reads
	scanEvery = 400 // requests; the scan lasts for half of them and makes two of three requests meanwhile
	scanFrom  = 150
	newsEvery = 10 // requests after which a key becomes the newest
)

// stream makes the keys that are asked for, one after the other.
func stream(kind string, seed uint64) []int {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a workload, no secrets
	popular := workload.NewZipf(600, 0.9)
	few := workload.NewZipf(scanRows, 0.9)
	recent := workload.NewZipf(120, 0.9)
	row := 0
	keys := make([]int, requests)
	for i := range keys {
		switch kind {
		case "loop":
			keys[i] = i % loopKeys
		case "news":
			keys[i] = max(0, i/newsEvery-recent.Next(random))
		case "scan":
			keys[i] = few.Next(random)
			if at := i%scanEvery - scanFrom; at >= 0 && at < scanEvery/2 && i%3 > 0 {
				keys[i] = scanRows + row%scanRows
				row++
			}
		default:
			keys[i] = popular.Next(random)
		}
	}
	return keys
}

// A run is what a policy did at one capacity. For each request that was a miss it says before which request the entry left again
// that it brought in, at the earliest the next one, at the latest the one after the last; for a hit it is 0.
type run []uint16

func (r run) hits(from, to int) int {
	n := 0
	for _, left := range r[from:to] {
		if left == 0 {
			n++
		}
	}
	return n
}

// replay asks a cache for all keys and stores what it does not have.
func replay(keys []int, capacity int, policy lru.Policy, create Create) (run, error) {
	r := make(run, len(keys))
	now := 0
	cache, err := create(capacity, policy, func(born int) {
		r[born] = uint16(max(now, born+1)) //nolint:gosec // below the number of requests
	})
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		now = i
		if _, hit := cache.Get(key); !hit {
			r[i] = uint16(len(keys)) //nolint:gosec // a constant that fits
			cache.Set(key, i)
		}
	}
	return r, nil
}

// optimum is the ceiling: it knows the future, gives up what will be asked for last (Belady 1966), and does not store what would
// be that itself. No policy has more hits, on the whole stream or on any beginning of it.
func optimum(keys []int, capacity int) run {
	const never = math.MaxInt
	next := make([]int, len(keys)) // when the key is asked for again
	last := map[int]int{}
	for i := len(keys) - 1; i >= 0; i-- {
		next[i] = never
		if j, ok := last[keys[i]]; ok {
			next[i] = j
		}
		last[keys[i]] = i
	}
	r := make(run, len(keys))
	born := map[int]int{} // of the keys that are kept
	var order future
	for i, key := range keys {
		if _, hit := born[key]; !hit {
			r[i] = uint16(len(keys)) //nolint:gosec // a constant that fits
			born[key] = i
		}
		heap.Push(&order, use{key, next[i]})
		for len(born) > capacity {
			latest := heap.Pop(&order).(use) // the heap holds nothing else
			if b, kept := born[latest.key]; kept && latest.at > i {
				delete(born, latest.key)
				r[b] = uint16(max(i, b+1)) //nolint:gosec // below the number of requests
			}
		}
	}
	return r
}

type use struct{ key, at int }

// future has the latest use on top. Uses that have passed lie below all others.
type future []use

func (f future) Len() int           { return len(f) }
func (f future) Less(i, j int) bool { return f[i].at > f[j].at }
func (f future) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

// Push and Pop are for container/heap.
func (f *future) Push(x any) { *f = append(*f, x.(use)) } // optimum pushes nothing else

func (f *future) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}
