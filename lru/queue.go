package lru

// link is one place in a queue of Adaptive. It carries the hash of its entry: what an eviction needs of the table and
// the sketch can be fetched before the entry itself has arrived from memory.
type link[K comparable, V any] struct {
	e    *entry[K, V] // nil: a hole, whose entry was taken out of the middle, or free
	next uint32       // towards the back; 0: none
	hash uint32       // the high half
}

// queue is an order in which entries come in at the back and leave at the front. So links need to lead one way only. An
// entry that is taken out of the middle leaves a hole, which is given back when it comes to the front. The front itself
// is never a hole.
type queue struct {
	front, back uint32
	n           int // entries
	holes       int
	weight      int
}

// chain holds the places of the queues of one shard. Index 0 is not used. Everything is under the lock of the shard.
type chain[K comparable, V any] struct {
	nodes  []link[K, V]
	free   uint32 // head of the free places, linked by next
	expect int    // places needed when the cache is full; growth stops there for a while
}

// take returns a place for e, which belongs to no queue yet. Of the queues the holes are given back first, if they are
// worth the search: a sixteenth of all places.
func (c *chain[K, V]) take(e *entry[K, V], hash uint32, queues ...*queue) uint32 {
	if c.free == 0 && len(c.nodes) == cap(c.nodes) {
		holes := 0
		for _, q := range queues {
			holes += q.holes
		}
		if holes > len(c.nodes)/16 {
			for _, q := range queues {
				c.squeeze(q)
			}
		} else {
			c.nodes = roomier(c.nodes, c.expect)
		}
	}
	i := c.free
	if i != 0 {
		c.free = c.nodes[i].next
	} else {
		i = uint32(len(c.nodes))
		c.nodes = c.nodes[:i+1]
	}
	c.nodes[i] = link[K, V]{e: e, hash: hash}
	e.pos = i
	return i
}

func (c *chain[K, V]) release(i uint32) {
	c.nodes[i] = link[K, V]{next: c.free}
	c.free = i
}

func (c *chain[K, V]) pushBack(q *queue, i uint32) {
	c.nodes[i].next = 0
	if q.back != 0 {
		c.nodes[q.back].next = i
	} else {
		q.front = i
	}
	q.back = i
	q.n++
}

func (c *chain[K, V]) pushFront(q *queue, i uint32) {
	c.nodes[i].next = q.front
	if q.front == 0 {
		q.back = i
	}
	q.front = i
	q.n++
}

// pop takes the front out of its queue, which is not empty, and returns its place.
func (c *chain[K, V]) pop(q *queue) uint32 {
	i := q.front
	q.front = c.nodes[i].next
	q.n--
	c.trim(q)
	return i
}

// rotate moves the front to the back.
func (c *chain[K, V]) rotate(q *queue) {
	c.pushBack(q, c.pop(q))
}

// cut takes the entry at i out of its queue, wherever it stands, and gives its place back now or later.
func (c *chain[K, V]) cut(q *queue, i uint32) {
	if i == q.front {
		c.release(c.pop(q))
		return
	}
	c.nodes[i].e = nil
	q.n--
	q.holes++
}

// trim gives back the holes at the front.
func (c *chain[K, V]) trim(q *queue) {
	for q.front != 0 && c.nodes[q.front].e == nil {
		i := q.front
		q.front = c.nodes[i].next
		q.holes--
		c.release(i)
	}
	if q.front == 0 {
		q.back = 0
	}
}

// squeeze gives back all holes.
func (c *chain[K, V]) squeeze(q *queue) {
	for i := q.front; i != 0 && q.holes > 0; {
		next := c.nodes[i].next
		if next == 0 || c.nodes[next].e != nil {
			i = next
			continue
		}
		c.nodes[i].next = c.nodes[next].next
		if q.back == next {
			q.back = i
		}
		q.holes--
		c.release(next)
	}
}

// each calls f from the front to the back until f returns false, and reports whether it never did.
func (c *chain[K, V]) each(q *queue, f func(*entry[K, V]) bool) bool {
	for i := q.front; i != 0; i = c.nodes[i].next {
		if e := c.nodes[i].e; e != nil && !f(e) {
			return false
		}
	}
	return true
}
