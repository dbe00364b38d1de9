package idgen

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKnownAnswersOfOtherSystems(t *testing.T) {
	p, err := Discord().Split(175928847299117063)
	require.NoError(t, err)
	require.Equal(t, Parts{Time: time.Date(2016, 4, 30, 11, 18, 25, 796e6, time.UTC), Shard: 1, Worker: 0, Seq: 7}, p)

	id, err := Instagram().Compose(Parts{
		Time: time.UnixMilli(1314220021721 + 1387263000), Shard: 1341, Seq: 5001 % 1024,
	})
	require.NoError(t, err)
	require.Equal(t, ID(11637205501278089), id)

	// sonyflake v2: elapsed<<24 | sequence<<16 | machine, in units of 10 ms.
	id, err = Sonyflake().Compose(Parts{Time: time.Date(2025, 1, 1, 0, 0, 1, 0, time.UTC), Worker: 0xabcd, Seq: 3})
	require.NoError(t, err)
	require.Equal(t, ID(100<<24|3<<16|0xabcd), id)

	// The worked example of Wikipedia's article on snowflake IDs, a tweet of June 2022.
	p, err = Twitter().Split(1541815603606036480)
	require.NoError(t, err)
	require.Equal(t, Parts{Time: time.UnixMilli(1656432460105).UTC(), Worker: 378}, p)
}

func TestPresetsEndWhenTheySay(t *testing.T) {
	for name, c := range map[string]struct {
		l    Layout
		year int
		bits int
	}{
		"default": {Layout{}.full(), 2094, 63}, "Twitter": {Twitter(), 2080, 63}, "Sonyflake": {Sonyflake().full(), 2199, 63},
		"Instagram": {Instagram(), 2046, 63}, "Discord": {Discord(), 2084, 63}, "TSID": {TSID(), 2089, 63},
		"JSSafe": {JSSafe().full(), 2112, 53},
	} {
		require.NoError(t, c.l.Validate(), name)
		require.Equal(t, c.year, c.l.Expires().Year(), name)
		require.Equal(t, c.bits, c.l.bits(), name)
	}
	require.InDelta(t, 4_096_000, Layout{}.Rate(), 1)
	require.InDelta(t, 25_600, Sonyflake().Rate(), 1)
}

func TestValidateNamesTheField(t *testing.T) {
	for field, l := range map[string]Layout{
		"64 bits":    {TimeBits: 41, WorkerBits: 11, SeqBits: 12},
		"ShardBits":  {TimeBits: 20, ShardBits: 32},
		"WorkerBits": {TimeBits: 20, WorkerBits: 32},
		"Unit":       {Unit: time.Microsecond - 1},
		"Unit is":    {Unit: 24*time.Hour + 1},
		"Unit is -":  {Unit: -time.Second},
		"Epoch":      {Epoch: time.Unix(maxEpoch+1, 0)},
		"TimeBits":   {TimeBits: 63, Unit: 24 * time.Hour},
		"1020 bits":  {TimeBits: 255, ShardBits: 255, WorkerBits: 255, SeqBits: 255},
	} {
		err := l.Validate()
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, field)
		_, err = l.Compose(Parts{})
		require.ErrorIs(t, err, ErrInvalid)
		_, err = l.Split(1)
		require.ErrorIs(t, err, ErrInvalid)
		_, _, _ = l.Time(maxID), l.Shard(maxID), l.Worker(maxID) // no panic
		lo, hi := l.Range(time.Now(), time.Now().Add(time.Hour))
		require.Equal(t, lo, hi)
	}
}

// anyLayout draws a valid layout, with units and epochs from the whole range.
func anyLayout(r *rand.Rand) Layout {
	for {
		l := Layout{
			TimeBits: uint8(1 + r.IntN(63)), ShardBits: uint8(r.IntN(20)), WorkerBits: uint8(r.IntN(20)), SeqBits: uint8(r.IntN(24)),
			Unit: time.Duration(r.Int64N(int64(24*time.Hour))) >> r.IntN(36), SeqFirst: r.IntN(2) == 0,
			Epoch: time.Unix(r.Int64N(1<<36)-1<<35, r.Int64N(1e9)).UTC(),
		}
		if l.Validate() == nil {
			return l.full()
		}
	}
}

func TestSplitAndComposeAreInverse(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 5000 {
		l := anyLayout(r)
		id := ID(r.Uint64() & mask(uint8(l.bits())))
		p, err := l.Split(id)
		require.NoError(t, err)
		back, err := l.Compose(p)
		require.NoError(t, err, "%+v %+v", l, p)
		require.Equal(t, id, back, "%+v", l)
		require.Equal(t, p.Time, l.Time(id))
		require.Equal(t, p.Worker, l.Worker(id))
		require.Equal(t, p.Shard, l.Shard(id))

		// Any instant of the tick composes to the same ID, the last nanosecond before it does not.
		p.Time = p.Time.Add(l.Unit - 1)
		back, err = l.Compose(p)
		require.NoError(t, err)
		require.Equal(t, id, back)
		p.Time = p.Time.Add(1)
		if back, err = l.Compose(p); err == nil {
			require.NotEqual(t, id, back)
		}
	}
}

func TestComposeChecksEveryField(t *testing.T) {
	l := Layout{TimeBits: 10, ShardBits: 3, WorkerBits: 4, SeqBits: 5, Unit: time.Second}.full()
	good := Parts{Time: l.Epoch, Shard: 7, Worker: 15, Seq: 31}
	_, err := l.Compose(good)
	require.NoError(t, err)
	for _, change := range []func(*Parts){
		func(p *Parts) { p.Shard = 8 }, func(p *Parts) { p.Worker = 16 }, func(p *Parts) { p.Seq = 32 },
		func(p *Parts) { p.Time = l.Epoch.Add(-1) }, func(p *Parts) { p.Time = l.Expires() },
		func(p *Parts) { p.Time = time.Time{} }, func(p *Parts) { p.Time = time.Unix(math.MaxInt64, 0) },
		func(p *Parts) { p.Time = time.Unix(math.MinInt64, 0) },
	} {
		p := good
		change(&p)
		_, err := l.Compose(p)
		require.ErrorIs(t, err, ErrRange)
	}
	for _, id := range []ID{-1, 1 << 22, maxID} {
		_, err := l.Split(id)
		require.ErrorIs(t, err, ErrRange)
	}
}

func TestTimesBeyondADurationAreExact(t *testing.T) {
	l := Layout{TimeBits: 50, SeqBits: 10, Unit: time.Hour, Epoch: time.Date(1, 1, 1, 0, 0, 0, 5, time.UTC)}
	tick := uint64(1) << 49
	got := l.Time(ID(tick << 10))
	require.Equal(t, l.Epoch.Unix()+int64(tick)*3600, got.Unix())
	require.Equal(t, 5, got.Nanosecond())
	require.Equal(t, l.Epoch.Unix()+int64(1<<50)*3600, l.Expires().Unix())
	back, err := l.Compose(Parts{Time: got})
	require.NoError(t, err)
	require.Equal(t, ID(tick<<10), back)
}

func TestRangeCoversExactlyItsTicks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 3000 {
		l := anyLayout(r)
		ticks := mask(l.TimeBits)
		at := func() time.Time {
			start, ok := l.tickTime(min(r.Uint64()&ticks, ticks))
			require.True(t, ok)
			return start.Add(time.Duration(r.Int64N(5) - 2))
		}
		from, to := at(), at()
		lo, hi := l.Range(from, to)
		require.GreaterOrEqual(t, hi, lo)
		for range 10 {
			id := ID(r.Uint64() & mask(uint8(l.bits())))
			if r.IntN(2) == 0 { // near an edge
				id = ID(min(uint64(max(0, int64(lo)+r.Int64N(3)-1)), mask(uint8(l.bits()))))
			}
			start := l.Time(id)
			want := !start.Before(from) && start.Before(to)
			require.Equal(t, want, id >= lo && id < hi || want && id == maxID, "%+v %v %v %d", l, from, to, id)
		}
	}
	l := Layout{}
	lo, hi := l.Range(time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 0))
	require.Equal(t, ID(0), lo)
	require.Equal(t, ID(maxID), hi)
}

func TestCheckRefusesWhatCannotHaveBeenIssued(t *testing.T) {
	l := Discord()
	id := ID(175928847299117063)
	at := l.Time(id)
	require.NoError(t, l.Check(id, at, 0))
	require.NoError(t, l.Check(id, at.Add(-time.Second), time.Second))
	require.ErrorIs(t, l.Check(id, at.Add(-time.Second), time.Second-1), ErrRange)
	require.ErrorIs(t, l.Check(0, at, 0), ErrRange)
	require.ErrorIs(t, l.Check(-1, at, 0), ErrRange)
	require.ErrorIs(t, JSSafe().Check(1<<53, at.AddDate(200, 0, 0), 0), ErrRange)
	require.ErrorIs(t, Layout{Unit: -1}.Check(1, at, 0), ErrInvalid)
}
