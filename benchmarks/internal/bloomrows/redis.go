package bloomrows

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/benchmarks/internal/host"
	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/bloom/redisbloom"
)

// redisBatch is the number of keys of one operation.
const redisBatch = 1000

// redisRows compare a filter on a server with the two ways in which clients without a filter library do it: a classic
// filter of 7 hash functions, with a GETBIT for each bit, pipelined, or looked up by a script. The libraries that
// do the latter are not in the reach of this module.
func redisRows(d data) []harness.Row {
	on := func(name string, op func(c *redis.Client) (harness.Op, error)) harness.Contender {
		return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
			c, stop, err := host.Redis()
			if err != nil {
				return nil, nil, err
			}
			run, err := op(c)
			if err != nil {
				stop()
				return nil, nil, err
			}
			return run, stop, nil
		}}
	}
	return []harness.Row{{
		Workload: "redisbloom TestMany, 1,000 absent keys, local server", Target: harness.AtLeast(2), MaxAllocs: harness.NoAllocLimit,
		Ours:  on("redisbloom", func(c *redis.Client) (harness.Op, error) { return redisTestMany(c, d.absent) }),
		Peers: []harness.Contender{on("GETBIT in a pipeline", getbits), on("GETBIT in a script", scripted)},
	}}
}

func redisTestMany(c *redis.Client, hashes []uint64) (harness.Op, error) {
	ctx := context.Background()
	f, err := redisbloom.New(ctx, c.Do, "f", 100_000, 0.01, redisbloom.Options{})
	if err != nil {
		return nil, err
	}
	for i := uint64(0); i < 100_000; i += redisBatch {
		part := make([]bloom.Key, redisBatch)
		for j := range part {
			part[j] = bloom.Uint64(i + uint64(j))
		}
		if err := f.AddMany(ctx, part); err != nil {
			return nil, err
		}
	}
	keys, dst := ourKeys(hashes), make([]bool, 0, redisBatch)
	return func(n int) {
		for i := range n {
			at := i * redisBatch % (len(keys) - redisBatch)
			if dst, err = f.TestMany(ctx, dst[:0], keys[at:at+redisBatch]); err == nil {
				keep(one(dst[0]))
			}
		}
	}, err
}

const (
	redisBits   = 958_592 // a classic filter of 100,000 keys at 1 %
	redisHashes = 7
)

// halfFull stores a string whose every other bit is set, as in a classic filter at its capacity.
func halfFull(c *redis.Client) error {
	b := make([]byte, redisBits/8)
	for i := range b {
		b[i] = byte(bloom.Uint64(uint64(i)).Hash())
	}
	return c.Set(context.Background(), "f", b, 0).Err()
}

// place is the j-th bit of key i.
func place(i, j int) uint64 { return bloom.Uint64(uint64(i*redisHashes+j)).Hash() % redisBits }

func getbits(c *redis.Client) (harness.Op, error) {
	ctx := context.Background()
	return func(n int) {
		for i := range n {
			p := c.Pipeline()
			for j := range redisBatch * redisHashes {
				p.GetBit(ctx, "f", int64(place(i*redisBatch, j)))
			}
			if replies, err := p.Exec(ctx); err == nil {
				keep(uint64(len(replies)))
			}
		}
	}, halfFull(c)
}

func scripted(c *redis.Client) (harness.Op, error) {
	ctx := context.Background()
	script := redis.NewScript(`
local out, k = {}, tonumber(ARGV[1])
for i = 2, #ARGV, k do
  local all = 1
  for j = i, i + k - 1 do
    if redis.call('GETBIT', KEYS[1], ARGV[j]) == 0 then all = 0 break end
  end
  out[#out + 1] = all
end
return out`)
	return func(n int) {
		for i := range n {
			args := append(make([]any, 0, 1+redisBatch*redisHashes), redisHashes)
			for j := range redisBatch * redisHashes {
				args = append(args, place(i*redisBatch, j))
			}
			if replies, err := script.Run(ctx, c, []string{"f"}, args...).Slice(); err == nil {
				keep(uint64(len(replies)))
			}
		}
	}, halfFull(c)
}
