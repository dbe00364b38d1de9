package lru

// node is one place in the order of a policy. Links are indices: half the size of pointers and nothing for the
// garbage collector to follow.
type node[K comparable, V any] struct {
	e          *entry[K, V]
	prev, next uint32 // 0: none
}

// slab holds the nodes of the lists of one shard. Index 0 is not used. Everything is under the lock of the shard.
type slab[K comparable, V any] struct {
	nodes  []node[K, V]
	free   uint32 // head of the free nodes, linked by next
	expect int    // nodes needed when the cache is full; growth stops there for a while
}

// list is a doubly linked list in a slab: front is the coldest, back the hottest.
type list struct {
	front, back uint32
	n           int
}

func (s *slab[K, V]) alloc(e *entry[K, V]) uint32 {
	i := s.free
	if i != 0 {
		s.free = s.nodes[i].next
		s.nodes[i] = node[K, V]{e: e}
	} else {
		if len(s.nodes) == cap(s.nodes) {
			s.nodes = roomier(s.nodes, s.expect)
		}
		i = uint32(len(s.nodes))
		s.nodes = append(s.nodes, node[K, V]{e: e})
	}
	e.pos = i
	return i
}

// roomier copies nodes to where half as many more have room, or expect of them and the unused first if that is less.
func roomier[N any](nodes []N, expect int) []N {
	n := len(nodes)
	size := max(4, n+n/2)
	if n <= expect {
		size = min(size, expect+1)
	}
	next := make([]N, max(n, 1), max(size, n+2))
	copy(next, nodes)
	return next
}

func (s *slab[K, V]) release(i uint32) {
	s.nodes[i] = node[K, V]{next: s.free}
	s.free = i
}

func (s *slab[K, V]) pushBack(l *list, i uint32) {
	n := &s.nodes[i]
	n.prev, n.next = l.back, 0
	if l.back != 0 {
		s.nodes[l.back].next = i
	} else {
		l.front = i
	}
	l.back = i
	l.n++
}

func (s *slab[K, V]) unlink(l *list, i uint32) {
	n := &s.nodes[i]
	if n.prev != 0 {
		s.nodes[n.prev].next = n.next
	} else {
		l.front = n.next
	}
	if n.next != 0 {
		s.nodes[n.next].prev = n.prev
	} else {
		l.back = n.prev
	}
	n.prev, n.next = 0, 0
	l.n--
}

func (s *slab[K, V]) moveToBack(l *list, i uint32) {
	if l.back != i {
		s.unlink(l, i)
		s.pushBack(l, i)
	}
}

// each calls f from the front to the back until f returns false, and reports whether it never did.
func (s *slab[K, V]) each(l *list, f func(*entry[K, V]) bool) bool {
	for i := l.front; i != 0; i = s.nodes[i].next {
		if !f(s.nodes[i].e) {
			return false
		}
	}
	return true
}
