package lru

import (
	"math/bits"
	"slices"
)

// wheel finds the entries of one shard whose time is over: a hierarchical timing wheel (Varghese and Lauck 1987) of
// five levels with 64 slots. A slot of level 0 spans half a second, each level 64 times as much as the one below.
//
//	level 0   0.54 s a slot    34 s in all
//	level 1   34 s             37 min
//	level 2   37 min           39 h
//	level 3   39 h             104 days
//	level 4   104 days         18 years, and everything later
//
// Slots are append-only. An entry knows the slot that is responsible for it (refSlot); a deadline that moved later
// is noticed when that slot comes up, and an entry found in any other slot is a leftover. All under the shard's lock.
type wheel[K comparable, V any] struct {
	now    int64 // up to here the slots are done
	levels [wheelLevels]*level[K, V]
	due    []dueSlot[K, V] // slots whose time has come and that are not worked off yet
	refs   int             // references in all slots
	gone   int             // of these, to entries that left the cache
}

type dueSlot[K comparable, V any] struct {
	id   uint32 // as in refSlot
	refs []*entry[K, V]
}

type level[K comparable, V any] struct {
	used  uint64 // bit per slot that is not empty
	slots [wheelSlots][]*entry[K, V]
}

const (
	wheelLevels = 5
	wheelSlots  = 64
	wheelShift  = 29 // 2^29 ns = 0.54 s: reclaiming within a second leaves time for the timer itself
)

func levelShift(l int) int { return wheelShift + 6*l }

// place returns level and slot for a time: the lowest level on which it lies less than a turn ahead. Above level 0
// it is then at least one slot ahead.
func (w *wheel[K, V]) place(at int64) (l, slot int) {
	for at>>levelShift(l)-w.now>>levelShift(l) >= wheelSlots {
		if l == wheelLevels-1 {
			at = w.now + (wheelSlots-1)<<levelShift(l)
			break
		}
		l++
	}
	return l, int(at >> levelShift(l) & (wheelSlots - 1))
}

// add files e under the time at and returns when the wheel wants to be advanced for it.
func (w *wheel[K, V]) add(e *entry[K, V], at int64) int64 {
	l, i := w.place(max(at, w.now))
	if w.levels[l] == nil {
		w.levels[l] = new(level[K, V])
	}
	lv := w.levels[l]
	if n := len(lv.slots[i]); n == cap(lv.slots[i]) && n >= 1024 {
		lv.slots[i] = append(make([]*entry[K, V], 0, n+n/8), lv.slots[i]...) // append would take a quarter more
	}
	lv.slots[i] = append(lv.slots[i], e)
	lv.used |= 1 << i
	w.refs++
	e.setBits(refSlot<<refSlotShift, uint32(l*wheelSlots+i+1)<<refSlotShift)
	return w.wake(l, i)
}

// wake is the moment at which slot i of a level must be looked at: the end of the slot on level 0, where every entry
// in it is due, the beginning on the others, whose entries then move down.
func (w *wheel[K, V]) wake(l, i int) int64 {
	current := w.now >> levelShift(l)
	ahead := (int64(i) - current) & (wheelSlots - 1)
	if l == 0 {
		ahead++
	}
	return (current + ahead) << levelShift(l)
}

// filed returns the earliest time at which the responsible slot of e is looked at, never without one.
func (w *wheel[K, V]) filed(e *entry[K, V]) int64 {
	slot := int(e.ref.Load() >> refSlotShift & refSlot)
	if slot == 0 {
		return never
	}
	return w.wake((slot-1)/wheelSlots, (slot-1)%wheelSlots)
}

// next is the earliest time at which any slot must be looked at.
func (w *wheel[K, V]) next() int64 {
	at := int64(never)
	for l, lv := range w.levels {
		if lv == nil || lv.used == 0 {
			continue
		}
		current := int(w.now >> levelShift(l) & (wheelSlots - 1))
		ahead := bits.TrailingZeros64(bits.RotateLeft64(lv.used, -current))
		at = min(at, w.wake(l, (current+ahead)&(wheelSlots-1)))
	}
	return at
}

// left tells that an entry with a reference in the wheel has left the cache. Leftovers are swept out when they are
// as many as the living, so that they cost a constant factor and O(1) per departure.
func (w *wheel[K, V]) left(e *entry[K, V]) {
	if e.ref.Load()>>refSlotShift&refSlot == 0 {
		return
	}
	w.gone++
	if w.gone < 64 || w.gone < w.refs/2 {
		return
	}
	w.refs, w.gone = 0, 0
	for l, lv := range w.levels {
		if lv == nil {
			continue
		}
		for i, slot := range lv.slots {
			kept := slices.DeleteFunc(slot, func(e *entry[K, V]) bool {
				ref := e.ref.Load()
				return ref&refGone != 0 || ref>>refSlotShift&refSlot != uint32(l*wheelSlots+i+1)
			})
			if 2*len(kept) < cap(kept) {
				kept = slices.Clone(kept)
			}
			lv.slots[i] = kept
			w.refs += len(kept)
			if len(kept) == 0 {
				lv.slots[i] = nil
				lv.used &^= 1 << i
			}
		}
	}
}

// advance takes the slots up to now and looks at no more than limit of their references; while more is true it must
// be called again. f gets each entry that such a slot is responsible for and returns the time at which to look
// again; 0: it is gone.
func (w *wheel[K, V]) advance(now int64, limit int, f func(e *entry[K, V]) int64) (more bool) {
	if now > w.now {
		w.detach(now)
		w.now = now
	}
	for limit > 0 && len(w.due) > 0 {
		last := &w.due[len(w.due)-1]
		n := len(last.refs) - 1
		e := last.refs[n]
		last.refs[n] = nil
		last.refs = last.refs[:n]
		id := last.id
		if n == 0 {
			w.due = w.due[:len(w.due)-1]
		}
		limit--
		ref := e.ref.Load()
		if ref&refGone != 0 {
			w.gone = max(0, w.gone-1)
			continue
		}
		if ref>>refSlotShift&refSlot != id {
			continue
		}
		e.setBits(refSlot<<refSlotShift, 0)
		if at := f(e); at != 0 && at != never {
			w.add(e, at)
		}
	}
	if len(w.due) == 0 {
		w.due = nil
	}
	return len(w.due) > 0
}

// detach moves the slots that end (level 0) or begin (above) up to now into due.
func (w *wheel[K, V]) detach(now int64) {
	for l, lv := range w.levels {
		first, last := w.now>>levelShift(l), now>>levelShift(l)
		if l == 0 {
			first, last = first-1, last-1
		}
		if lv == nil || lv.used == 0 {
			continue
		}
		for t := first + 1; t <= min(last, first+wheelSlots); t++ {
			i := int(t & (wheelSlots - 1))
			if len(lv.slots[i]) == 0 {
				continue
			}
			w.refs -= len(lv.slots[i])
			w.due = append(w.due, dueSlot[K, V]{id: uint32(l*wheelSlots + i + 1), refs: lv.slots[i]})
			lv.slots[i] = nil
			lv.used &^= 1 << i
		}
	}
}
