package ratelimit

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	ways       = 8   // slots per group
	enough     = 3   // slots in use from which on a key looks for the emptier group
	maxStripes = 256 // locks for insertions; a check takes none
)

// table finds the bucket of a hash. It stores no keys: a 64-bit fingerprint stands for one. Words hold slots of a
// fingerprint and its states, side by side, so that a hit is mostly one cache line; eight slots are a group. Two groups
// are candidates for a hash. A new key goes to the first while that has room to spare, then to the one with fewer slots
// in use, which keeps overflow negligible up to 70 % load. Within a group it goes to the slot that its hash names, or
// to the next free one, so that most look-ups end at the first or second slot.
type table struct {
	groups  uint64
	states  int // state words per slot
	stripes []stripe
	denyNew bool

	// The counters are written under a stripe and read by Stats.
	inserts, evicted, refused atomic.Uint64
}

// stripe serialises insertions of the keys that share it: the same key always meets the same mutex, so no key gets two
// slots. Padded, so that neighbours do not share a cache line.
type stripe struct {
	mu sync.Mutex
	_  [56]byte
}

func newTable(capacity, states int, denyNew bool) (*table, []atomic.Uint64) {
	slots := uint64(math.Ceil(float64(capacity) / 0.7))
	t := &table{groups: max(2, (slots+ways-1)/ways), states: states, denyNew: denyNew}
	t.stripes = make([]stripe, min(t.groups, maxStripes))
	return t, make([]atomic.Uint64, int(t.groups)*t.stride())
}

func (t *table) stride() int { return ways * (1 + t.states) }

// candidates returns the offsets of the two groups of h.
func (t *table) candidates(h uint64) (int, int) {
	g1, _ := bits.Mul64(h, t.groups)
	g2, _ := bits.Mul64(bits.RotateLeft64(h, 32)*0x9e3779b97f4a7c15, t.groups)
	return int(g1) * t.stride(), int(g2) * t.stride()
}

// place is the slot of the group at off that is i behind the one that h names.
func (t *table) place(off int, h uint64, i int) place {
	slot := off + (int(h)+i)&(ways-1)*(1+t.states)
	return place{fp: slot, st: slot + 1}
}

// find returns where the fingerprint of h stands.
func (t *table) find(words []atomic.Uint64, h uint64) (place, bool) {
	g1, _ := bits.Mul64(h, t.groups)
	if at, found := t.look(words, int(g1)*t.stride(), h); found {
		return at, true
	}
	_, off := t.candidates(h)
	return t.look(words, off, h)
}

// look goes through one group, from the slot that h names on.
func (t *table) look(words []atomic.Uint64, off int, h uint64) (place, bool) {
	size := 1 + t.states
	group := words[off : off+ways*size]
	for i := range uint64(ways) {
		if slot := int((h+i)&(ways-1)) * size; slot < len(group) && group[slot].Load() == h {
			return place{fp: off + slot, st: off + slot + 1}, true
		}
	}
	return place{}, false
}

// insert gives h a place that owes n tokens. It reports false when the caller must look again.
func (q *pool) insert(h, n uint64, e int64, r *reading) (verdict, bool) {
	t := q.table
	mu := &t.stripes[bits.RotateLeft64(h, 17)%uint64(len(t.stripes))].mu
	mu.Lock()
	defer mu.Unlock()
	if _, found := t.find(q.words, h); found {
		return 0, false
	}
	if q.params.Load() != r.p {
		return 0, false
	}
	for i := range r.p.axes { // the clock is only read again by the caller; what was read before the lock stays right
		r.v[i], r.s[i] = r.p.axes[i].at(e), 0
	}
	at, s, used := q.victim(h, r)
	if used > 0 && t.denyNew {
		t.refused.Add(1)
		r.wait = q.firstFree(h, r)
		return refused, true
	}
	first := &q.words[at.st]
	if s&mark != 0 || !first.CompareAndSwap(s, s|mark) {
		return 0, false
	}
	// Nobody can charge this slot now: every charge starts with the first word. If a charge of the others was under
	// way, the slot is in use after all.
	if used == 0 {
		for i := 1; i < q.n; i++ {
			if r.p.axes[i].used(q.words[at.st+i].Load(), r.v[i]) > 0 {
				first.Store(s)
				return 0, false
			}
		}
	} else {
		t.evicted.Add(1)
	}
	t.inserts.Add(1)
	q.words[at.fp].Store(h)
	for i := q.n - 1; i >= 0; i-- { // the first word last: storing it takes the mark away
		a := &r.p.axes[i]
		to := a.owed(0, r.v[i], a.units(n))
		q.words[at.st+i].Store(to)
		r.s[i], r.used[i] = to, a.used(to, r.v[i])
	}
	return granted, true
}

// victim returns the slot to be taken for h, its first state, and how much it is in use: 0 for one that is full, which
// carries no information and can be had without loss.
func (q *pool) victim(h uint64, r *reading) (at place, s uint64, used float64) {
	off1, off2 := q.table.candidates(h)
	var free [2]place
	var state, busy [2]uint64
	busy[0], busy[1] = ways, ways
	used = math.Inf(1)
	for g, off := range [2]int{off1, off2} {
		for i := range ways {
			p := q.table.place(off, h, i)
			first := q.words[p.st].Load()
			u := q.inUse(p, first, r)
			if u == 0 {
				if busy[g] == ways {
					free[g], state[g] = p, first // the one nearest to the slot that h names
				}
				busy[g]--
			}
			if u < used {
				at, s, used = p, first, u
			}
		}
	}
	if used > 0 {
		if math.IsInf(used, 1) { // all are changing hands at this moment
			return at, mark, used
		}
		return at, s, used
	}
	if busy[0] < enough || busy[0] <= busy[1] {
		return free[0], state[0], 0
	}
	return free[1], state[1], 0
}

// inUse returns the tokens used in the slot, of the limit in which most are used.
func (q *pool) inUse(at place, first uint64, r *reading) float64 {
	if first == 0 {
		return 0
	}
	if first&mark != 0 {
		return math.Inf(1)
	}
	most := 0.0
	for i := range r.p.axes {
		a := &r.p.axes[i]
		s := first
		if i > 0 {
			s = q.words[at.st+i].Load()
		}
		if u := a.used(s, r.v[i]); u > 0 {
			most = max(most, float64(u)*a.inverse)
		}
	}
	return most
}

// firstFree returns the time until one of the places of h is full.
func (q *pool) firstFree(h uint64, r *reading) time.Duration {
	first := Never
	off1, off2 := q.table.candidates(h)
	for _, off := range [2]int{off1, off2} {
		for i := range ways {
			p := q.table.place(off, h, i)
			wait := time.Duration(0)
			for k := range r.p.axes {
				a := &r.p.axes[k]
				s := q.words[p.st+k].Load() &^ mark
				wait = max(wait, a.wait(s, a.used(s, r.v[k]), 0, r.e))
			}
			first = min(first, wait)
		}
	}
	return max(first, 1)
}

// occupied counts the slots that are not full at e.
func (q *pool) occupied(e int64) int {
	var r reading
	r.p, r.e = q.params.Load(), e
	for i := range r.p.axes {
		r.v[i] = r.p.axes[i].at(e)
	}
	n := 0
	for g := range int(q.table.groups) {
		for i := range ways {
			at := q.table.place(g*q.table.stride(), 0, i)
			if q.inUse(at, q.words[at.st].Load(), &r) > 0 {
				n++
			}
		}
	}
	return n
}
