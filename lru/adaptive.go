package lru

// adaptive is the default policy of one shard: a window for what is new and a main list for what has proved itself.
//
//	insert → window ──(front)──► candidate ─┬─ admitted ──► main ──(hand)──► victim
//	           ▲  used again: once more │   └─ refused: evicted
//	           └────────────────────────┘
//
// Both are queues whose front gets a second chance when it was used (clock); no hit moves anything. A candidate
// replaces the victim of main if the sketch has counted it more often. How much of the shard the window may take is
// decided by the tuner from what the hands see.
type adaptive[K comparable, V any] struct {
	slab[K, V]
	cache  *Cache[K, V]
	window queue
	main   queue
	sketch sketch
	tuner  tuner
	fair   int    // weight that the shard may have when the cache is full
	random uint64 // state of the generator for random admissions
}

// queue is a list and the weight of its entries.
type queue struct {
	list
	weight int
}

// maxSteps bounds how many entries one search for a victim looks at.
const maxSteps = 32

func (p *adaptive[K, V]) setFair(fair, expect int) {
	p.fair = fair
	p.expect = expect
	p.tuner.setSize(expect)
}

func (p *adaptive[K, V]) queueOf(e *entry[K, V]) *queue {
	if e.ref.Load()&refMain != 0 {
		return &p.main
	}
	return &p.window
}

func (p *adaptive[K, V]) insert(e *entry[K, V], h uint64) {
	w := p.cache.weightOf(e)
	e.setBits(refMain|refMark, 0)
	if p.cache.bounded {
		if n := p.window.n + p.main.n; len(p.sketch.words) == 0 || n >= p.sketch.period/agingFactor && n <= p.expect {
			p.sketch.resize(min(max(2*n, 64), max(p.expect, 16)))
		}
		p.sketch.add(h, 1)
		p.tuner.miss(h)
	}
	p.pushBack(&p.window.list, p.alloc(e))
	p.window.weight += w
	p.tuner.entered++
}

// settle moves what the window has too much to main while the cache is not full and nothing has to leave.
func (p *adaptive[K, V]) settle() {
	for p.window.weight > p.windowTarget() && p.window.n > 1 {
		p.promote(p.nodes[p.window.front].e)
	}
}

func (p *adaptive[K, V]) windowTarget() int {
	return max(1, int(float64(p.fair)*p.tuner.share))
}

func (p *adaptive[K, V]) promote(e *entry[K, V]) {
	w := p.cache.weightOf(e)
	p.unlink(&p.window.list, e.pos)
	p.window.weight -= w
	e.setBits(refMain|refMark, refMain)
	p.pushBack(&p.main.list, e.pos)
	p.main.weight += w
}

func (p *adaptive[K, V]) replace(old, e *entry[K, V]) {
	e.pos = old.pos
	p.nodes[e.pos].e = e
	e.setBits(refMain|refMark, old.ref.Load()&(refMain|refMark))
}

func (p *adaptive[K, V]) use(e *entry[K, V]) { e.count(e.ref.Load(), refCounter) }

func (p *adaptive[K, V]) remove(e *entry[K, V]) {
	q := p.queueOf(e)
	p.unlink(&q.list, e.pos)
	q.weight -= p.cache.weightOf(e)
	p.release(e.pos)
}

func (p *adaptive[K, V]) reweigh(e *entry[K, V], delta int) { p.queueOf(e).weight += delta }

// victim brings the window down to its target, one candidate after the other, until one of the two sides loses an
// entry; without a candidate the hand of main decides.
func (p *adaptive[K, V]) victim(keep *entry[K, V]) *entry[K, V] {
	for steps := 0; p.window.n > 0 && (p.window.weight > p.windowTarget() || p.main.n == 0); steps++ {
		e := p.nodes[p.window.front].e
		if e == keep {
			if p.window.n == 1 {
				break
			}
			p.moveToBack(&p.window.list, e.pos)
			continue
		}
		h := p.cache.hash(e.key)
		if n := e.takeCount(); n > 0 && steps < maxSteps {
			p.sketch.add(h, n)
			p.tuner.windowHit(n)
			p.moveToBack(&p.window.list, e.pos)
			continue
		}
		v := p.mainVictim(keep)
		if v == nil {
			if p.window.n == 1 || p.fair <= 1 {
				return e
			}
			p.promote(e)
			continue
		}
		if !p.admit(h, v) {
			p.tuner.refused(h)
			return e
		}
		p.promote(e)
		p.tuner.displaced(p.cache.hash(v.key))
		return v
	}
	v := p.mainVictim(keep)
	if v != nil {
		p.tuner.displaced(p.cache.hash(v.key))
	}
	return v
}

// admit compares a candidate with the victim. A refused candidate that is not quite new gets in at random now and
// then: whoever knows the keys cannot keep everybody else out by making a victim look hot.
func (p *adaptive[K, V]) admit(h uint64, v *entry[K, V]) bool {
	a, b := p.sketch.estimate(h), p.sketch.estimate(p.cache.hash(v.key))
	if a > b {
		return true
	}
	if a < 6 {
		return false
	}
	p.random = p.random*6364136223846793005 + 1442695040888963407
	return p.random>>57 == 0 // 1 in 128
}

// mainVictim moves the hand over main: a used entry goes to the back and its uses into the sketch. After maxSteps
// the least used entry that it has seen must do.
func (p *adaptive[K, V]) mainVictim(keep *entry[K, V]) *entry[K, V] {
	var least *entry[K, V]
	low := uint32(refCounter + 1)
	for range min(maxSteps, p.main.n) {
		e := p.nodes[p.main.front].e
		n := e.takeCount()
		if e != keep {
			if n == 0 {
				return e
			}
			if n < low {
				least, low = e, n
			}
		}
		if n > 0 {
			p.sketch.add(p.cache.hash(e.key), n)
			p.tuner.mainHit(n)
		}
		p.moveToBack(&p.main.list, e.pos)
	}
	return least
}

func (p *adaptive[K, V]) order(f func(*entry[K, V]) bool) {
	// Window entries come first: they must prove themselves. Entries with uses come after those without.
	for _, used := range []bool{false, true} {
		for _, l := range []*list{&p.window.list, &p.main.list} {
			if !p.each(l, func(e *entry[K, V]) bool {
				return (e.ref.Load()&refCounter != 0) != used || f(e)
			}) {
				return
			}
		}
	}
}
