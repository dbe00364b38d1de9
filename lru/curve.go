package lru

import (
	"container/heap"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
)

// Curve answers "what would the hit ratio be with another capacity?" from a sample of the live key stream.
//
// It follows keys whose hash lies below a threshold, which falls so that no more than a fixed number of them is
// followed (SHARDS). The distance between two reads of such a key, in other sampled keys, scaled by the sampling
// rate, is the capacity from which on an LRU cache would have had it.
type Curve[K comparable] struct {
	seed      maphash.Seed
	threshold atomic.Uint64 // hashes above are not sampled; lowered under mu, read by Add before it takes mu

	mu      sync.Mutex
	samples int
	keys    map[K]*sampled[K]
	largest sampledHeap[K] // by hash: the next ones to leave
	clock   int            // position of the last read in marks
	marks   []int32        // Fenwick tree over positions: one for the last read of each sampled key
	hits    [curveBuckets]float64
	reads   float64 // that the sample stands for

	total [hitStripes]stripe // all reads; added to by Add, read by HitRatio
}

type sampled[K comparable] struct {
	key  K
	hash uint64
	at   int
}

const (
	defaultSamples = 8192
	// curveBuckets hold capacities up to 2^40, sixteen per doubling: an error of 4 % in capacity at most.
	curveBuckets = 40 * curveSteps
	curveSteps   = 16
)

// NewCurve returns an empty Curve that follows so many keys; 0: 8192. A negative number is ErrInvalid.
func NewCurve[K comparable](samples int) (*Curve[K], error) {
	if samples < 0 {
		return nil, invalid("samples %d is negative", samples)
	}
	if samples == 0 {
		samples = defaultSamples
	}
	c := &Curve[K]{
		seed: maphash.MakeSeed(), samples: samples, keys: map[K]*sampled[K]{},
		marks: make([]int32, 4*samples+1),
	}
	c.threshold.Store(math.MaxUint64)
	return c, nil
}

// Add counts one read of key, hit or miss. It is safe for concurrent use; a key that is not sampled costs its hash
// and one load.
func (c *Curve[K]) Add(key K) {
	h := maphash.Comparable(c.seed, key)
	c.total[ownStripe()].n.Add(1)
	if h > c.threshold.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.threshold.Load()
	if h > limit || key != key { //nolint:gocritic // NaN is never read twice
		return
	}
	rate := (float64(limit) + 1) / (1 << 64)
	c.reads += 1 / rate
	if c.clock == len(c.marks)-1 {
		c.compact()
	}
	c.clock++
	k := c.keys[key]
	if k != nil {
		distance := float64(len(c.keys)-c.before(k.at)) / rate // keys read since, and the key itself
		c.hits[bucketOf(distance)] += 1 / rate
		c.mark(k.at, -1)
		k.at = c.clock
		c.mark(k.at, 1)
		return
	}
	k = &sampled[K]{key: key, hash: h, at: c.clock}
	c.keys[key] = k
	heap.Push(&c.largest, k)
	c.mark(k.at, 1)
	if len(c.keys) > c.samples {
		out := heap.Pop(&c.largest).(*sampled[K]) // the heap holds nothing else
		c.threshold.Store(out.hash - 1)
		c.mark(out.at, -1)
		delete(c.keys, out.key)
	}
}

// HitRatio returns the share of reads that an LRU cache with so many entries would have answered, 0 to 1; NaN before
// the first Add.
func (c *Curve[K]) HitRatio(capacity int) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0.0
	for i := range c.total {
		total += float64(c.total[i].n.Load())
	}
	if total == 0 {
		return math.NaN()
	}
	// A sample without its share of the few hottest keys stands for too few reads, one with more for too many. Those
	// are reads of short distance (SHARDS-adj).
	sum := total - c.reads
	for i := range c.hits {
		if i > bucketOf(float64(capacity)) {
			break
		}
		sum += c.hits[i]
	}
	return min(1, max(0, sum/total))
}

func bucketOf(distance float64) int {
	return min(curveBuckets-1, max(0, int(math.Log2(max(1, distance))*curveSteps)))
}

// mark changes the tree at a position.
func (c *Curve[K]) mark(at int, by int32) {
	for ; at < len(c.marks); at += at & -at {
		c.marks[at] += by
	}
}

// before counts the marks before a position.
func (c *Curve[K]) before(at int) (n int) {
	for at--; at > 0; at -= at & -at {
		n += int(c.marks[at])
	}
	return n
}

// compact renumbers the positions when they run out, which happens once per three times as many reads as samples.
func (c *Curve[K]) compact() {
	order := make([]*sampled[K], c.clock+1)
	for _, k := range c.keys {
		order[k.at] = k
	}
	clear(c.marks)
	c.clock = 0
	for _, k := range order {
		if k != nil {
			c.clock++
			k.at = c.clock
			c.mark(k.at, 1)
		}
	}
}

// sampledHeap has the largest hash on top.
type sampledHeap[K comparable] []*sampled[K]

func (s sampledHeap[K]) Len() int           { return len(s) }
func (s sampledHeap[K]) Less(i, j int) bool { return s[i].hash > s[j].hash }
func (s sampledHeap[K]) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push and Pop are for container/heap.
func (s *sampledHeap[K]) Push(x any) {
	*s = append(*s, x.(*sampled[K])) // Add pushes nothing else
}

func (s *sampledHeap[K]) Pop() any {
	old := *s
	x := old[len(old)-1]
	*s = old[:len(old)-1]
	return x
}
