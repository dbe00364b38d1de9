package redislimit

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// script decides a batch of operations on one key, in order, as if they came one by one.
//
// KEYS[1] holds "t u1/U1 u2/U2 …": the server's time in microseconds and per limit the used units and the units of a
// token. ARGV: the number of limits; per limit the refill in units per microsecond, the units of a token, and the burst
// in units; then per operation its kind, n and m. Reply: per operation the tokens granted (-1: denied), then the used
// units of each limit. All numbers are integers below 2^53, which Lua's doubles hold exactly; %.0f writes all their digits.
const script = `
local k = tonumber(ARGV[1])
local c, U, B, u = {}, {}, {}, {}
for i = 1, k do
  c[i], U[i], B[i], u[i] = tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i]), tonumber(ARGV[3*i+1]), 0
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = now
local v = redis.call('GET', KEYS[1])
if v then
  local t, rest = string.match(v, '^(%d+)(.*)$')
  if not t then return redis.error_reply('ERR redislimit: the key holds something else') end
  last = tonumber(t)
  local i = 0
  for used, unit in string.gmatch(rest, ' (%d+)/(%d+)') do
    i = i + 1
    if i <= k then
      u[i] = tonumber(used)
      if tonumber(unit) ~= U[i] then u[i] = math.min(math.ceil(u[i] / tonumber(unit) * U[i]), B[i]) end
      u[i] = math.min(u[i], 2 * B[i])
    end
  end
  local elapsed, full = now - last, 1000000
  for i = 1, k do
    if c[i] > 0 then full = math.max(full, math.ceil(u[i] / c[i])) end
  end
  if elapsed < -full then last, elapsed = now, 0 end
  if elapsed < 0 then elapsed = 0 else last = now end
  for i = 1, k do
    if c[i] > 0 then u[i] = math.max(0, u[i] - math.min(elapsed, math.ceil(u[i] / c[i])) * c[i]) end
  end
end
local reply, changed = {}, false
for a = 3*k + 2, #ARGV, 3 do
  local kind, n, m = ARGV[a], tonumber(ARGV[a+1]), tonumber(ARGV[a+2])
  local granted = n
  if kind == 'c' then
    for i = 1, k do
      if n > 0 then u[i] = math.min(u[i] + n * U[i], math.max(u[i], 2 * B[i]))
      else u[i] = math.max(0, u[i] + n * U[i]) end
    end
    changed = true
  else
    for i = 1, k do
      if n > 0 and u[i] + n * U[i] > B[i] then granted = -1 end
    end
    if granted > 0 and kind ~= 'p' then
      for i = 1, k do
        m = math.min(m, math.floor(math.floor((B[i] - u[i]) / U[i]) / 8))
      end
      granted = math.max(n, m)
      for i = 1, k do u[i] = u[i] + granted * U[i] end
      changed = true
    end
  end
  reply[#reply+1] = granted
  for i = 1, k do reply[#reply+1] = u[i] end
end
if changed then
  local text, ttl, forever = string.format('%.0f', last), 0, false
  for i = 1, k do
    text = text .. string.format(' %.0f/%.0f', u[i], U[i])
    if u[i] > 0 then
      if c[i] == 0 then forever = true else ttl = math.max(ttl, math.ceil(u[i] / c[i] / 1000)) end
    end
  end
  ttl = ttl + math.ceil((last - now) / 1000) + 1000
  if forever then redis.call('SET', KEYS[1], text)
  else redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', ttl)) end
end
return reply
`

// exact bounds the integers that a Lua number holds exactly.
const exact = 1 << 53

func scriptSHA() string {
	sum := sha1.Sum([]byte(script)) // the name that EVALSHA wants, not a protection
	return hex.EncodeToString(sum[:])
}

// bucket is one limit in the script's integers.
type bucket struct {
	refill uint64 // units per microsecond; 0 for a quota
	token  uint64 // units per token
	burst  uint64 // in units
	tokens int64  // the burst in tokens
	name   string
}

// newBucket converts l, whose fields New has had checked.
func newBucket(l ratelimit.Limit) (bucket, error) {
	b := bucket{token: 1, tokens: l.Burst, name: l.Name}
	if b.tokens == 0 {
		b.tokens = l.Count
	}
	if b.name == "" {
		b.name = l.String()
	}
	if l.Count > 0 {
		if l.Per%time.Microsecond != 0 {
			return b, fmt.Errorf("%w: Limit.Per %v of %s, must be whole microseconds: choose a coarser Per", ErrInvalid, l.Per, l)
		}
		count, per := uint64(l.Count), uint64(l.Per/time.Microsecond)
		g := gcd(count, per)
		b.refill, b.token = count/g, per/g
	}
	hi, lo := bits.Mul64(uint64(b.tokens), b.token)
	if hi != 0 || lo >= exact/2-b.refill || b.refill >= exact/4 {
		return b, fmt.Errorf("%w: Limit %s needs numbers above 2^53: choose a coarser Per or a smaller Burst", ErrInvalid, l)
	}
	b.burst = lo
	return b, nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// kind of an operation; the letter that the script knows.
type kind string

const (
	take   kind = "t"
	peek   kind = "p"
	charge kind = "c"
)

// arguments builds the argument list behind the script's name and the key.
func (l *Limiter) arguments(name, text, key string, ops []*op) []any {
	args := make([]any, 0, 5+3*len(l.buckets)+3*len(ops))
	args = append(args, name, text, "1", key)
	args = append(args, l.constants...)
	for _, o := range ops {
		args = append(args, string(o.kind), strconv.FormatInt(l.clip(o.n), 10), strconv.Itoa(o.want))
	}
	return args
}

// clip keeps n where products of it stay far from the range of a double's exponent; beyond it all n act alike.
func (l *Limiter) clip(n int) int64 {
	return min(max(int64(n), -3*l.most), 3*l.most)
}

// result of one operation.
type result struct {
	granted int64 // -1: denied
	used    [8]uint64
}

// decode reads the script's reply strictly.
func decode(reply any, ops, limits int) ([]result, error) {
	list, ok := reply.([]any)
	if !ok || len(list) != ops*(1+limits) {
		return nil, fmt.Errorf("%w: %T with %d elements, want %d", ErrReply, reply, len(list), ops*(1+limits))
	}
	out := make([]result, ops)
	for i := range out {
		for j := range 1 + limits {
			n, err := integer(list[i*(1+limits)+j])
			if err != nil {
				return nil, err
			}
			switch {
			case j == 0:
				out[i].granted = n
			case n < 0:
				return nil, fmt.Errorf("%w: %d units used", ErrReply, n)
			default:
				out[i].used[j-1] = uint64(n)
			}
		}
	}
	return out, nil
}

// integer reads an integer in one of the forms in which clients deliver it.
func integer(v any) (int64, error) {
	var n int64
	var err error
	switch v := v.(type) {
	case int64:
		n = v
	case string:
		n, err = strconv.ParseInt(v, 10, 64)
	case []byte:
		n, err = strconv.ParseInt(string(v), 10, 64)
	default:
		return 0, fmt.Errorf("%w: %T for an integer", ErrReply, v)
	}
	if err != nil || n >= exact || n < -1 && n <= -exact {
		return 0, fmt.Errorf("%w: %.40q for an integer", ErrReply, fmt.Sprint(v))
	}
	return n, nil
}

// decision turns the state after an operation on n tokens into an answer.
func (l *Limiter) decision(n int, granted bool, used *[8]uint64) ratelimit.Decision {
	d := ratelimit.Decision{OK: granted, RetryAfter: -1}
	first := true
	for i := range l.buckets {
		b := &l.buckets[i]
		remaining := int64(0)
		if used[i] < b.burst {
			remaining = int64((b.burst - used[i]) / b.token)
		}
		if granted {
			if first || remaining < d.Remaining {
				d.Limit, d.Remaining, d.Policy, d.ResetAfter = b.tokens, remaining, b.name, b.wait(used[i])
			}
			first = false
			continue
		}
		retry := ratelimit.Never
		if int64(n) <= b.tokens {
			need := used[i] + uint64(n)*b.token
			if need <= b.burst {
				continue
			}
			retry = b.wait(need - b.burst)
		}
		if retry > d.RetryAfter {
			d.Limit, d.Remaining, d.Policy, d.ResetAfter = b.tokens, remaining, b.name, b.wait(used[i])
			d.RetryAfter = retry
		}
	}
	if granted {
		d.RetryAfter = 0
	}
	return d
}

// wait is the time in which units flow back.
func (b *bucket) wait(units uint64) time.Duration {
	switch {
	case units == 0:
		return 0
	case b.refill == 0:
		return ratelimit.Never
	}
	us := (units + b.refill - 1) / b.refill
	if us > math.MaxInt64/uint64(time.Microsecond) {
		return ratelimit.Never
	}
	return time.Duration(us) * time.Microsecond
}
