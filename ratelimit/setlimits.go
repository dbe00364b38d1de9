package ratelimit

import "runtime"

// setLimits replaces the limits. For a table it publishes new axes that start above every state of the old ones, in
// constant time: a state tells by its size on which axis it was written, and is read through the old axis from then on.
// A single bucket, and a table whose number line is used up, are converted on the spot.
func (q *pool) setLimits(limits []Limit) error {
	if err := checkSame(limits, q.n); err != nil {
		return err
	}
	u := &q.queue
	u.mu.Lock()
	defer u.mu.Unlock()
	old := q.params.Load()
	e := q.elapsed()
	next, fits := q.successor(old, limits, e)
	switch {
	case q.table == nil:
		q.replaceSingle(old, next, e)
	case fits:
		q.params.Store(next)
		q.translateTickets(next)
	default:
		next = q.newParams(limits, e, nil)
		q.convertTable(old, next, e, true)
	}
	return nil
}

// clearAll makes every bucket full, in constant time: no state of before means anything on the new axes.
func (q *pool) clearAll() {
	u := &q.queue
	u.mu.Lock()
	defer u.mu.Unlock()
	old := q.params.Load()
	e := q.elapsed()
	next, fits := q.successor(old, q.limits(), e)
	if !fits {
		next = q.newParams(q.limits(), e, nil)
		q.convertTable(old, next, e, false)
		return
	}
	next.chain = 0
	for i := range next.axes {
		next.axes[i].prev = nil
	}
	q.params.Store(next)
	q.translateTickets(next)
}

// successor builds the axes that follow old at time e. fits is false when the number line is used up or states would
// have to be read through too many earlier axes.
func (q *pool) successor(old *params, limits []Limit, e int64) (next *params, fits bool) {
	var floors [maxLimits]uint64
	settled := true
	for i := range old.axes {
		a := &old.axes[i]
		floors[i] = max(a.top(e), q.queue.far[i])
		settled = settled && a.settled(e)
		if floors[i] >= renumberAt {
			if q.table == nil {
				floors[i] = 0
				continue
			}
			return nil, false
		}
	}
	next = q.newParams(limits, e, floors[:q.n])
	next.chain = 1
	if !settled {
		next.chain += old.chain
	}
	if q.table == nil {
		return next, true
	}
	for i := range old.axes {
		before := &earlier{axis: old.axes[i], at: e}
		if settled {
			before.axis.prev = nil
		}
		next.axes[i].prev = before
		if next.axes[i].top(e) >= renumberAt+maxUnits {
			return nil, false
		}
	}
	return next, next.chain <= maxChain
}

// translateTickets brings the waiters of a table to new axes. They keep their moments, and look again on waking.
func (q *pool) translateTickets(next *params) {
	q.queue.far = [maxLimits]uint64{}
	for t := q.queue.first; t != nil; t = t.next {
		for i := range next.axes {
			t.end[i] = next.axes[i].translate(t.end[i], false)
			q.queue.far[i] = max(q.queue.far[i], t.end[i])
		}
	}
}

// carry returns the state on next that owes what was used on old, at most the burst.
func carry(old, next *axis, used uint64) uint64 {
	if used == 0 || old.token == 0 || next.token == 0 {
		return next.full()
	}
	return next.owing(min(scale(used, next.token, old.token), next.burst))
}

// freeze marks a bucket's first word. Whoever meets the mark looks again until it is gone.
func (q *pool) freeze(st int) {
	for {
		s := q.words[st].Load()
		if s&mark == 0 && q.words[st].CompareAndSwap(s, s|mark) {
			return
		}
		runtime.Gosched()
	}
}

// thaw stores the states of a frozen bucket on the new axes; the first word last, which takes the mark away.
func (q *pool) thaw(st int, convert func(i int, s uint64) uint64) {
	for i := q.n - 1; i >= 0; i-- {
		w := &q.words[st+i]
		for {
			s := w.Load()
			if w.CompareAndSwap(s, convert(i, s&^mark)) {
				break
			}
		}
	}
}

// convertTable rewrites every state while all buckets are marked: a call meets the old limits before, the new ones after.
func (q *pool) convertTable(old, next *params, e int64, keep bool) {
	t := q.table
	for i := range t.stripes {
		t.stripes[i].mu.Lock()
		defer t.stripes[i].mu.Unlock()
	}
	each := func(do func(st int)) {
		for g := range int(t.groups) {
			for i := range ways {
				if at := t.place(g*t.stride(), 0, i); q.words[at.fp].Load() != 0 {
					do(at.st)
				}
			}
		}
	}
	each(q.freeze)
	q.queue.far = [maxLimits]uint64{}
	for w := q.queue.first; w != nil; w = w.next {
		for i := range next.axes {
			a := &next.axes[i]
			from := earlierView(&old.axes[i], e)
			shifted := *a
			shifted.floor, shifted.prev = ^uint64(0), from
			w.end[i] = shifted.translate(w.end[i], false)
			q.queue.far[i] = max(q.queue.far[i], w.end[i])
		}
	}
	q.params.Store(next)
	each(func(st int) {
		q.thaw(st, func(i int, s uint64) uint64 {
			if !keep {
				return next.axes[i].full()
			}
			return carry(&old.axes[i], &next.axes[i], old.axes[i].used(s, old.axes[i].at(e)))
		})
	})
}

func earlierView(a *axis, e int64) *earlier { return &earlier{axis: *a, at: e} }

// replaceSingle converts a bucket of its own and everyone who waits for it: what was used stays used, then come the
// waiters in their order, and are timed anew.
func (q *pool) replaceSingle(old, next *params, e int64) {
	u := &q.queue
	u.settle(q, old, next, e)
	q.freeze(0)
	q.params.Store(next)
	u.far = [maxLimits]uint64{}
	q.thaw(0, func(i int, s uint64) uint64 {
		a, b := &old.axes[i], &next.axes[i]
		waiting := uint64(0)
		for w := u.first; w != nil; w = w.next {
			waiting += a.cost(w.n)
		}
		used := a.used(s, a.at(e))
		used -= min(used, waiting)
		to := carry(a, b, used)
		for w := u.first; w != nil; w = w.next {
			to = b.charged(to, b.at(e), b.units(w.n))
			w.end[i] = to
			u.far[i] = to
		}
		return to
	})
	for w := u.first; w != nil; w = w.next {
		q.rewind(w, e)
	}
}

// settle lets those go whose moment has come under the old limits, or cannot come under the new ones.
func (u *queue) settle(q *pool, old, next *params, e int64) {
	for w := u.first; w != nil; {
		after := w.next
		switch {
		case w.at <= e:
			w.done = true
			u.remove(w)
		case !w.fixed && !possible(next, w.n):
			w.err = ErrExceedsBurst
			u.remove(w)
		}
		if !w.queued && w.timer != nil {
			w.timer.Reset(0)
		}
		if w.err != nil {
			for i := range old.axes {
				a := &old.axes[i]
				for s := q.words[i].Load(); !q.words[i].CompareAndSwap(s, a.returned(s, a.at(e), a.cost(w.n))); {
					s = q.words[i].Load()
				}
			}
		}
		w = after
	}
}

// possible reports whether n tokens can ever be there.
func possible(p *params, n uint64) bool {
	for i := range p.axes {
		if n > p.axes[i].tokens {
			return false
		}
	}
	return true
}
