package redisid

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

// Counter is an idgen.Counter in one key, which holds the last number given out. It is safe for concurrent use.
type Counter struct {
	do     command
	key    string
	o      CounterOptions
	start  script
	floor  script
	origin int64 // FloorEpoch in microseconds since 1970
}

// CounterOptions are the options of NewCounter. The zero value is a plain INCRBY from 1.
type CounterOptions struct {
	First int64 // first number of a new counter; default 1

	// FloorRate > 0 keeps the counter above (server time - FloorEpoch) * FloorRate, so that a flush or a fail-over that
	// loses writes cannot repeat numbers. IDs per second, at most 1e9.
	FloorRate  int64
	FloorEpoch time.Time // default 2025-01-01 UTC
}

// maxRate keeps rate * microseconds below 2^53.
const maxRate = 1_000_000_000

// startScript begins a new counter at First-1. The sum comes back as text: Lua's doubles end at 2^53.
const startScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], ARGV[2]) end
local r = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(r) == 'table' and r.err then
  if string.find(r.err, 'overflow') then return {'overflow'} end
  return {'error', r.err}
end
return {'ok', redis.call('GET', KEYS[1])}`

// floorScript keeps the counter above the floor. Seconds and their fraction are multiplied apart, each below 2^53.
const floorScript = `
local n, last, rate, origin = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local cur = redis.call('GET', KEYS[1])
if cur then
  last = tonumber(cur)
  if not last then return {'error', 'the key does not hold a number'} end
end
local t = redis.call('TIME')
local us = t[1] * 1000000 + t[2] - origin
local s = math.floor(us / 1000000)
local floor = s * rate + math.floor((us - s * 1000000) * rate / 1000000)
last = math.max(last, floor) + n
if last >= 9007199254740992 then return {'overflow'} end
local text = string.format('%.0f', last)
redis.call('SET', KEYS[1], text)
return {'ok', text}`

// NewCounter returns the counter in key, over the Do of any client. A nil do, an empty key, and a negative First or
// FloorRate, or one above its limit, are idgen.ErrInvalid.
func NewCounter[R Reply](do func(ctx context.Context, args ...any) R, key string, o CounterOptions) (*Counter, error) {
	if err := checkName("key", key, do == nil); err != nil {
		return nil, err
	}
	if o.First == 0 {
		o.First = 1
	}
	if o.First < 0 {
		return nil, fmt.Errorf("%w: redisid: First is %d, at least 1", idgen.ErrInvalid, o.First)
	}
	if o.FloorRate < 0 || o.FloorRate > maxRate {
		return nil, fmt.Errorf("%w: redisid: FloorRate is %d, 0 to %d", idgen.ErrInvalid, o.FloorRate, maxRate)
	}
	if o.FloorEpoch.IsZero() {
		o.FloorEpoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if year := o.FloorEpoch.Year(); year < 1970 || year > 2200 {
		return nil, fmt.Errorf("%w: redisid: FloorEpoch is in %d, 1970 to 2200", idgen.ErrInvalid, year)
	}
	return &Counter{
		do: commandOf(do), key: key, o: o, origin: o.FloorEpoch.UnixMicro(),
		start: newScript(startScript), floor: newScript(floorScript),
	}, nil
}

// Reserve implements idgen.Counter in one round trip. An error that is neither ErrRange nor ErrOverflow leaves the outcome
// unknown: the range may be reserved and is then lost.
func (c *Counter) Reserve(ctx context.Context, n int64) (first int64, err error) {
	if c.do == nil {
		return 0, fmt.Errorf("redisid: use NewCounter: %w", idgen.ErrClosed)
	}
	if n <= 0 || n > 1<<40 {
		return 0, fmt.Errorf("%w: redisid: n is %d, 1 to %d", idgen.ErrRange, n, int64(1<<40))
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	last, overflow, err := c.add(ctx, n)
	switch {
	case overflow:
		return 0, fmt.Errorf("%w: redisid: %d more than the counter has", idgen.ErrOverflow, n)
	case err != nil:
		return 0, fmt.Errorf("redisid: reserve %d numbers: %w", n, err)
	case last < math.MinInt64+n:
		return 0, fmt.Errorf("%w: redisid: the counter stands at %d", idgen.ErrRange, last)
	}
	return last - n + 1, nil
}

func (c *Counter) add(ctx context.Context, n int64) (last int64, overflow bool, err error) {
	if c.o.FloorRate == 0 && c.o.First == 1 {
		return c.increment(ctx, n)
	}
	var words []string
	if c.o.FloorRate == 0 {
		words, err = c.start.run(ctx, c.do, c.key, n, c.o.First-1)
	} else {
		words, err = c.floor.run(ctx, c.do, c.key, n, c.o.First-1, c.o.FloorRate, c.origin)
	}
	if err != nil {
		return 0, false, err
	}
	switch words[0] {
	case "ok":
		v, err := integers(words, 1)
		if err != nil {
			return 0, false, err
		}
		return v[0], false, nil
	case "overflow":
		return 0, true, nil
	}
	return 0, false, fmt.Errorf("the server says %.100q", words)
}

// increment is the plain command.
func (c *Counter) increment(ctx context.Context, n int64) (last int64, overflow bool, err error) {
	v, err := c.do(ctx, "INCRBY", c.key, n)
	if err != nil {
		return 0, strings.Contains(err.Error(), "would overflow"), err
	}
	last, ok := v.(int64)
	if !ok {
		return 0, false, fmt.Errorf("unexpected reply %T", v)
	}
	return last, false, nil
}
