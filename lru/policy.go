package lru

// policy keeps the entries of one shard in order. All calls are under the lock of the shard.
type policy[K comparable, V any] interface {
	// insert adds an entry that is not yet in the order; h is the hash of its key.
	insert(e *entry[K, V], h uint64)
	// insertCold is insert for an entry that comes from elsewhere, behind those that are here, with what warmth said of it.
	insertCold(e *entry[K, V], h, warmth uint64)
	// warmth says how popular e is, 1 or more.
	warmth(e *entry[K, V]) uint64
	// replace gives the place of old to e, which has the same key.
	replace(old, e *entry[K, V])
	// use counts a read or write of e.
	use(e *entry[K, V])
	// remove takes e out.
	remove(e *entry[K, V])
	// reweigh tells that the weight of e changed by delta.
	reweigh(e *entry[K, V], delta int)
	// victim chooses the next entry to evict, other than keep, and leaves it in the order; nil: there is none.
	victim(keep *entry[K, V]) *entry[K, V]
	// order calls f for the entries, next victims first, until f returns false.
	order(f func(*entry[K, V]) bool)
}

// recency is LRU, FIFO and SIEVE: one list in order of use or of insertion.
type recency[K comparable, V any] struct {
	slab[K, V]
	list   list
	policy Policy
	hand   uint32 // SIEVE: where the search for a victim goes on; 0: at the front
}

func (p *recency[K, V]) insert(e *entry[K, V], _ uint64) { p.pushBack(&p.list, p.alloc(e)) }

func (p *recency[K, V]) replace(old, e *entry[K, V]) {
	e.pos = old.pos
	p.nodes[e.pos].e = e
}

func (p *recency[K, V]) use(e *entry[K, V]) {
	switch p.policy {
	case LRU:
		p.moveToBack(&p.list, e.pos)
	case SIEVE:
		e.setBits(refCounter, 1)
	case Adaptive, LFU, FIFO: // FIFO does not care for uses; the others are not kept in this type
	}
}

func (p *recency[K, V]) remove(e *entry[K, V]) {
	if p.hand == e.pos {
		p.hand = p.nodes[e.pos].next
	}
	p.unlink(&p.list, e.pos)
	p.release(e.pos)
}

func (p *recency[K, V]) reweigh(*entry[K, V], int) {}

func (p *recency[K, V]) victim(keep *entry[K, V]) *entry[K, V] {
	if p.policy == SIEVE {
		return p.sieve(keep)
	}
	i := p.list.front
	if i != 0 && p.nodes[i].e == keep {
		i = p.nodes[i].next
	}
	return p.at(i)
}

// at returns the entry at i, nil for 0.
func (p *recency[K, V]) at(i uint32) *entry[K, V] {
	if i == 0 {
		return nil
	}
	return p.nodes[i].e
}

// sieve moves the hand from old to new over the visited entries, whose mark it clears, and stops at the first entry
// without a mark. Two rounds are enough unless readers mark faster than the hand moves; then it takes what it finds.
func (p *recency[K, V]) sieve(keep *entry[K, V]) *entry[K, V] {
	if p.list.n == 0 || p.list.n == 1 && p.nodes[p.list.front].e == keep {
		return nil
	}
	for steps := 0; ; steps++ {
		if p.hand == 0 {
			p.hand = p.list.front
		}
		e := p.nodes[p.hand].e
		if e != keep && (e.takeCount() == 0 || steps > 2*p.list.n) {
			return e // remove moves the hand on
		}
		p.hand = p.nodes[p.hand].next
	}
}

func (p *recency[K, V]) order(f func(*entry[K, V]) bool) {
	if p.policy != SIEVE {
		p.each(&p.list, f)
		return
	}
	// The hand takes the unmarked entries on its first round and the others, all unmarked by then, on the second.
	for _, marked := range []bool{false, true} {
		i := p.hand
		for range p.list.n {
			if i == 0 {
				i = p.list.front
			}
			e := p.nodes[i].e
			if (e.ref.Load()&refCounter != 0) == marked && !f(e) {
				return
			}
			i = p.nodes[i].next
		}
	}
}
