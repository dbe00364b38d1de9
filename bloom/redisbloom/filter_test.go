package redisbloom

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"github.com/sysblocks/sysblocks/bloom"
)

func newFilter(tb testing.TB, m *memory, capacity uint64, rate float64, o Options) *Filter {
	tb.Helper()
	f, err := New(tb.Context(), m.Do, "f", capacity, rate, o)
	require.NoError(tb, err)
	return f
}

func TestOneCommandPerOperation(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 100_000, 0.01, Options{ShardBytes: 64 * 65})
	require.Equal(t, "SETNX", m.take())
	require.NoError(t, f.Add(t.Context(), bloom.String("a")))
	require.Equal(t, "BITFIELD", m.take())
	present, err := f.Test(t.Context(), bloom.String("a"))
	require.NoError(t, err)
	require.True(t, present)
	require.Equal(t, "BITFIELD_RO", m.take())
	present, err = f.TestAndAdd(t.Context(), bloom.String("b"))
	require.NoError(t, err)
	require.False(t, present)
	require.Equal(t, "BITFIELD", m.take())
	present, err = f.TestAndAdd(t.Context(), bloom.String("b"))
	require.NoError(t, err)
	require.True(t, present)
}

// The bits on the server are the bits of a local filter: the model, for random programs over all layouts and shard sizes.
func TestServerAndLocalFilterHoldTheSameBits(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 71))
		rate := []float64{0.3, 0.1, 0.01, 0.003, 1e-3, 1e-4, 1e-6}[rng.IntN(7)]
		m := newMemory()
		m.bytes = seed%2 == 0
		f := newFilter(t, m, 5000, rate, Options{ShardBytes: []int{4096, 64 * 65, 64 * 77}[rng.IntN(3)]})
		local, err := bloom.New(5000, rate, bloom.Options{})
		require.NoError(t, err)
		require.Equal(t, local.Layout(), f.Layout())
		for range 40 {
			keys := make([]bloom.Key, rng.IntN(60))
			for i := range keys {
				keys[i] = bloom.Uint64(rng.Uint64N(4000))
			}
			dst := []bool{true}
			switch rng.IntN(4) {
			case 0:
				require.NoError(t, f.AddMany(t.Context(), keys))
				local.AddMany(keys)
			case 1:
				got, err := f.TestMany(t.Context(), dst, keys)
				require.NoError(t, err)
				require.Equal(t, local.TestMany(dst, keys), got)
			case 2:
				got, err := f.TestAndAddMany(t.Context(), dst, keys)
				require.NoError(t, err)
				require.Equal(t, local.TestAndAddMany(dst, keys), got, "seed %d", seed)
			case 3:
				k := bloom.Uint64(rng.Uint64N(4000))
				got, err := f.TestAndAdd(t.Context(), k)
				require.NoError(t, err)
				require.Equal(t, local.TestAndAdd(k), got)
			}
		}
		loaded, err := f.Load(t.Context())
		require.NoError(t, err)
		require.True(t, loaded.Equal(local), "seed %d", seed)
		require.Equal(t, local.Layout(), loaded.Layout())
		// A filter saved elsewhere is the same again.
		other, err := New(t.Context(), m.Do, "g", 5000, rate, Options{ShardBytes: 8192})
		require.NoError(t, err)
		require.NoError(t, other.Save(t.Context(), local))
		loaded, err = other.Load(t.Context())
		require.NoError(t, err)
		require.True(t, loaded.Equal(local))
		require.NoError(t, f.Delete(t.Context()))
		require.NoError(t, f.Delete(t.Context()), "deleting nothing is no error")
		require.NoError(t, other.Delete(t.Context()))
		require.Empty(t, m.strings)
	}
}

func TestLongCommandsAreCut(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 10_000, 0.0001, Options{})
	keys := make([]bloom.Key, 3000)
	for i := range keys {
		keys[i] = bloom.Uint64(uint64(i))
	}
	require.NoError(t, f.AddMany(t.Context(), keys))
	require.LessOrEqual(t, m.most, 4096)
	require.Greater(t, m.most, 4000)
	out, err := f.TestMany(t.Context(), nil, keys)
	require.NoError(t, err)
	require.NotContains(t, out, false)
	out, err = f.TestMany(t.Context(), out[:0], nil)
	require.NoError(t, err)
	require.Empty(t, out)
}

func TestAttachAndOpen(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 1000, 0.01, Options{ShardBytes: 4096})
	require.NoError(t, f.Add(t.Context(), bloom.String("a")))
	same := newFilter(t, m, 1000, 0.01, Options{ShardBytes: 4096})
	opened, err := Open(t.Context(), m.Do, "f", Options{})
	require.NoError(t, err)
	for _, g := range []*Filter{same, opened} {
		present, err := g.Test(t.Context(), bloom.String("a"))
		require.NoError(t, err)
		require.True(t, present)
		require.Equal(t, f.place, g.place)
		require.Equal(t, f.Layout(), g.Layout())
	}
	for _, c := range []struct {
		capacity uint64
		rate     float64
		o        Options
	}{{1001, 0.01, Options{ShardBytes: 4096}}, {1000, 0.02, Options{ShardBytes: 4096}}, {1000, 0.01, Options{}}} {
		_, err = New(t.Context(), m.Do, "f", c.capacity, c.rate, c.o)
		require.ErrorIs(t, err, bloom.ErrIncompatible)
	}
	_, err = Open(t.Context(), m.Do, "nobody", Options{})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = Open(t.Context(), m.Do, "f", Options{MaxBytes: 64})
	require.ErrorIs(t, err, bloom.ErrTooLarge)
}

func TestArgumentsOutOfRange(t *testing.T) {
	m := newMemory()
	for _, size := range []int{-64, 64, 4095, 4096 + 32, 512<<20 + 64} {
		_, err := New(t.Context(), m.Do, "f", 1000, 0.01, Options{ShardBytes: size})
		require.ErrorIs(t, err, bloom.ErrInvalid, "%d", size)
		require.ErrorContains(t, err, "ShardBytes")
	}
	_, err := New(t.Context(), m.Do, "", 1000, 0.01, Options{})
	require.ErrorIs(t, err, bloom.ErrInvalid)
	_, err = New(t.Context(), m.Do, "f", 0, 0.01, Options{})
	require.ErrorIs(t, err, bloom.ErrInvalid)
	_, err = New(t.Context(), m.Do, "f", 1000, math.NaN(), Options{})
	require.ErrorIs(t, err, bloom.ErrInvalid)
	_, err = New(t.Context(), m.Do, "f", 1<<40, 0.01, Options{})
	require.ErrorIs(t, err, bloom.ErrTooLarge)
	for _, c := range []struct {
		name     string
		capacity uint64
		rate     float64
		span     time.Duration
		want     error
	}{
		{"w", 100, 0.01, time.Millisecond - 1, bloom.ErrInvalid},
		{"w", 100, 1e-9, time.Second, bloom.ErrInvalid},
		{"w", 0, 0.01, time.Second, bloom.ErrInvalid},
		{"", 100, 0.01, time.Second, bloom.ErrInvalid},
		{"{w}", 100, 0.01, time.Second, bloom.ErrInvalid},
		{"w", 1 << 38, 0.01, time.Second, bloom.ErrTooLarge},
	} {
		_, err := NewWindow(m.Do, c.name, c.capacity, c.rate, c.span, Options{})
		require.ErrorIs(t, err, c.want, "%+v", c)
	}
	require.Empty(t, m.commands, "nothing is sent")
}

func TestDamagedDescriptionsAreRefused(t *testing.T) {
	m := newMemory()
	newFilter(t, m, 1000, 0.01, Options{})
	good := string(m.strings["f"])
	require.Len(t, good, 80)
	for i := range good {
		b := []byte(good)
		b[i] ^= 1
		m.strings["f"] = b
		_, err := Open(t.Context(), m.Do, "f", Options{})
		require.ErrorIs(t, err, bloom.ErrCorrupt, "byte %d", i)
		_, err = New(t.Context(), m.Do, "f", 1000, 0.01, Options{})
		require.ErrorIs(t, err, bloom.ErrCorrupt, "byte %d", i)
	}
	for _, s := range []string{good[:79], good + "x", "x"} {
		m.strings["f"] = []byte(s)
		_, err := Open(t.Context(), m.Do, "f", Options{})
		require.ErrorIs(t, err, bloom.ErrCorrupt)
	}
	for _, shard := range []uint64{0, 64, 4097, 1 << 40, math.MaxUint64} {
		b := binary.LittleEndian.AppendUint64([]byte(good[:64]), shard)
		m.strings["f"] = binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
		_, err := Open(t.Context(), m.Do, "f", Options{})
		require.ErrorIs(t, err, bloom.ErrCorrupt, "%d", shard)
	}
}

func TestMissingAndShortShardsAreZerosAndLongOnesDamage(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 10_000, 0.01, Options{ShardBytes: 4096})
	empty, err := f.Load(t.Context())
	require.NoError(t, err)
	require.Zero(t, empty.Stats().Fill)
	require.Equal(t, uint64(4), f.shards())
	m.strings["f:1"] = make([]byte, 4096)
	_, err = f.Load(t.Context())
	require.NoError(t, err)
	m.strings["f:1"] = make([]byte, 4097)
	_, err = f.Load(t.Context())
	require.ErrorIs(t, err, bloom.ErrCorrupt)
	require.NotErrorIs(t, err, ErrReply)
	delete(m.strings, "f:1")
	m.strings["f:3"] = make([]byte, f.shardBytes(3)+1)
	require.Less(t, f.shardBytes(3), int64(4096))
	_, err = f.Load(t.Context())
	require.ErrorIs(t, err, bloom.ErrCorrupt)
	f.limit = 100
	_, err = f.Load(t.Context())
	require.ErrorIs(t, err, bloom.ErrTooLarge)
	g, err := bloom.New(20_000, 0.01, bloom.Options{})
	require.NoError(t, err)
	require.ErrorIs(t, f.Save(t.Context(), g), bloom.ErrIncompatible)
}

func TestShardsLargerThanOnePiece(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 2_000_000, 0.01, Options{ShardBytes: 1<<20 + 128})
	local, err := bloom.New(2_000_000, 0.01, bloom.Options{})
	require.NoError(t, err)
	for i := range uint64(100_000) {
		local.Add(bloom.Uint64(i))
	}
	require.NoError(t, f.Save(t.Context(), local))
	loaded, err := f.Load(t.Context())
	require.NoError(t, err)
	require.True(t, loaded.Equal(local))
}

// Every failure is an error and never an answer, and comes back as it is.
func TestFailuresAreReturnedAsTheyAre(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 1000, 0.01, Options{ShardBytes: 4096})
	g, err := bloom.New(1000, 0.01, bloom.Options{})
	require.NoError(t, err)
	calls := map[string]func(ctx context.Context) error{
		"New":        func(ctx context.Context) error { _, err := New(ctx, m.Do, "x", 10, 0.1, Options{}); return err },
		"Open":       func(ctx context.Context) error { _, err := Open(ctx, m.Do, "f", Options{}); return err },
		"Add":        func(ctx context.Context) error { return f.Add(ctx, bloom.Key{}) },
		"Test":       func(ctx context.Context) error { _, err := f.Test(ctx, bloom.Key{}); return err },
		"TestAndAdd": func(ctx context.Context) error { _, err := f.TestAndAdd(ctx, bloom.Key{}); return err },
		"Load":       func(ctx context.Context) error { _, err := f.Load(ctx); return err },
		"Save":       func(ctx context.Context) error { return f.Save(ctx, g) },
		"Delete":     f.Delete,
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		require.Equal(t, context.Canceled, call(canceled), name)
		for _, text := range []string{
			"WRONGTYPE Operation against a key holding the wrong kind of value", "OOM command not allowed",
			"READONLY You can't write against a read only replica.",
		} {
			broken := errors.New(text)
			m.fail = func([]any) error { return broken }
			m.commands = nil
			require.Equal(t, broken, call(t.Context()), name)
			require.Len(t, m.commands, 1, "%s is not sent twice", name)
		}
		m.fail = func(args []any) error { return errors.New("ERR unknown command '" + args[0].(string) + "'") }
		require.ErrorIs(t, call(t.Context()), ErrUnsupported, name)
		m.fail = nil
	}
	// A batch keeps dst as it was.
	broken := errors.New("connection reset")
	m.fail = func([]any) error { return broken }
	dst, err := f.TestMany(t.Context(), []bool{true}, []bloom.Key{{}, {}})
	require.Equal(t, broken, err)
	require.Equal(t, []bool{true}, dst)
	dst, err = f.TestAndAddMany(t.Context(), dst, []bloom.Key{{}, {}})
	require.Equal(t, broken, err)
	require.Equal(t, []bool{true}, dst)
}

func TestUnexpectedRepliesAreErrors(t *testing.T) {
	m := newMemory()
	f := newFilter(t, m, 1000, 0.01, Options{})
	g, err := bloom.New(1000, 0.01, bloom.Options{})
	require.NoError(t, err)
	var answer any
	do := func(context.Context, ...any) reply { return reply{answer, nil} }
	f.do = connect(do)
	w, err := NewWindow(do, "w", 1000, 0.01, time.Second, Options{})
	require.NoError(t, err)
	n := &Native{do: f.do}
	for _, answer = range []any{
		nil, "", "no", 1.5, int(1), int64(2), int64(-1),
		[]any{},
		[]any{nil},
		[]any{int64(1)},
		[]any{"0", "0"},
		[]any{int64(0), int64(2), int64(0), int64(0), int64(0), int64(7)},
		map[any]any{},
		strings.Repeat("x", 100_000), true,
	} {
		k := bloom.String("k")
		_, isBool := answer.(bool)
		_, isString := answer.(string)
		present, err := f.Test(t.Context(), k)
		require.ErrorIs(t, err, ErrReply, "%v", answer)
		require.False(t, present)
		_, err = f.TestAndAdd(t.Context(), k)
		require.ErrorIs(t, err, ErrReply, "%v", answer)
		require.ErrorIs(t, f.Add(t.Context(), k), ErrReply, "%v", answer)
		require.ErrorIs(t, f.Save(t.Context(), g), ErrReply, "%v", answer)
		_, err = w.TestAndAdd(t.Context(), k)
		require.ErrorIs(t, err, ErrReply, "%v", answer)
		if !isBool {
			_, err = n.TestAndAdd(t.Context(), "k")
			require.ErrorIs(t, err, ErrReply, "%v", answer)
		}
		if !isString {
			_, err = f.Load(t.Context())
			require.ErrorIs(t, err, ErrReply, "%v", answer)
			_, err = Open(t.Context(), do, "f", Options{})
			require.ErrorIs(t, err, ErrReply, "%v", answer)
		}
		_, err = New(t.Context(), do, "f", 10, 0.1, Options{})
		require.Error(t, err)
	}
}

func TestOneWinnerAmongRacingClients(t *testing.T) {
	m := newMemory()
	clients := []*Filter{newFilter(t, m, 1000, 1e-6, Options{}), newFilter(t, m, 1000, 1e-6, Options{})}
	var wins [100]atomic.Int32
	var wg sync.WaitGroup
	for r := range 16 {
		wg.Go(func() {
			for i := range wins {
				present, err := clients[r%2].TestAndAdd(context.Background(), bloom.Uint64(uint64(i)))
				if err == nil && !present {
					wins[i].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for i := range wins {
		require.EqualValues(t, 1, wins[i].Load())
	}
}

func TestScriptIsSentOnceByText(t *testing.T) {
	var sent []string
	known := false
	do := func(_ context.Context, args ...any) reply {
		name := args[0].(string)
		sent = append(sent, name)
		if name == "EVALSHA" && !known {
			return reply{nil, errors.New("NOSCRIPT No matching script")}
		}
		if name == "EVAL" {
			require.Equal(t, windowScript, args[1])
		} else {
			sum := sha1.Sum([]byte(windowScript))
			require.Equal(t, hex.EncodeToString(sum[:]), args[1])
		}
		known = true
		for _, key := range args[3:9] {
			require.True(t, strings.HasPrefix(key.(string), "{w:0:"), key)
		}
		return reply{int64(1), nil}
	}
	w, err := NewWindow(do, "w", 1000, 0.01, time.Minute, Options{})
	require.NoError(t, err)
	require.Equal(t, int64(15_000), w.slice)
	for range 2 {
		present, err := w.Test(t.Context(), bloom.String("a"))
		require.NoError(t, err)
		require.True(t, present)
	}
	require.Equal(t, []string{"EVALSHA", "EVAL", "EVALSHA"}, sent)
}

func TestNativeCommands(t *testing.T) {
	items := map[string]bool{}
	var reserved []any
	do := func(_ context.Context, args ...any) reply {
		switch args[0] {
		case "BF.RESERVE":
			if reserved != nil {
				return reply{nil, errors.New("ERR item exists")}
			}
			reserved = args
			return reply{"OK", nil}
		case "BF.EXISTS":
			return reply{items[args[2].(string)], nil} // as in RESP3
		}
		fresh := !items[args[2].(string)]
		items[args[2].(string)] = true
		if fresh {
			return reply{int64(1), nil}
		}
		return reply{int64(0), nil}
	}
	for range 2 {
		_, err := NewNative(t.Context(), do, "n", 1000, 1e-6)
		require.NoError(t, err)
	}
	require.Equal(t, []any{"BF.RESERVE", "n", "0.000001", "1000"}, reserved)
	n, err := NewNative(t.Context(), do, "n", 1000, 1e-6)
	require.NoError(t, err)
	present, err := n.TestAndAdd(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, present)
	present, err = n.TestAndAdd(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, present)
	require.NoError(t, n.Add(t.Context(), "b"))
	for item, want := range map[string]bool{"a": true, "b": true, "c": false} {
		present, err = n.Test(t.Context(), item)
		require.NoError(t, err)
		require.Equal(t, want, present)
	}
	_, err = NewNative(t.Context(), newMemory().Do, "n", 1000, 0.01)
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = NewNative(t.Context(), do, "n", 1000, 0)
	require.ErrorIs(t, err, bloom.ErrInvalid)
}
