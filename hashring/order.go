package hashring

import "iter"

// seen is a set of nodes: a small array up to its size, a bitset beyond, allocated only then.
type seen struct {
	small [16]uint32
	n     int
	bits  []uint64
}

// add puts a node in and says whether it is new. nodes bounds the numbers.
func (s *seen) add(node uint32, nodes int) bool {
	if s.bits == nil {
		for _, x := range s.small[:s.n] {
			if x == node {
				return false
			}
		}
		if s.n < len(s.small) {
			s.small[s.n] = node
			s.n++
			return true
		}
		s.bits = make([]uint64, (nodes+63)/64)
		for _, x := range s.small {
			s.bits[x/64] |= 1 << (x % 64)
		}
	}
	word, bit := &s.bits[node/64], uint64(1)<<(node%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s.n++
	return true
}

// walker lists the nodes in the preference order of a token when there are no zones: the owner, then the nodes
// in the order in which the ring meets them. It lives on the stack of its caller.
type walker struct {
	ring  *table
	nodes int
	pos   int
	first uint32 // the owner, which a bound may have moved to the front
	began bool
	seen  seen
}

// start begins at a position of the ring; owner comes first.
func (w *walker) start(ring *table, nodes, pos int, owner uint32) {
	w.ring, w.nodes, w.pos, w.first = ring, nodes, pos, owner
}

// next returns the next node; false after all of them.
func (w *walker) next() (uint32, bool) {
	if !w.began {
		w.began = true
		w.seen.add(w.first, w.nodes)
		return w.first, true
	}
	if w.seen.n == w.nodes {
		return 0, false
	}
	for {
		if w.pos >= w.ring.len() {
			w.pos = 0
		}
		o := w.ring.owners[w.pos]
		w.pos++
		if w.seen.add(o, w.nodes) {
			return o, true
		}
	}
}

// first appends the first n nodes of the preference order of token to dst. own and pos are positions of token
// in p.own and p.ring.
func (p *placement) first(dst []uint32, nodes, n int, token uint64, own, pos int) []uint32 {
	if p.zones != nil {
		var w zoneWalker
		w.start(p, nodes, token, p.own.owners[own])
		for range n {
			o, ok := w.next()
			if !ok {
				break
			}
			dst = append(dst, o)
		}
		return dst
	}
	var w walker
	w.start(&p.ring, nodes, pos, p.own.owners[own])
	for range n {
		o, ok := w.next()
		if !ok {
			break
		}
		dst = append(dst, o)
	}
	return dst
}

func (s *seen) has(node uint32) bool {
	if s.bits != nil {
		return s.bits[node/64]&(1<<(node%64)) != 0
	}
	for _, x := range s.small[:s.n] {
		if x == node {
			return true
		}
	}
	return false
}

// order yields the preference order of a token as numbers of nodes.
func (s *Snapshot[T]) order(token uint64) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if len(s.nodes) == 0 {
			return
		}
		s.placement.walk(len(s.nodes), token, yield)
	}
}

// walk yields the preference order of a token on a ring with nodes.
func (p *placement) walk(nodes int, token uint64, yield func(uint32) bool) {
	owner := p.own.owner(token)
	if p.zones != nil {
		var w zoneWalker
		w.start(p, nodes, token, owner)
		for i, ok := w.next(); ok && yield(i); i, ok = w.next() {
		}
		return
	}
	var w walker
	w.start(&p.ring, nodes, p.ring.find(token), owner)
	for i, ok := w.next(); ok && yield(i); i, ok = w.next() {
	}
}
