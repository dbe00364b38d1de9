package lru

import (
	"math"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"
)

// Entry is a copy of what the cache knows about one key.
type Entry[K comparable, V any] struct {
	Key     K
	Value   V
	Weight  int       // 1 without Options.Weight
	Expires time.Time // zero: never
}

// The bits of entry.ref. Readers set the counter; everything else is changed under the lock of the shard, by
// compare and swap, because a reader may count at the same moment.
const (
	refCounter = 3 << 0 // uses since a hand passed, at most maxUses
	refGone    = 1 << 2 // left the table; never set back
	refTimed   = 1 << 3 // the entry is a timedEntry or a fullEntry
	refMain    = 1 << 4 // Adaptive: in the main list, not in the window
	refMark    = 1 << 5 // Adaptive, with refMain: in the protected queue
	refPinned  = 1 << 6 // weight 0: outside the policy
	refUsed    = 1 << 7 // Adaptive: had uses when the cursor of the tuner came, which took them
	refFresh   = 1 << 9 // Adaptive, with refMain: not used since it came from the window
	refNarrow  = 1 << 8 // Adaptive, with refMain: admitted by one count only, and not used since

	refSlotShift = 12 // the slot of the wheel that is responsible, plus one; 0: none
	refSlot      = 1<<10 - 1
)

// maxUses is where Adaptive stops to count: 15 instead of 3 gained nothing on any trace and costs writes.
const maxUses = 3

// never is the deadline of entries that do not expire.
const never = math.MaxInt64

// entry is the smallest form of an entry: 24 bytes for a word as key and value. key never changes. value changes in
// place only where a value is one machine word (see valueKind); otherwise a new entry takes the place.
type entry[K comparable, V any] struct {
	ref   atomic.Uint32 // see refCounter and following
	pos   uint32        // handle of the policy; under the lock of the shard
	key   K
	value V
}

// timedEntry is an entry with a deadline. Code that holds an *entry knows from refTimed that it may convert.
type timedEntry[K comparable, V any] struct {
	entry[K, V]
	// deadline in nanoseconds since New. Stored by writers under the lock, moved by readers where TTI is set; every
	// reader compares it with a clock value that it took before.
	deadline atomic.Int64
}

// fullEntry has room for all features. A cache that needs one of them has full entries only.
type fullEntry[K comparable, V any] struct {
	timedEntry[K, V]
	hard    atomic.Int64 // the deadline without TTI; stored under the lock, read by readers that move deadline
	written atomic.Int64 // time of the last write; stored under the lock, read by Fetch
	weight  int          // under the lock
	birth   uint64       // tag clock before the value was made; immutable
	tags    []*tag       // immutable
}

func (e *entry[K, V]) timed() *timedEntry[K, V] {
	return (*timedEntry[K, V])(unsafe.Pointer(e))
}

func (e *entry[K, V]) full() *fullEntry[K, V] {
	return (*fullEntry[K, V])(unsafe.Pointer(e))
}

// setBits replaces the bits of mask by those of value.
func (e *entry[K, V]) setBits(mask, value uint32) {
	for {
		old := e.ref.Load()
		if old&mask == value || e.ref.CompareAndSwap(old, old&^mask|value) {
			return
		}
	}
}

// count adds a use, up to limit. A lost race is another use that was counted: it is not repeated. Once the counter
// is at its limit this is a pure load.
func (e *entry[K, V]) count(ref, limit uint32) {
	if ref&refCounter < limit {
		e.ref.CompareAndSwap(ref, ref+1)
	}
}

// takeCount returns the counter and clears it.
func (e *entry[K, V]) takeCount() uint32 {
	for {
		old := e.ref.Load()
		if old&refCounter == 0 {
			return 0
		}
		if e.ref.CompareAndSwap(old, old&^refCounter) {
			return old & refCounter
		}
	}
}

// valueKind says how a value is read and changed without a lock.
type valueKind uint8

const (
	valueFixed   valueKind = iota // immutable: a new value needs a new entry
	valueWord                     // a number of one machine word: atomic load and store
	valuePointer                  // a pointer, map, channel or function: atomic load and store of a pointer
)

func kindOf[V any]() valueKind {
	t := reflect.TypeFor[V]()
	switch t.Kind() { //nolint:exhaustive // all other kinds are not one word
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return valuePointer
	case reflect.Int, reflect.Uint, reflect.Int64, reflect.Uint64, reflect.Int32, reflect.Uint32,
		reflect.Uintptr, reflect.Float64, reflect.Float32:
		if t.Size() == unsafe.Sizeof(uintptr(0)) {
			return valueWord
		}
	}
	return valueFixed
}

// load returns the value of e; it never tears.
func (e *entry[K, V]) load(kind valueKind) V {
	switch kind {
	case valueWord:
		w := atomic.LoadUintptr((*uintptr)(unsafe.Pointer(&e.value)))
		return *(*V)(unsafe.Pointer(&w))
	case valuePointer:
		p := atomic.LoadPointer((*unsafe.Pointer)(unsafe.Pointer(&e.value)))
		return *(*V)(unsafe.Pointer(&p))
	case valueFixed:
	}
	return e.value
}

// swap stores a value in place and returns the old one. Only for valueWord and valuePointer.
func (e *entry[K, V]) swap(kind valueKind, v V) V {
	if kind == valueWord {
		w := atomic.SwapUintptr((*uintptr)(unsafe.Pointer(&e.value)), *(*uintptr)(unsafe.Pointer(&v)))
		return *(*V)(unsafe.Pointer(&w))
	}
	p := atomic.SwapPointer((*unsafe.Pointer)(unsafe.Pointer(&e.value)), *(*unsafe.Pointer)(unsafe.Pointer(&v)))
	return *(*V)(unsafe.Pointer(&p))
}

// holds reports whether e still has the value v that was loaded from it.
func (e *entry[K, V]) holds(kind valueKind, v V) bool {
	switch kind {
	case valueWord, valuePointer:
		return atomic.LoadUintptr((*uintptr)(unsafe.Pointer(&e.value))) == *(*uintptr)(unsafe.Pointer(&v))
	case valueFixed:
	}
	return true
}

// deadline returns the time at which e dies, never without one.
func (c *Cache[K, V]) deadline(e *entry[K, V]) int64 {
	if e.ref.Load()&refTimed == 0 {
		return never
	}
	d := e.timed().deadline.Load()
	if c.full {
		// A reader that moved the deadline while a writer shortened the hard one may have stored a later one.
		d = min(d, e.full().hard.Load())
	}
	return d
}

// weightOf is 1 unless the cache weighs its entries.
func (c *Cache[K, V]) weightOf(e *entry[K, V]) int {
	if c.opts.Weight == nil {
		return 1
	}
	return e.full().weight
}

// dead says why e must not be shown at time now; 0: it is alive.
func (c *Cache[K, V]) dead(e *entry[K, V], now int64) Cause {
	if c.deadline(e) <= now {
		return Expired
	}
	if c.tags != nil && c.tags.invalid(e.full().tags, e.full().birth) {
		return Invalidated
	}
	return 0
}

// copyOf makes the public form of e.
func (c *Cache[K, V]) copyOf(e *entry[K, V]) Entry[K, V] {
	out := Entry[K, V]{Key: e.key, Value: e.load(c.kind), Weight: c.weightOf(e)}
	if d := c.deadline(e); d != never {
		out.Expires = c.epoch.Add(time.Duration(d))
	}
	return out
}

// after returns now + d without overflow; a lifetime of MaxInt64 is for ever.
func after(now, d int64) int64 {
	if d >= never-now {
		return never
	}
	return now + d
}
