package ratelimit

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// maxChain bounds how many earlier limits a state may have to be read through.
const maxChain = 1024

// params are the limits of a pool, immutable once published.
type params struct {
	axes  []axis
	chain int  // earlier generations that states are still read through
	free  bool // every limit is Unlimited
	odd   bool // one of the axes is
}

// pool is the storage behind Limiters: one bucket, or a table of them, and the limits they share.
type pool struct {
	start  time.Time // of the pool's time; only its monotonic part is used
	params atomic.Pointer[params]
	// words hold the states. SetLimits publishes params before any state on the new axes exists; a reader loads params,
	// then states, then checks that params are still the same, so that it never reads a state on the wrong axis.
	words []atomic.Uint64
	n     int    // state words per bucket: the number of limits
	table *table // nil for a single bucket
	queue queue
	aside atomic.Pointer[aside] // published by the first Pause or Override, read by every call
}

func newPool(limits []Limit) *pool {
	q := &pool{start: time.Now(), n: len(limits)}
	q.params.Store(q.newParams(limits, 0, nil))
	return q
}

func (q *pool) newParams(limits []Limit, e int64, floors []uint64) *params {
	p := &params{axes: make([]axis, len(limits)), free: true}
	for i, l := range limits {
		var floor uint64
		if floors != nil {
			floor = floors[i]
		}
		p.axes[i] = newAxis(l, e, floor, q.start.UnixNano())
		p.free = p.free && l.unlimited()
		p.odd = p.odd || p.axes[i].odd
	}
	return p
}

// elapsed is the only reading of the clock. A negative time, of a limiter made outside a synctest bubble and used
// inside, counts as zero.
func (q *pool) elapsed() int64 { return max(0, int64(time.Since(q.start))) }

func (q *pool) limits() []Limit {
	p := q.params.Load()
	limits := make([]Limit, len(p.axes))
	for i := range p.axes {
		limits[i] = p.axes[i].limit
	}
	return limits
}

// place is where a bucket's words are: states from st on, and for a table the fingerprint that must stand at fp.
type place struct{ st, fp int }

// find returns the bucket of h, or ok false if h has no place in the table, which means that it is full.
func (q *pool) find(h uint64) (at place, ok bool) {
	if q.table == nil {
		return place{st: 0, fp: -1}, true
	}
	return q.table.find(q.words, h)
}

// holds reports whether the bucket at at still is that of h. It is asked after a state was loaded, never before.
func (q *pool) holds(at place, h uint64) bool { return at.fp < 0 || q.words[at.fp].Load() == h }

// reading is what one look at a bucket saw: the limits, and per limit the clock and the used units.
type reading struct {
	p     *params
	e     int64
	at    place
	found bool
	v     [maxLimits]uint64
	s     [maxLimits]uint64
	used  [maxLimits]uint64
	wait  time.Duration // refused: until a place frees
}

// read fills r with the bucket of h at time e.
func (q *pool) read(h uint64, e int64, r *reading) {
	for {
		r.p, r.e = q.params.Load(), e
		r.at, r.found = q.find(h)
		if q.load(h, r) {
			return
		}
		runtime.Gosched()
	}
}

// load reads the states at r.at; it reports false if the bucket or the limits changed meanwhile.
func (q *pool) load(h uint64, r *reading) bool {
	for i := range r.p.axes {
		a := &r.p.axes[i]
		r.v[i], r.s[i] = a.at(r.e), 0
		if r.found {
			r.s[i] = q.words[r.at.st+i].Load()
			if i == 0 && r.s[i]&mark != 0 || !q.holds(r.at, h) {
				return false
			}
		}
		r.used[i] = a.used(r.s[i], r.v[i])
	}
	return q.params.Load() == r.p
}

// fits reports whether n tokens are there in every limit.
func (r *reading) fits(n uint64) bool {
	for i := range r.p.axes {
		a := &r.p.axes[i]
		if n > a.tokens || a.token != 0 && r.used[i]+a.cost(n) > a.burst {
			return false
		}
	}
	return true
}

// count adds n tokens to what r saw as used, as a charge would.
func (r *reading) count(n uint64) {
	for i := range r.p.axes {
		a := &r.p.axes[i]
		r.s[i] = a.charged(r.s[i], r.v[i], a.cost(n))
		r.used[i] = a.used(r.s[i], r.v[i])
	}
}

// verdict of a charge.
type verdict int8

const (
	granted verdict = iota
	denied
	refused // the table has no place for a new key
	uneven  // nothing was decided: only charge can
)

// charge takes n ≥ 1 tokens from every limit or from none. r is what it saw: after the charge, or before the denial.
func (q *pool) charge(h, n uint64, e int64, r *reading) verdict {
	for {
		q.read(h, e, r)
		if !r.fits(n) {
			return denied
		}
		if r.p.free {
			return granted
		}
		if !r.found {
			if v, done := q.insert(h, n, e, r); done {
				return v
			}
			continue
		}
		switch q.commit(h, n, r) {
		case committed:
			return granted
		case moved:
		case short:
			q.read(h, e, r)
			if !r.fits(n) {
				return denied
			}
		}
	}
}

type outcome int8

const (
	committed outcome = iota
	moved             // the bucket or the limits changed; nothing is charged
	short             // a race left too little in one of the limits; nothing is charged
)

// commit writes the charge that r has found to fit, first state word first. When a later word changes in a race and
// then lacks tokens, what was charged before it is given back.
func (q *pool) commit(h, n uint64, r *reading) outcome {
	for i := range r.p.axes {
		a := &r.p.axes[i]
		w := &q.words[r.at.st+i]
		for {
			to := a.charged(r.s[i], r.v[i], a.cost(n))
			if w.CompareAndSwap(r.s[i], to) {
				r.s[i], r.used[i] = to, a.used(to, r.v[i])
				break
			}
			if i == 0 {
				return moved
			}
			r.s[i] = w.Load()
			if !q.holds(r.at, h) || q.params.Load() != r.p {
				q.giveBack(h, n, i, r.e)
				return moved
			}
			r.used[i] = a.used(r.s[i], r.v[i])
			if a.token != 0 && r.used[i]+a.cost(n) > a.burst {
				q.giveBack(h, n, i, r.e)
				return short
			}
		}
	}
	return committed
}

// giveBack returns n tokens to the first k limits of h's bucket, never above full. A key without a place is full.
func (q *pool) giveBack(h, n uint64, k int, e int64) {
	var r reading
	for i := k - 1; i >= 0; i-- {
		for {
			q.read(h, e, &r)
			if !r.found {
				return
			}
			a := &r.p.axes[i]
			if r.used[i] == 0 || a.tick > 0 {
				break
			}
			if q.words[r.at.st+i].CompareAndSwap(r.s[i], a.returned(r.s[i], r.v[i], a.units(n))) {
				break
			}
		}
	}
}

// owe charges n tokens whether they are there or not, into debt at most one burst deep.
func (q *pool) owe(h, n uint64, e int64) {
	var r reading
	for i := 0; i < q.n; i++ {
		for {
			q.read(h, e, &r)
			if r.p.free {
				return
			}
			if !r.found {
				if !q.enter(h, n, e) {
					continue
				}
				return
			}
			a := &r.p.axes[i]
			to := a.owed(r.s[i], r.v[i], a.units(n))
			if to <= r.s[i] || q.words[r.at.st+i].CompareAndSwap(r.s[i], to) {
				break
			}
		}
	}
}

// enter gives h, which has no place, a bucket that owes n tokens. It reports false if h found a place meanwhile.
func (q *pool) enter(h, n uint64, e int64) bool {
	var r reading
	q.read(h, e, &r)
	if r.found {
		return false
	}
	_, done := q.insert(h, n, e, &r)
	return done
}

// refill makes h's bucket full.
func (q *pool) refill(h uint64, e int64) {
	var r reading
	for i := q.n - 1; i >= 0; i-- {
		for {
			q.read(h, e, &r)
			if !r.found {
				return
			}
			if r.used[i] == 0 || q.words[r.at.st+i].CompareAndSwap(r.s[i], r.p.axes[i].full()) {
				break
			}
		}
	}
}

// decision turns what a call saw into its answer.
func (r *reading) decision(n uint64, v verdict) Decision {
	switch v {
	case granted:
		return r.admitted()
	case refused:
		a := &r.p.axes[0]
		return Decision{Limit: int64(a.tokens), RetryAfter: r.wait, ResetAfter: r.wait, Policy: a.name}
	case denied, uneven:
	}
	d := Decision{RetryAfter: -1}
	for i := range r.p.axes {
		a := &r.p.axes[i]
		retry := Never
		if n <= a.tokens {
			if a.token == 0 || r.used[i]+a.cost(n) <= a.burst {
				continue
			}
			retry = a.wait(r.s[i], r.used[i], a.burst-a.cost(n), r.e)
		}
		if retry > d.RetryAfter {
			d = Decision{
				Limit: int64(a.tokens), Remaining: a.remaining(r.used[i]), RetryAfter: retry,
				ResetAfter: a.wait(r.s[i], r.used[i], 0, r.e), Policy: a.name,
			}
		}
	}
	return d
}

// admitted reports the limit with the fewest tokens left.
func (r *reading) admitted() Decision {
	best, left := -1, int64(0)
	for i := range r.p.axes {
		a := &r.p.axes[i]
		if a.token == 0 {
			continue
		}
		if rem := a.remaining(r.used[i]); best < 0 || rem < left {
			best, left = i, rem
		}
	}
	if best < 0 {
		a := &r.p.axes[0]
		return Decision{OK: true, Limit: int64(a.tokens), Remaining: int64(a.tokens), Policy: a.name}
	}
	a := &r.p.axes[best]
	return Decision{true, int64(a.tokens), left, 0, a.wait(r.s[best], r.used[best], 0, r.e), a.name}
}

func checkSame(limits []Limit, n int) error {
	if err := checkLimits(limits); err != nil {
		return err
	}
	if len(limits) != n {
		return fmt.Errorf("%w: %d limits, must be %d as before", ErrInvalid, len(limits), n)
	}
	return nil
}
