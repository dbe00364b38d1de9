package idgen

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Snowflake makes time-ordered IDs without I/O. Next takes no lock and does not allocate.
//
// IDs of one generator ascend: if one call returned before another began, its ID is the smaller one (of the same shard;
// with Layout.SeqFirst over all shards). When the sequence of a tick is used up, callers reserve a slot of the next
// tick and sleep until it starts, in the order of their reservations.
type Snowflake struct {
	_ noCopy

	// win is the worker number in use with its word and limit. NewSnowflake and the keeper publish; every call loads.
	win atomic.Pointer[window]

	layout                         Layout
	tickShift, shardShift, seqPos  uint8
	workerPos                      uint8
	seqBits                        uint8
	coarse                         bool
	maxShard                       uint32
	maxTick                        int64
	seqMask, turn                  uint64
	maxAhead, maxWait, coarseEvery int64 // nanoseconds
	clk                            clock
	pump                           pump
	keep                           *keeper // nil without a lease

	// high is the latest tick that was acted on before the clock went back; resync publishes, callers that must wait
	// read it to tell a slow clock from a busy generator.
	high atomic.Int64

	// The figures of Stats. Only calls that wait or fail touch them.
	waits, exhausted atomic.Uint64
	waitTime         atomic.Int64

	closing   sharedMutex // orders Close, install and the start of goroutines
	closed    bool        // under closing
	stop      chan struct{}
	stopped   sync.WaitGroup
	lastGrant Grant // under closing
}

// window is the right to issue for one worker: slots of its word below its limit.
//
// A slot is tick<<SeqBits | sequence. The word holds the next free slot and only grows, and each slot comes from exactly
// one atomic operation on it: that is the whole proof of uniqueness. A sequence that overflows carries into the tick.
type window struct {
	_    [120]byte // the word is written by everybody: nothing else lives in its cache lines
	word sharedUint64
	_    [120]byte
	// limit is the first slot that may not be issued. It is compared after the atomic operation that took the slot.
	// The keeper raises it, Close and a change of worker set it to 0; every call loads it.
	limit sharedUint64
	// open is the tick of the clock at which calls may add to the word without a look at it: a hint that spares the word's
	// cache line a journey. Who moves the word to a tick publishes it, who takes the last slot of a tick shuts it.
	open sharedInt64
	// awaited is the latest tick that somebody waits for; who has to wait publishes it.
	awaited atomic.Int64
	// crowd counts the calls that sleep or let others run; those calls publish, the end of a turn reads.
	crowd  atomic.Int64
	worker uint64 // shifted into place
	number uint32
	first  uint64 // the word at the start
	from   int64  // tick of Grant.From
}

// shut is the open tick while calls have to look at the word.
const shut = int64(-1) << 62

// SnowflakeOptions are the options of NewSnowflake and NewLeased. The zero value is right for a service.
type SnowflakeOptions struct {
	// Layout divides the bits; see Layout for the default.
	Layout Layout
	// MaxAhead lets an ID's time run ahead of the clock, when the sequence of a tick is used up and after a backward
	// clock step alike. Default 0; negative is ErrInvalid.
	MaxAhead time.Duration
	// MaxWait bounds the sleep for a slot. 0 means 1s, negative means never sleep.
	MaxWait time.Duration
	// CoarseClock reads a clock that a background goroutine advances while the generator is busy. Uniqueness and order
	// stay; an ID's time may lag, by about a millisecond on a machine with a free core. Close ends the goroutine, and
	// so does an idle tick.
	CoarseClock bool
	// TTL is the length of a lease window, 10 units (at least 100ms) to 24h. Default 30s, or 10 units where they are
	// longer. NewLeased only.
	TTL time.Duration
}

// NewSnowflake is for worker numbers that something else assigns: at most one live generator per number. A worker that
// does not fit in Layout.WorkerBits is ErrInvalid.
//
// A restart is not protected against a clock that was set back in between: NewLeased with a FileLeaser is.
func NewSnowflake(worker uint32, o SnowflakeOptions) (*Snowflake, error) {
	s, err := newSnowflake(o)
	if err != nil {
		return nil, err
	}
	if uint64(worker) > mask(s.layout.WorkerBits) {
		return nil, fmt.Errorf("%w: worker %d, at most %d with WorkerBits of %d",
			ErrInvalid, worker, mask(s.layout.WorkerBits), s.layout.WorkerBits)
	}
	s.win.Store(s.newWindow(worker, 0, 1<<(s.layout.TimeBits+s.seqBits), 1))
	return s, nil
}

// newSnowflake checks the options; the caller adds a window.
func newSnowflake(o SnowflakeOptions) (*Snowflake, error) {
	if err := o.Layout.Validate(); err != nil {
		return nil, err
	}
	l := o.Layout.full()
	if l.TimeBits == 0 {
		return nil, fmt.Errorf("%w: Layout.TimeBits is 0, at least 1 in a Snowflake", ErrInvalid)
	}
	if o.MaxAhead < 0 {
		return nil, fmt.Errorf("%w: MaxAhead is %v, at least 0", ErrInvalid, o.MaxAhead)
	}
	s := &Snowflake{
		layout: l, seqBits: l.SeqBits, seqMask: mask(l.SeqBits),
		maxShard: uint32(mask(l.ShardBits)), maxTick: int64(mask(l.TimeBits)),
		maxAhead: min(int64(o.MaxAhead), farTick), maxWait: min(int64(o.MaxWait), farTick),
		coarse: o.CoarseClock, stop: make(chan struct{}),
		coarseEvery: min(max(int64(l.Unit), int64(time.Millisecond)), int64(100*time.Millisecond)),
	}
	if s.maxWait == 0 {
		s.maxWait = int64(time.Second)
	}
	s.tickShift, s.shardShift, s.workerPos, s.seqPos = l.shifts()
	s.tickShift -= l.SeqBits // of a slot, where the tick stands above the sequence already
	s.turn = mask(l.SeqBits - min(l.SeqBits, 8))
	s.pump.tick.Store(parked)
	s.clk.start(l)
	return s, nil
}

func (s *Snowflake) newWindow(worker uint32, from int64, limit, first uint64) *window {
	w := &window{worker: uint64(worker) << s.workerPos, number: worker, first: first, from: from}
	w.word.Store(first)
	w.limit.Store(limit)
	w.open.Store(shut)
	w.awaited.Store(shut)
	return w
}

// Next returns one ID of shard 0. See NextFor.
func (s *Snowflake) Next(ctx context.Context) (ID, error) { return s.NextFor(ctx, 0) }

// NextFor returns one ID that carries shard. A shard outside the layout is ErrRange and takes no slot.
//
// When no slot is free now, the call sleeps until its slot starts if MaxWait and the deadline of ctx allow it; otherwise
// it fails at once with ErrExhausted, or with ErrClock when a clock that went back is the reason. ctx is looked at only
// when a wait is needed; cancelled while asleep the call returns ctx.Err() and its slot is burnt.
func (s *Snowflake) NextFor(ctx context.Context, shard uint32) (ID, error) {
	w := s.win.Load()
	if w == nil {
		return 0, ErrClosed
	}
	if shard > s.maxShard {
		return 0, s.noShard(shard)
	}
	var now int64
	if !s.coarse {
		m := int64(time.Since(s.clk.base))
		if m >= s.clk.next.Load() {
			s.resync(m)
		}
		now = s.clk.tickAt(m + s.clk.off.Load())
	} else if now = s.pump.tick.Load(); now == parked {
		now = s.wakePump(w)
	}
	if now != w.open.Load() && !s.openTick(w, now) {
		return s.nextSlow(ctx, shard)
	}
	slot := w.word.Add(1) - 1
	// After the atomic operation, never before: a Close or a change of worker that reads the word afterwards counts this
	// slot, or this load sees the limit it has set.
	if slot >= w.limit.Load() {
		w.open.Store(shut)
		return s.nextSlow(ctx, shard)
	}
	if s.coarse && slot&63 == 0 {
		s.pump.tick.Store(s.clk.tickAt(s.now())) // bounds the lag when the goroutine gets no processor
	}
	tick := int64(slot >> (s.seqBits & 63))
	if slot&s.turn == s.turn {
		s.endTurn(w, slot)
	}
	if tick > now {
		if err := s.settle(ctx, w, tick); err != nil {
			return 0, err
		}
	}
	return s.pack(w, slot, shard), nil
}

func (s *Snowflake) noShard(shard uint32) error {
	return fmt.Errorf("%w: shard %d, at most %d", ErrRange, shard, s.maxShard)
}

// openTick lets calls at tick now take slots with one addition, if slots of now are free. It moves the word to now, but
// not past the rest of a tick that callers have waited for: timers are late, and that rest would be lost at every cap.
// False means that the call has to wait or to fail.
func (s *Snowflake) openTick(w *window, now int64) bool {
	for {
		cur, limit := w.word.Load(), w.limit.Load()
		first := uint64(now) << (s.seqBits & 63)
		switch tick := int64(cur >> (s.seqBits & 63)); {
		case tick == now || tick == now-1 && tick == w.awaited.Load():
			if cur >= limit {
				return false
			}
		case tick > now || now > s.maxTick || first >= limit:
			return false
		default:
			if !w.word.CompareAndSwap(cur, first) {
				continue
			}
		}
		w.open.Store(now)
		return true
	}
}

// endTurn runs after the last slot of a tick and of each of the 256 turns of one. In a tick that callers have waited for,
// it lets the others run that the same tick has woken, before this goroutine comes back and takes all that is left.
func (s *Snowflake) endTurn(w *window, slot uint64) {
	if slot&s.seqMask == s.seqMask {
		w.open.Store(shut)
	}
	if int64(slot>>s.seqBits) == w.awaited.Load() && w.crowd.Load() > 0 {
		w.crowd.Add(1)
		runtime.Gosched()
		w.crowd.Add(-1)
	}
}

// pack moves the fields of a slot into place.
func (s *Snowflake) pack(w *window, slot uint64, shard uint32) ID {
	// The masks of 63 change nothing; they spare the processor a comparison per shift.
	return ID(slot&^s.seqMask<<(s.tickShift&63) | slot&s.seqMask<<(s.seqPos&63) |
		w.worker | uint64(shard)<<(s.shardShift&63))
}

// now reads the clock once and, once a second, compares it with the wall clock.
func (s *Snowflake) now() int64 {
	m := int64(time.Since(s.clk.base))
	if m >= s.clk.next.Load() {
		s.resync(m)
	}
	return m + s.clk.off.Load()
}

// resync remembers how far the generator had acted on a clock that then went back.
func (s *Snowflake) resync(m int64) {
	old, back := s.clk.resync(m)
	if !back {
		return
	}
	acted := s.clk.tickAt(old)
	if w := s.win.Load(); w != nil {
		acted = min(acted, int64(w.word.Load()>>s.seqBits))
	}
	for {
		high := s.high.Load()
		if acted <= high || s.high.CompareAndSwap(high, acted) {
			return
		}
	}
}

// Worker returns the worker number in use; with a lease it can change.
func (s *Snowflake) Worker() uint32 {
	if w := s.win.Load(); w != nil {
		return w.number
	}
	return 0
}

// Layout returns the layout with its defaults filled in.
func (s *Snowflake) Layout() Layout { return s.layout }
