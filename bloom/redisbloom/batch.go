package redisbloom

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"github.com/sysblocks/sysblocks/bloom"
)

// mostOperations bounds the sub-operations of one command, so that no command holds the server for long: 4,096 take it
// well under a millisecond.
const mostOperations = 4096

// probe is a key of a batch.
type probe struct {
	index int // in the batch
	shard uint64
	first int64 // bit of its block in the shard
	mask  [8]uint64
}

// AddMany adds all keys. After an error some may have been added; adding again is harmless.
func (f *Filter) AddMany(ctx context.Context, keys []bloom.Key) error {
	_, err := f.TestAndAddMany(ctx, nil, keys)
	return err
}

// TestMany tests all keys and appends one result per key to dst, in their order. On an error dst keeps its length.
func (f *Filter) TestMany(ctx context.Context, dst []bool, keys []bloom.Key) ([]bool, error) {
	return f.batch(dst, keys, func(c *command, p probe) int { return c.get(p) },
		func(c *command, out []bool) error { return c.test(ctx, f, out) })
}

// TestAndAddMany does TestAndAdd with every key in order and appends one result per key to dst: a key that is repeated in
// keys is present from its second place on. On an error dst keeps its length, and some keys may have been added.
func (f *Filter) TestAndAddMany(ctx context.Context, dst []bool, keys []bloom.Key) ([]bool, error) {
	return f.batch(dst, keys, func(c *command, p probe) int { return c.set(p) },
		func(c *command, out []bool) error { return c.testAndAdd(ctx, f, out) })
}

// batch groups the keys by shard, keeping their order in each, and sends full commands.
func (f *Filter) batch(dst []bool, keys []bloom.Key, put func(*command, probe) int, send func(*command, []bool) error) ([]bool, error) {
	n := len(dst)
	out := make([]bool, len(keys))
	probes := make([]probe, len(keys))
	for i, k := range keys {
		block, mask := f.layout.Probe(k)
		shard, first := f.place.shard(block)
		probes[i] = probe{i, shard, first, mask}
	}
	slices.SortStableFunc(probes, func(a, b probe) int { return cmp.Compare(a.shard, b.shard) })
	var c command
	for i, p := range probes {
		if i == 0 || p.shard != c.shard || c.operations+mostBits > mostOperations {
			if len(c.probes) > 0 {
				if err := send(&c, out); err != nil {
					return dst[:n], err
				}
			}
			c = command{shard: p.shard, args: []any{"", f.place.key(p.shard)}}
		}
		c.operations += put(&c, p)
		c.probes = append(c.probes, p)
	}
	if len(c.probes) > 0 {
		if err := send(&c, out); err != nil {
			return dst[:n], err
		}
	}
	return append(dst, out...), nil
}

// command is a BITFIELD in the making.
type command struct {
	shard      uint64
	args       []any
	operations int
	probes     []probe
}

// get asks for the words of a key.
func (c *command) get(p probe) (operations int) {
	for w, m := range p.mask {
		if m != 0 {
			c.args = append(c.args, "GET", "i64", p.first+64*int64(w))
			operations++
		}
	}
	return operations
}

// set sets the bits of a key, asking for their old values.
func (c *command) set(p probe) (operations int) {
	var buf [mostBits]int64
	all := offsets(buf[:0], p.first, p.mask)
	for _, off := range all {
		c.args = append(c.args, "SET", "u1", off, 1)
	}
	return len(all)
}

// test sends the command and judges each key by its words.
func (c *command) test(ctx context.Context, f *Filter, out []bool) error {
	c.args[0] = "BITFIELD_RO"
	v, err := f.do(ctx, c.args...)
	if err != nil {
		return err
	}
	words, err := list(v, c.operations)
	if err != nil {
		return err
	}
	for _, p := range c.probes {
		present := true
		for _, m := range p.mask {
			if m == 0 {
				continue
			}
			n, ok := words[0].(int64)
			if !ok {
				return unexpected(words[0], "an integer")
			}
			words = words[1:]
			// Redis reads the bytes of the word from the high end.
			present = present && m&^bits.ReverseBytes64(uint64(n)) == 0
		}
		out[p.index] = present
	}
	return nil
}

// testAndAdd sends the command and judges each key by its old bits.
func (c *command) testAndAdd(ctx context.Context, f *Filter, out []bool) error {
	c.args[0] = "BITFIELD"
	v, err := f.do(ctx, c.args...)
	if err != nil {
		return err
	}
	old, err := list(v, c.operations)
	if err != nil {
		return err
	}
	for _, p := range c.probes {
		present := true
		for _, m := range p.mask {
			for range bits.OnesCount64(m) {
				bit, err := number(old[0], 0, 1)
				if err != nil {
					return err
				}
				old = old[1:]
				present = present && bit == 1
			}
		}
		out[p.index] = present
	}
	return nil
}
