package idgen

import (
	"fmt"
	"time"
)

// Layout divides the 63 bits: time | shard | worker | seq, or with SeqFirst time | seq | worker | shard.
// The zero value is 41 bits of milliseconds since 2025, 10 bits of worker and 12 of sequence.
type Layout struct {
	// TimeBits, ShardBits, WorkerBits and SeqBits sum to at most 63; ShardBits and WorkerBits are at most 31.
	// All zero means 41, 0, 10, 12.
	TimeBits, ShardBits, WorkerBits, SeqBits uint8
	// Unit is the length of a tick: 1µs to 24h; default 1ms.
	Unit time.Duration
	// Epoch is the start of tick 0, within 34,000 years of 1970; default 2025-01-01 UTC.
	Epoch time.Time
	// SeqFirst orders IDs across the shards and workers of a tick by sequence.
	SeqFirst bool
}

// Parts are the fields of an ID. Time is the start of its tick.
type Parts struct {
	Time          time.Time
	Shard, Worker uint32
	Seq           uint64
}

// Twitter is 41|10|12 from 2010-11-04.
func Twitter() Layout {
	return Layout{TimeBits: 41, WorkerBits: 10, SeqBits: 12, Epoch: time.UnixMilli(1288834974657).UTC()}
}

// Sonyflake is 39|8|16 of 10 ms with the sequence before the worker, from 2025, as in sonyflake v2.
func Sonyflake() Layout {
	return Layout{TimeBits: 39, WorkerBits: 16, SeqBits: 8, Unit: 10 * time.Millisecond, SeqFirst: true}
}

// Instagram is 40|13 shard|10 from 2011-08-24. Its 41st time bit would be the sign, so it ends in 2046.
func Instagram() Layout {
	return Layout{TimeBits: 40, ShardBits: 13, SeqBits: 10, Epoch: time.UnixMilli(1314220021721).UTC()}
}

// Discord is 41|5|5|12 from 2015: Shard is what Discord calls the worker, Worker the process. It ends in 2084.
func Discord() Layout {
	return Layout{
		TimeBits: 41, ShardBits: 5, WorkerBits: 5, SeqBits: 12,
		Epoch: time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// TSID is 41|10|12 from 2020, until 2089; Base32 is its text.
func TSID() Layout {
	return Layout{TimeBits: 41, WorkerBits: 10, SeqBits: 12, Epoch: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// JSSafe is 38 of 10 ms|5|10: 53 bits, exact as a JavaScript number, until 2112.
func JSSafe() Layout {
	return Layout{TimeBits: 38, WorkerBits: 5, SeqBits: 10, Unit: 10 * time.Millisecond}
}

// full fills in the defaults.
func (l Layout) full() Layout {
	if l.TimeBits|l.ShardBits|l.WorkerBits|l.SeqBits == 0 {
		l.TimeBits, l.WorkerBits, l.SeqBits = 41, 10, 12
	}
	if l.Unit == 0 {
		l.Unit = time.Millisecond
	}
	if l.Epoch.IsZero() {
		l.Epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return l
}

// maxEpoch keeps the distance between any clock and any epoch, in the smallest unit, below 2^62.
const maxEpoch = 1 << 40

// Validate reports the first field outside its limits, as ErrInvalid.
func (l Layout) Validate() error {
	l = l.full()
	switch sum := l.bits(); {
	case sum > 63:
		return fmt.Errorf("%w: Layout has %d bits, at most 63", ErrInvalid, sum)
	case l.ShardBits > 31:
		return fmt.Errorf("%w: Layout.ShardBits is %d, at most 31", ErrInvalid, l.ShardBits)
	case l.WorkerBits > 31:
		return fmt.Errorf("%w: Layout.WorkerBits is %d, at most 31", ErrInvalid, l.WorkerBits)
	case l.Unit < time.Microsecond || l.Unit > 24*time.Hour:
		return fmt.Errorf("%w: Layout.Unit is %v, 1µs to 24h", ErrInvalid, l.Unit)
	case l.Epoch.Unix() > maxEpoch || l.Epoch.Unix() < -maxEpoch:
		return fmt.Errorf("%w: Layout.Epoch is %d s from 1970, at most %d", ErrInvalid, l.Epoch.Unix(), int64(maxEpoch))
	}
	if _, ok := l.tickTime(1 << l.TimeBits); !ok {
		return fmt.Errorf("%w: Layout.TimeBits of %d and Unit of %v reach past the range of time.Time",
			ErrInvalid, l.TimeBits, l.Unit)
	}
	return nil
}

func (l Layout) bits() int {
	return int(l.TimeBits) + int(l.ShardBits) + int(l.WorkerBits) + int(l.SeqBits)
}

// shifts returns the position of each field.
func (l Layout) shifts() (tick, shard, worker, seq uint8) {
	if l.SeqFirst {
		return l.ShardBits + l.WorkerBits + l.SeqBits, 0, l.ShardBits, l.ShardBits + l.WorkerBits
	}
	return l.SeqBits + l.WorkerBits + l.ShardBits, l.SeqBits + l.WorkerBits, l.SeqBits, 0
}

// mask returns n low bits.
func mask(n uint8) uint64 { return 1<<n - 1 }

// Compose builds an ID; it is the inverse of Split. A field too large, or a time outside the layout, is ErrRange; the
// time is rounded down to its tick. Without TimeBits the time is ignored.
func (l Layout) Compose(p Parts) (ID, error) {
	if err := l.Validate(); err != nil {
		return 0, err
	}
	l = l.full()
	var tick uint64
	if l.TimeBits > 0 {
		t, _ := l.tickOf(p.Time)
		if t < 0 || uint64(t) > mask(l.TimeBits) {
			return 0, fmt.Errorf("%w: time %v is outside %v to %v", ErrRange, p.Time, l.Epoch, l.Expires())
		}
		tick = uint64(t)
	}
	switch {
	case uint64(p.Shard) > mask(l.ShardBits):
		return 0, fmt.Errorf("%w: shard %d needs more than %d bits", ErrRange, p.Shard, l.ShardBits)
	case uint64(p.Worker) > mask(l.WorkerBits):
		return 0, fmt.Errorf("%w: worker %d needs more than %d bits", ErrRange, p.Worker, l.WorkerBits)
	case p.Seq > mask(l.SeqBits):
		return 0, fmt.Errorf("%w: sequence %d needs more than %d bits", ErrRange, p.Seq, l.SeqBits)
	}
	ts, ss, ws, qs := l.shifts()
	return ID(tick<<ts | uint64(p.Shard)<<ss | uint64(p.Worker)<<ws | p.Seq<<qs), nil
}

// Split takes an ID apart. A negative ID, or bits above the layout, are ErrRange.
func (l Layout) Split(id ID) (Parts, error) {
	if err := l.Validate(); err != nil {
		return Parts{}, err
	}
	l = l.full()
	if id < 0 || uint64(id) > mask(uint8(l.bits())) {
		return Parts{}, fmt.Errorf("%w: %d is not an ID of %d bits", ErrRange, int64(id), l.bits())
	}
	_, _, _, qs := l.shifts()
	return Parts{
		Time: l.Time(id), Shard: l.Shard(id), Worker: l.Worker(id), Seq: uint64(id) >> qs & mask(l.SeqBits),
	}, nil
}

// Time returns the start of the ID's tick in UTC. It reads the bits as they are: use Check for an ID from outside.
func (l Layout) Time(id ID) time.Time {
	l = l.full()
	ts, _, _, _ := l.shifts()
	t, _ := l.tickTime(uint64(id) >> ts & mask(l.TimeBits))
	return t
}

// Shard returns the shard field, the birth shard of a row. It reads the bits as they are. Callers route by it, so it
// costs a shift.
func (l Layout) Shard(id ID) uint32 {
	pos := l.SeqBits + l.WorkerBits
	if l.SeqFirst {
		pos = 0
	}
	return uint32(uint64(id) >> pos & mask(l.ShardBits)) // the default layout has no shard, which is 0 here too
}

// Worker returns the worker field. It reads the bits as they are.
func (l Layout) Worker(id ID) uint32 {
	if l.TimeBits|l.ShardBits|l.WorkerBits|l.SeqBits == 0 {
		l = l.full()
	}
	pos := l.SeqBits
	if l.SeqFirst {
		pos = l.ShardBits
	}
	return uint32(uint64(id) >> pos & mask(l.WorkerBits))
}

// Check refuses an ID that this layout cannot have issued by now+slack: zero, a negative number, bits above the
// layout, or a time later than that. The error is ErrRange.
func (l Layout) Check(id ID, now time.Time, slack time.Duration) error {
	p, err := l.Split(id)
	if err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("%w: 0 is never issued", ErrRange)
	}
	if l.full().TimeBits > 0 && p.Time.After(now.Add(slack)) {
		return fmt.Errorf("%w: %d was issued at %v, after %v", ErrRange, int64(id), p.Time, now.Add(slack))
	}
	return nil
}

// Rate returns how many IDs per second one worker can issue.
func (l Layout) Rate() float64 {
	l = l.full()
	return float64(uint64(1)<<l.SeqBits) / l.Unit.Seconds()
}
