package simulate

// s3fifo is the policy as published (Yang and others, SOSP 2023): a small queue of a tenth of the capacity, a main
// queue with two-bit counters and a ghost queue as long as the main one.
type s3fifo struct {
	capacity, small int
	entries         map[uint64]*s3entry
	s, m            []*s3entry
	ghost           map[uint64]int
	ghosts          []uint64
	turn            int
}

type s3entry struct {
	key  uint64
	freq int
	main bool
}

func newS3FIFO(capacity int, weight func(uint64) int) Cache {
	if weight != nil {
		return nil
	}
	return &s3fifo{
		capacity: capacity, small: max(1, capacity/10),
		entries: map[uint64]*s3entry{}, ghost: map[uint64]int{},
	}
}

func (c *s3fifo) Close() {}

func (c *s3fifo) Access(k uint64) bool {
	if e := c.entries[k]; e != nil {
		e.freq = min(3, e.freq+1)
		return true
	}
	for len(c.entries) >= c.capacity {
		c.evict()
	}
	e := &s3entry{key: k}
	c.entries[k] = e
	if _, ok := c.ghost[k]; ok {
		delete(c.ghost, k)
		e.main = true
		c.m = append(c.m, e)
	} else {
		c.s = append(c.s, e)
	}
	return false
}

func (c *s3fifo) evict() {
	if len(c.s) > c.small || len(c.m) == 0 {
		e := c.s[0]
		c.s = c.s[1:]
		if e.freq > 0 {
			e.freq = 0
			c.m = append(c.m, e)
			return
		}
		delete(c.entries, e.key)
		c.remember(e.key)
		return
	}
	for {
		e := c.m[0]
		c.m = c.m[1:]
		if e.freq == 0 {
			delete(c.entries, e.key)
			return
		}
		e.freq--
		c.m = append(c.m, e)
	}
}

func (c *s3fifo) remember(k uint64) {
	c.turn++
	c.ghost[k] = c.turn
	c.ghosts = append(c.ghosts, k)
	for len(c.ghosts) > c.capacity-c.small {
		old := c.ghosts[0]
		c.ghosts = c.ghosts[1:]
		if c.ghost[old] <= c.turn-(c.capacity-c.small) {
			delete(c.ghost, old)
		}
	}
}
