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
	chain[K, V]
	cache  *Cache[K, V]
	window queue
	main   queue // on probation
	safe   queue // protected
	sketch sketch
	tuner  tuner
	fair   int    // weight that the shard may have when the cache is full
	random uint64 // state of the generator for random admissions

	fetched uint64 // keeps the compiler from leaving out what fetch reads

	earned, wasted int // of late: entries admitted by a lead of one that were used again, that left unused
}

// maxSteps bounds how many entries one search for a victim looks at.
const maxSteps = 32

func (p *adaptive[K, V]) setFair(fair, expect int) {
	p.fair = fair
	p.expect = expect
	if p.tuner.share == 0 {
		p.tuner = newTuner()
	}
}

func (p *adaptive[K, V]) queueOf(e *entry[K, V]) *queue {
	switch e.ref.Load() & (refMain | refMark) {
	case refMain:
		return &p.main
	case refMain | refMark:
		return &p.safe
	}
	return &p.window
}

func (p *adaptive[K, V]) insert(e *entry[K, V], h uint64) {
	w := p.cache.weightOf(e)
	e.setBits(refMain|refMark, 0)
	if p.cache.bounded {
		p.observe(h >> 32)
	}
	p.pushBack(&p.window, p.take(e, uint32(h>>32), &p.window, &p.main, &p.safe))
	p.window.weight += w
}

// hash is what sketch and tuner know an entry by: the high half of the hash of its key.
func (p *adaptive[K, V]) hash(e *entry[K, V]) uint64 { return uint64(p.nodes[e.pos].hash) }

// fetch reads one word of each cache line that the insertion of h and the eviction for it are likely to need, all of them
// before any is used: so the processor waits for the slowest of them, not for one after the other.
func (p *adaptive[K, V]) fetch(h uint64, t *table[K, V]) {
	x := p.sketch.peek(h >> 32)
	for _, i := range [...]uint32{p.window.front, p.main.front} {
		if i == 0 {
			continue
		}
		n := &p.nodes[i]
		x += uint64(n.e.ref.Load()) + t.peek(uint64(n.hash)<<32) + p.sketch.peek(uint64(n.hash))
		if n.next != 0 {
			x += uint64(p.nodes[n.next].hash)
		}
	}
	p.fetched = x
}

// observe lets the sketch and the tuner know of a miss.
func (p *adaptive[K, V]) observe(h uint64) {
	n := p.window.n + p.main.n + p.safe.n
	if n >= p.sketch.room {
		p.sketch.resize(max(2*n, 64), p.expect)
		p.tuner.fit(max(n, min(2*n, p.expect), 32))
	}
	p.tuner.miss(h, p.sketch.add(h, 1), n)
	if p.tuner.entered%scanBatch == 0 {
		p.scan()
	}
	if p.tuner.due(n) {
		p.tuner.decide(n)
	}
}

// scanBatch entries are looked at by the cursor once per as many misses: neighbours share cache lines.
const scanBatch = 16

// scan moves the cursor over scanBatch nodes and takes the uses of the entries of main.
func (p *adaptive[K, V]) scan() {
	x, at := uint64(0), int(p.tuner.cursor)
	for range min(scanBatch, len(p.nodes)) { // as fetch
		if at++; at >= len(p.nodes) {
			at = 0
		}
		if n := &p.nodes[at]; n.e != nil {
			x += uint64(n.e.ref.Load()) + p.sketch.peek(uint64(n.hash))
		}
	}
	p.fetched = x
	for range min(scanBatch, len(p.nodes)) {
		if p.tuner.cursor++; int(p.tuner.cursor) >= len(p.nodes) {
			p.tuner.cursor = 0
			continue
		}
		e := p.nodes[p.tuner.cursor].e
		if e == nil || e.ref.Load()&refMain == 0 {
			continue
		}
		uses := e.takeCount()
		h := p.hash(e)
		p.tuner.saw(p.sketch.estimate(h), uses)
		if uses > 0 {
			p.sketch.add(h, uses)
			e.setBits(refUsed, refUsed)
		}
	}
}

// used takes the uses of an entry that a hand passes, and reports whether there were any, now or when the cursor came.
func (p *adaptive[K, V]) used(e *entry[K, V]) bool {
	n := e.takeCount()
	if n > 0 {
		h := p.hash(e)
		if e.ref.Load()&refMain != 0 {
			p.tuner.uses[p.sketch.estimate(h)] += int(n) // the cursor will not find them
		} else {
			p.tuner.window += int(n)
		}
		p.sketch.add(h, n)
	}
	ref := e.ref.Load()
	if n == 0 && ref&refUsed == 0 {
		return false
	}
	if ref&refNarrow != 0 {
		p.earned++
	}
	e.setBits(refUsed|refNarrow|refFresh, 0)
	return true
}

// settle moves what the window has too much to main while the cache is not full and nothing has to leave.
func (p *adaptive[K, V]) settle() {
	for p.window.weight > p.windowTarget() && p.window.n > 1 {
		p.promote(p.nodes[p.window.front].e)
	}
}

// shrinkStep entries leave a window that has become too large with each eviction, without having to prove themselves:
// a duel for each would throw away what the window rightly kept.
const shrinkStep = 4

// shrink follows a target that the tuner has lowered. The duel of victim alone cannot: each insertion brings one
// entry in and one out.
func (p *adaptive[K, V]) shrink() {
	target := p.windowTarget()
	for range shrinkStep {
		e := p.nodes[p.window.front].e
		if p.window.n <= 1 || p.window.weight-p.cache.weightOf(e) <= target {
			return
		}
		p.promote(e)
	}
}

func (p *adaptive[K, V]) windowTarget() int {
	return max(1, int(float64(p.fair)*p.tuner.share))
}

// promote moves the front of the window, e, to main.
func (p *adaptive[K, V]) promote(e *entry[K, V]) {
	w := p.cache.weightOf(e)
	p.window.weight -= w
	e.setBits(refMain|refMark|refFresh, refMain|refFresh)
	p.pushBack(&p.main, p.pop(&p.window))
	p.main.weight += w
}

// lost notes a victim of main that was not used since it came from the window: its queue was too short for it, too.
func (p *adaptive[K, V]) lost(v *entry[K, V]) {
	ref := v.ref.Load()
	if ref&refNarrow != 0 {
		p.wasted++
	}
	if ref&refFresh != 0 {
		p.tuner.refused(p.hash(v), p.window.n+p.main.n)
	}
}

func (p *adaptive[K, V]) replace(old, e *entry[K, V]) {
	e.pos = old.pos
	p.nodes[e.pos].e = e
	e.setBits(refMain|refMark, old.ref.Load()&(refMain|refMark))
}

func (p *adaptive[K, V]) use(e *entry[K, V]) { e.count(e.ref.Load(), p.cache.hot) }

func (p *adaptive[K, V]) remove(e *entry[K, V]) {
	q := p.queueOf(e)
	q.weight -= p.cache.weightOf(e)
	p.cut(q, e.pos)
}

func (p *adaptive[K, V]) reweigh(e *entry[K, V], delta int) { p.queueOf(e).weight += delta }

// victim brings the window down to its target, one candidate after the other, until one of the two sides loses an
// entry; without a candidate the hand of main decides.
func (p *adaptive[K, V]) victim(keep *entry[K, V]) *entry[K, V] {
	p.shrink()
	target := p.windowTarget()
	there := p.window.weight >= target-target/16 && p.window.weight <= target+target/16+1
	if !p.tuner.full || p.tuner.moving && there {
		p.tuner.arrived()
	}
	for steps := 0; p.window.n > 0 && (p.window.weight > p.windowTarget() || p.main.n+p.safe.n == 0); steps++ {
		e := p.nodes[p.window.front].e
		if e == keep {
			if p.window.n == 1 {
				break
			}
			p.rotate(&p.window)
			continue
		}
		h := p.hash(e)
		if p.used(e) && steps < maxSteps {
			p.rotate(&p.window)
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
		win, narrow := p.admit(h, v)
		if !win {
			p.tuner.refused(h, p.window.n)
			return e
		}
		p.promote(e)
		if narrow {
			e.setBits(refNarrow, refNarrow)
		}
		p.lost(v)
		return v
	}
	v := p.mainVictim(keep)
	if v != nil {
		p.lost(v)
	}
	return v
}

// admit compares a candidate with the victim. The candidate has just been used, the victim may be about to be: on a
// loop the one leads by exactly one count, always, and is the wrong choice. So a lead of one counts only as long as
// entries that were admitted by it are used again, one in eight of them; a few go on trying. A refused candidate that is
// not quite new gets in at random now and then: whoever knows the keys cannot keep everybody else out by making a
// victim look hot.
func (p *adaptive[K, V]) admit(h uint64, v *entry[K, V]) (win, narrow bool) {
	a, b := p.sketch.estimate(h), p.sketch.estimate(p.hash(v))
	switch {
	case a > b+1 || b == 0:
		return true, false
	case a > b:
		if p.earned+p.wasted >= narrowMemory {
			p.earned, p.wasted = p.earned/2, p.wasted/2
		}
		return p.earned*narrowWorth >= p.wasted || p.chance(narrowTrial), true
	case a < 6:
		return false, false
	}
	return p.chance(128), false
}

const (
	narrowWorth  = 4
	narrowTrial  = 32 // one in so many is admitted anyway, to notice when it pays again
	narrowMemory = 256
)

// chance is true once in n calls, at random.
func (p *adaptive[K, V]) chance(n uint64) bool {
	p.random = p.random*6364136223846793005 + 1442695040888963407
	return p.random>>32%n == 0
}

// shift moves e, the front of a queue, to another one.
func (p *adaptive[K, V]) shift(e *entry[K, V], from, to *queue, ref uint32) {
	w := p.cache.weightOf(e)
	from.weight -= w
	e.setBits(refMain|refMark, ref)
	p.pushBack(to, p.pop(from))
	to.weight += w
}

// mainVictim looks for an unused entry on probation. A used one moves to the protected queue, which in turn gives
// back its oldest unused entry when it is too long.
func (p *adaptive[K, V]) mainVictim(keep *entry[K, V]) *entry[K, V] {
	for i := 0; p.main.n > 0 || p.demote(); i++ {
		e := p.nodes[p.main.front].e
		if !p.used(e) && e != keep || i >= maxSteps && e != keep {
			return e
		}
		if p.main.n+p.safe.n == 1 {
			return nil // keep alone
		}
		p.shift(e, &p.main, &p.safe, refMain|refMark)
		for p.safe.weight > (p.safe.weight+p.main.weight)/5*4 {
			if !p.demote() {
				break
			}
		}
	}
	return nil
}

// demote moves the oldest unused protected entry back on probation; a few used ones get another turn.
func (p *adaptive[K, V]) demote() bool {
	if p.safe.n == 0 {
		return false
	}
	for i := 0; ; i++ {
		e := p.nodes[p.safe.front].e
		if p.used(e) && i < maxSteps {
			p.rotate(&p.safe)
			continue
		}
		p.shift(e, &p.safe, &p.main, refMain)
		return true
	}
}

func (p *adaptive[K, V]) order(f func(*entry[K, V]) bool) {
	// Window entries come first: they must prove themselves. Entries with uses come after those without.
	for _, used := range []bool{false, true} {
		for _, l := range []*queue{&p.window, &p.main, &p.safe} {
			if !p.each(l, func(e *entry[K, V]) bool {
				return (e.ref.Load()&refCounter != 0) != used || f(e)
			}) {
				return
			}
		}
	}
}
