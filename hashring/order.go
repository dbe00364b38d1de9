package hashring

import (
	"iter"
	"math/bits"
	"slices"
)

// seen is a set of nodes: a small array up to its size, a bitset beyond, allocated only then.
type seen struct {
	small [16]uint32
	n     int
	bits  []uint64
}

// add puts a node in and says whether it is new. nodes bounds the numbers.
func (s *seen) add(node uint32, nodes int) bool {
	if s.bits == nil {
		if slices.Contains(s.small[:s.n], node) {
			return false
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

// start begins with owner; the others are met from position pos of the ring on.
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

// first appends the first n nodes of the preference order of token to dst. n is at most nodes.
func (p *placement) first(dst []uint32, nodes, n int, token uint64) []uint32 {
	var list short
	if p.few(&list, n, token) {
		return append(dst, list[:n]...)
	}
	left := n
	p.walk(nodes, token, func(i uint32) bool {
		dst = append(dst, i)
		left--
		return left > 0
	})
	return dst
}

func (s *seen) has(node uint32) bool {
	if s.bits != nil {
		return s.bits[node/64]&(1<<(node%64)) != 0
	}
	return slices.Contains(s.small[:s.n], node)
}

// order yields the preference order of a token as numbers of nodes.
func (s *Snapshot[T]) order(token uint64) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if len(s.nodes) == 0 {
			return
		}
		s.walk(len(s.nodes), token, yield)
	}
}

// walk yields the preference order of a token on a ring with nodes.
func (p *placement) walk(nodes int, token uint64, yield func(uint32) bool) {
	pos, owner := p.locate(token)
	if p.zones != nil {
		var w zoneWalker
		w.start(p, nodes, token, owner)
		for {
			if i, ok := w.next(); !ok || !yield(i) {
				return
			}
		}
	}
	var w walker
	w.start(&p.ring, nodes, pos+1, owner)
	for {
		if i, ok := w.next(); !ok || !yield(i) {
			return
		}
	}
}

// short is the list of the first few nodes of a preference order.
type short [8]uint32

// few fills list with the first n nodes of the preference order of token, when that takes no more than a small
// array: n is at most 8, and with zones at most their number, of which there are at most 8. n is at most the
// number of nodes. It gives what the walkers give, in half the time, for the usual handful of replicas.
func (p *placement) few(list *short, n int, token uint64) bool {
	if n > len(list) || p.zones != nil && (n > len(p.zones) || len(p.zones) > len(list)) {
		return false
	}
	if p.zones != nil {
		p.oneOfEach(list, token)
		return true
	}
	pos, owner := p.locate(token)
	list[0] = owner
	for k := 1; k < n; k++ {
		pos = p.ring.next(pos, list[:k])
		list[k] = p.ring.owners[pos]
	}
	return true
}

// next returns the first position after pos whose owner is not in list. There must be one.
func (t *table) next(pos int, list []uint32) int {
	for {
		if pos++; pos >= len(t.owners) { // the sentinel was one more look at the first point, which does no harm
			pos = 0
		}
		if !slices.Contains(list, t.owners[pos]) {
			return pos
		}
	}
}

// oneOfEach fills list with the nearest node of every zone, by distance: without a bound the owner is the first of
// them by itself, so the table of the whole ring is not looked at. Which zone comes first is a toss of a coin, so
// there are no branches on it: each node counts those before it.
func (p *placement) oneOfEach(list *short, token uint64) {
	var node [len(list)]uint32
	var distance, second [len(list)]uint64 // equal points are met in the order of their owners
	var rank [len(list)]uint8
	zones := p.zones[:min(len(p.zones), len(list))]
	for z := range zones {
		t := &zones[z]
		at := t.stride(token)
		if at == t.len() {
			at = 0
		}
		node[z], distance[z] = t.owners[at], t.tokens[at]-token
		second[z] = uint64(node[z]) + 1
	}
	if p.bounded() {
		owner := p.own.owner(token)
		home := p.zoneOf[owner] & 7
		node[home], distance[home], second[home] = owner, 0, 0 // before all others
	}
	for z := range zones {
		for y := range z {
			// The borrow of a subtraction of 128 bits compares both parts at once.
			_, less := bits.Sub64(second[z], second[y], 0)
			_, less = bits.Sub64(distance[z], distance[y], less)
			rank[y] += uint8(less)
			rank[z] += uint8(1 - less)
		}
	}
	for z := range zones {
		list[rank[z]&7] = node[z]
	}
}
