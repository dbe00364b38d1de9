package lru

import "slices"

// frequency is LFU: one list per use count, in order of last use, and the counts in ascending order.
//
// A use moves an entry to the next count, so every call is O(1). Each 10 × capacity uses all counts are halved.
type frequency[K comparable, V any] struct {
	slab[K, V]
	groups []group  // indexed by handle; index 0 is not used
	free   []uint32 // handles of groups to use again
	first  uint32   // the group with the lowest count
	meta   []use    // of each node: its group and the time of its last use
	clock  uint64   // uses so far
	period uint64   // uses between two halvings
	since  uint64   // uses since the last halving
}

type group struct {
	list
	count      uint64
	prev, next uint32
}

type use struct {
	group uint32
	at    uint64
}

// agingFactor × capacity uses pass between two halvings: as in TinyLFU (Einziger, Friedman and Manes 2017), long
// enough to rank the entries of a full cache and short enough to forget.
const agingFactor = 10

func newFrequency[K comparable, V any](capacity int) *frequency[K, V] {
	p := &frequency[K, V]{groups: make([]group, 1)}
	p.setCapacity(capacity)
	return p
}

func (p *frequency[K, V]) setCapacity(capacity int) {
	p.period = uint64(min(capacity, Unbounded/agingFactor)) * agingFactor
}

func (p *frequency[K, V]) insert(e *entry[K, V], _ uint64) {
	i := p.alloc(e)
	for len(p.meta) < cap(p.nodes) {
		p.meta = append(p.meta, use{})
	}
	p.place(i, p.groupAfter(0, 1))
	p.counted()
}

// place puts node i at the recent end of group g.
func (p *frequency[K, V]) place(i, g uint32) {
	p.clock++
	p.meta[i] = use{group: g, at: p.clock}
	p.pushBack(&p.groups[g].list, i)
}

// groupAfter returns the group with this count, which belongs directly after group g (0: at the beginning).
func (p *frequency[K, V]) groupAfter(g uint32, count uint64) uint32 {
	next := p.first
	if g != 0 {
		next = p.groups[g].next
	}
	for next != 0 && p.groups[next].count < count { // after a halving a group of count 0 may come first
		g, next = next, p.groups[next].next
	}
	if next != 0 && p.groups[next].count == count {
		return next
	}
	var n uint32
	if k := len(p.free); k > 0 {
		n, p.free = p.free[k-1], p.free[:k-1]
	} else {
		n = uint32(len(p.groups))
		p.groups = append(p.groups, group{})
	}
	p.groups[n] = group{count: count, prev: g, next: next}
	if g != 0 {
		p.groups[g].next = n
	} else {
		p.first = n
	}
	if next != 0 {
		p.groups[next].prev = n
	}
	return n
}

// leave takes node i out of its group and drops the group when it is empty.
func (p *frequency[K, V]) leave(i uint32) {
	g := p.meta[i].group
	p.unlink(&p.groups[g].list, i)
	if p.groups[g].n > 0 {
		return
	}
	prev, next := p.groups[g].prev, p.groups[g].next
	if prev != 0 {
		p.groups[prev].next = next
	} else {
		p.first = next
	}
	if next != 0 {
		p.groups[next].prev = prev
	}
	p.free = append(p.free, g)
}

func (p *frequency[K, V]) replace(old, e *entry[K, V]) {
	e.pos = old.pos
	p.nodes[e.pos].e = e
}

func (p *frequency[K, V]) use(e *entry[K, V]) {
	g := p.meta[e.pos].group
	next := p.groupAfter(g, p.groups[g].count+1)
	p.leave(e.pos)
	p.place(e.pos, next)
	p.counted()
}

func (p *frequency[K, V]) remove(e *entry[K, V]) {
	p.leave(e.pos)
	p.release(e.pos)
}

func (p *frequency[K, V]) reweigh(*entry[K, V], int) {}

// counted halves all counts when a period is over. Groups that meet in one count are merged by time of use.
func (p *frequency[K, V]) counted() {
	if p.since++; p.since < p.period {
		return
	}
	p.since = 0
	old, order := p.groups, []uint32(nil)
	for g := p.first; g != 0; g = old[g].next {
		order = append(order, g)
	}
	p.groups, p.free, p.first = make([]group, 1, len(order)+1), nil, 0
	for k, last := 0, uint32(0); k < len(order); {
		count := old[order[k]].count / 2
		var members []uint32
		for ; k < len(order) && old[order[k]].count/2 == count; k++ {
			for i := old[order[k]].front; i != 0; i = p.nodes[i].next {
				members = append(members, i)
			}
		}
		slices.SortFunc(members, func(a, b uint32) int {
			if p.meta[a].at < p.meta[b].at {
				return -1
			}
			return 1
		})
		last = p.groupAfter(last, count)
		for _, i := range members {
			p.meta[i].group = last
			p.pushBack(&p.groups[last].list, i)
		}
	}
}

func (p *frequency[K, V]) victim(keep *entry[K, V]) *entry[K, V] {
	for g := p.first; g != 0; g = p.groups[g].next {
		for i := p.groups[g].front; i != 0; i = p.nodes[i].next {
			if e := p.nodes[i].e; e != keep {
				return e
			}
		}
	}
	return nil
}

func (p *frequency[K, V]) order(f func(*entry[K, V]) bool) {
	for g := p.first; g != 0; g = p.groups[g].next {
		if !p.each(&p.groups[g].list, f) {
			return
		}
	}
}
