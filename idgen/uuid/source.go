package uuid

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// process is the order of NewV7. Its time base is taken here, outside any testing/synctest bubble.
var process = newSource() //nolint:gochecknoglobals // the order of the whole process; it holds no setting

// NewV7 returns a time-ordered UUID: strictly increasing in this process, never ahead of the clock. It cannot fail.
//
// In a testing/synctest bubble it keeps increasing but shows real time: use a Source there.
func NewV7() UUID { return process.NewV7() }

// FillV7 fills dst with ascending UUIDs of the same order as NewV7, at a fraction of the cost.
func FillV7(dst []UUID) { process.FillV7(dst) }

// Source is its own order: for tests under fake time, and to keep streams apart. The zero value is ready; its time base
// is taken at first use. It must not be copied after first use.
type Source struct {
	_ noCopy
	// now is nil before the first use. The first caller and rebase publish, every call loads.
	now atomic.Pointer[era]
}

type noCopy struct{}

// Lock is here for go vet's copylocks check.
func (*noCopy) Lock() {}

// Unlock is here for go vet's copylocks check.
func (*noCopy) Unlock() {}

// era is one time base with its word: 50 bits of 256 ns ticks since zero, 14 bits of counter. The word holds the next
// free slot and only grows; each id owns the slot that one atomic operation gave it.
//
// The counter of a tick starts at random with its top bit clear, so at least 8192 ids fit into 256 ns, far above any
// machine: in normal running the counter never carries into the tick, and ids are never ahead of the clock. After a
// backward step of the wall clock the ticks stand still at the largest reading and the counter goes on; a carry then
// moves the tick by 256 ns per 16384 ids.
type era struct {
	_    [120]byte
	word atomic.Uint64 // written by every call, alone in its cache lines
	_    [120]byte

	base time.Time // carries the monotonic reading
	zero int64     // the start of tick 0 in nanoseconds since 1970

	off  atomic.Int64 // nanoseconds since zero = off + time.Since(base); resync publishes, every call loads
	next atomic.Int64 // time.Since(base) of the next look at the wall clock; likewise
	skew atomic.Int64 // tests move the wall clock by it
	mu   sync.Mutex   // one resync at a time
}

const (
	counterBits = 14
	startMask   = 1<<(counterBits-1) - 1 // a tick's counter starts with its top bit clear
	// eraLength bounds an era to 4.5 of the 9 years that its word can hold. A machine that boots in 1970 and then learns
	// the time gets there at once.
	eraLength     = int64(1) << 57
	resyncEvery   = int64(time.Second)
	stepTolerance = int64(100 * time.Microsecond) // two clock reads with a preemption between them
)

func newSource() *Source {
	s := new(Source)
	s.now.Store(eraAt(time.Now(), 0, 0))
	return s
}

// eraAt starts an era at an instant, or at the later time after, in nanoseconds since 1970.
func eraAt(base time.Time, skew, after int64) *era {
	e := &era{base: base}
	wall := max(0, base.UnixNano()+skew)
	e.zero = max(wall, after)
	e.off.Store(wall - e.zero)
	e.next.Store(resyncEvery)
	e.skew.Store(skew)
	b := takeBlock()
	e.word.Store(b.next16() & startMask)
	b.giveBack()
	return e
}

// slots takes n consecutive slots. b gives the 13 random bits at which a tick's counter starts.
func (s *Source) slots(n uint64, b *block) (e *era, slot uint64) {
	e = s.now.Load()
	if e == nil {
		s.now.CompareAndSwap(nil, eraAt(time.Now(), 0, 0))
		e = s.now.Load()
	}
	d := e.read()
	if d >= eraLength {
		e = s.rebase(e, d)
		d = e.read()
	}
	tick := uint64(max(0, d)) >> 8
	for {
		cur := e.word.Load()
		if cur>>counterBits >= tick {
			return e, e.word.Add(n) - n
		}
		slot = tick<<counterBits | b.next16()&startMask
		if e.word.CompareAndSwap(cur, slot+n) {
			return e, slot
		}
	}
}

// rebase starts the era that follows old, later than all that old has given out.
func (s *Source) rebase(old *era, d int64) *era {
	last := int64(old.word.Load()>>counterBits+1) << 8
	s.now.CompareAndSwap(old, eraAt(time.Now(), old.skew.Load(), old.zero+max(d, last)))
	return s.now.Load()
}

// read returns nanoseconds since zero, from one reading of the monotonic clock.
func (e *era) read() int64 {
	m := int64(time.Since(e.base))
	if m >= e.next.Load() {
		e.resync(m)
	}
	return m + e.off.Load()
}

// resync follows the wall clock, so that a step or a suspend is seen within a second. Two equal differences are asked
// for before a step is believed.
func (e *era) resync(m int64) {
	if !e.mu.TryLock() {
		return
	}
	defer e.mu.Unlock()
	e.next.Store(m + resyncEvery)
	seen := e.measure()
	if distance(seen, e.off.Load()) <= stepTolerance {
		return
	}
	for range 3 {
		again := e.measure()
		if distance(again, seen) <= stepTolerance {
			e.off.Store(again)
			return
		}
		seen = again
	}
}

func (e *era) measure() int64 {
	t := time.Now()
	return max(0, t.UnixNano()+e.skew.Load()) - e.zero - int64(t.Sub(e.base))
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// pack makes the UUID of a slot: 48 bits of milliseconds, the fraction of the millisecond in 12 bits (RFC 9562 section
// 6.2, method 3), the counter in 14 bits (method 1), 48 random bits. A fraction step is 244 ns, shorter than a tick, so
// different ticks differ.
func (e *era) pack(u *UUID, slot, random uint64) {
	ns := uint64(e.zero) + slot>>counterBits<<8
	ms := ns / 1e6
	fraction := (ns - ms*1e6) << 12 / 1e6
	counter := slot & (1<<counterBits - 1)
	binary.BigEndian.PutUint64(u[:8], ms<<16|7<<12|fraction)
	binary.BigEndian.PutUint64(u[8:], 2<<62|counter<<48|random)
}

// NewV7 returns a UUID above every one that this Source returned before this call began.
func (s *Source) NewV7() (u UUID) {
	b := takeBlock()
	e, slot := s.slots(1, b)
	e.pack(&u, slot, b.next48())
	b.giveBack()
	return u
}

// FillV7 fills dst with ascending UUIDs. It takes half a tick's slots at a time, so it does not run ahead of the clock.
func (s *Source) FillV7(dst []UUID) {
	b := takeBlock()
	defer b.giveBack()
	for len(dst) > 0 {
		k := min(len(dst), 1<<(counterBits-2))
		e, slot := s.slots(uint64(k), b)
		for i := range dst[:k] {
			e.pack(&dst[i], slot+uint64(i), b.next48())
		}
		dst = dst[k:]
	}
}
