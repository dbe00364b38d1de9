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
// KEYS[1] holds "t u1/U1 u2/U2:p2 …": the server's time in microseconds and per limit the used units and the units of a
// token; for a sliding window the tokens of this window and, behind the colon, those of the one before. ARGV: the number
// of limits; per limit the refill, the units of a token, the burst in units, and 0, the length of a fixed window or minus
// the length of a sliding one in microseconds; then per operation its kind, n and m. The refill is in units per
// microsecond, or for windows in tokens per window. Reply: the time; per operation the tokens granted (-1: denied), then
// for each limit the number before the slash, and the one behind the colon. All numbers are integers below 2^53, which
// Lua's doubles hold exactly; %.0f writes all their digits.
const script = `
local k = tonumber(ARGV[1])
local c, U, B, W, u, p = {}, {}, {}, {}, {}, {}
for i = 1, k do
  local a = 4*i - 2
  c[i], U[i], B[i], W[i] = tonumber(ARGV[a]), tonumber(ARGV[a+1]), tonumber(ARGV[a+2]), tonumber(ARGV[a+3])
  u[i], p[i] = 0, 0
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
  for used, unit, before in string.gmatch(rest, ' (%d+)/(%d+):?(%d*)') do
    i = i + 1
    if i <= k then
      used, unit, before = tonumber(used), tonumber(unit), tonumber(before)
      if before and not (W[i] < 0 and unit == U[i]) then used, unit, before = used + before, 1, nil end
      if before then p[i] = before
      elseif W[i] < 0 then used = math.min(math.ceil(used / unit), c[i])
      elseif unit ~= U[i] then used = math.min(math.ceil(used / unit * U[i]), B[i]) end
      u[i] = math.min(used, W[i] < 0 and 2 * c[i] or 2 * B[i])
    end
  end
  local from, full = last, 1000000
  for i = 1, k do
    if c[i] > 0 then full = math.max(full, math.ceil(u[i] / c[i]) * math.max(1, math.abs(W[i])) + math.max(0, -W[i])) end
  end
  if now - last < -full then from, last = now, now end
  last = math.max(last, now)
  for i = 1, k do
    if W[i] == 0 then
      if c[i] > 0 then u[i] = math.max(0, u[i] - math.min(last - from, math.ceil(u[i] / c[i])) * c[i]) end
    else
      local w = math.abs(W[i])
      local d = math.floor(last / w) - math.floor(from / w)
      if d > 0 and W[i] > 0 then u[i] = math.max(0, u[i] - math.min(d, math.ceil(u[i] / c[i])) * c[i])
      elseif d > 0 then
        local left = math.max(0, u[i] - math.min(d - 1, math.ceil(u[i] / c[i])) * c[i])
        p[i] = math.min(left, c[i])
        u[i] = left - p[i]
      end
    end
  end
end
local function used(i)
  if W[i] < 0 then return u[i] * U[i] + p[i] * (U[i] - last % U[i]) end
  return u[i]
end
local function add(i, n) u[i] = u[i] + (W[i] < 0 and n or n * U[i]) end
local reply, changed = {last}, false
for a = 4*k + 2, #ARGV, 3 do
  local kind, n, m = ARGV[a], tonumber(ARGV[a+1]), tonumber(ARGV[a+2])
  local granted = n
  if kind == 'c' then
    for i = 1, k do
      local most = math.max(u[i], W[i] < 0 and 2 * c[i] or 2 * B[i])
      if n > 0 then
        add(i, n)
        u[i] = math.min(u[i], most)
      elseif used(i) <= -n * U[i] then u[i], p[i] = 0, 0
      else
        add(i, n)
        p[i] = math.max(0, p[i] + math.min(0, u[i]))
        u[i] = math.max(0, u[i])
      end
    end
    changed = true
  else
    for i = 1, k do
      if n > 0 and used(i) + n * U[i] > B[i] then granted = -1 end
    end
    if granted > 0 and kind ~= 'p' then
      for i = 1, k do m = math.min(m, math.floor(math.floor((B[i] - used(i)) / U[i]) / 8)) end
      granted = math.max(n, m)
      for i = 1, k do add(i, granted) end
      changed = true
    end
  end
  reply[#reply+1] = granted
  for i = 1, k do
    reply[#reply+1] = u[i]
    if W[i] < 0 then reply[#reply+1] = p[i] end
  end
end
if changed then
  local text, ttl, forever = string.format('%.0f', last), 0, false
  for i = 1, k do
    text = text .. string.format(' %.0f/%.0f', u[i], U[i])
    if W[i] < 0 then text = text .. string.format(':%.0f', p[i]) end
    if u[i] + p[i] > 0 then
      if c[i] == 0 then forever = true
      else
        local full = math.ceil(u[i] / c[i]) * math.max(1, math.abs(W[i])) + math.max(0, -W[i])
        ttl = math.max(ttl, math.ceil(full / 1000))
      end
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
	refill  uint64 // units per microsecond, or tokens per window; 0 for a quota
	token   uint64 // units per token
	burst   uint64 // in units
	tokens  int64  // the burst in tokens
	per     uint64 // microseconds of a window; 0 for a token bucket
	sliding bool
	name    string
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
	if l.Count > 0 && l.Per%time.Microsecond != 0 {
		return b, fmt.Errorf("%w: Limit.Per %v of %s, must be whole microseconds: choose a coarser Per", ErrInvalid, l.Per, l)
	}
	count, per := uint64(l.Count), uint64(l.Per/time.Microsecond)
	switch l.Algorithm {
	case ratelimit.TokenBucket:
		if count > 0 {
			g := gcd(count, per)
			b.refill, b.token = count/g, per/g
		}
	case ratelimit.FixedWindow:
		b.refill, b.per = count, per
	case ratelimit.SlidingWindow:
		b.refill, b.per, b.token, b.sliding = count, per, per, true
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

// window is the script's argument for it.
func (b *bucket) window() string {
	if b.sliding {
		return "-" + strconv.FormatUint(b.per, 10)
	}
	return strconv.FormatUint(b.per, 10)
}

// arguments builds the argument list behind the script's name and the key.
func (l *Limiter) arguments(name string, text any, key string, ops []*op) []any {
	args := make([]any, 0, 4+len(l.constants)+3*len(ops))
	args = append(args, name, text, "1", key)
	args = append(args, l.constants...)
	for _, o := range ops {
		args = append(args, o.kind.argument(), l.decimal(l.clip(o.n)), l.decimal(int64(o.want)))
	}
	return args
}

// argument is the kind without the allocation that a conversion would cost.
func (k kind) argument() any {
	switch k {
	case take:
		return "t"
	case peek:
		return "p"
	case charge, remove:
	}
	return "c"
}

// decimal is n as text, without an allocation for a small one.
func (l *Limiter) decimal(n int64) any {
	if n >= 0 && n < int64(len(l.decimals)) {
		return l.decimals[n]
	}
	return strconv.FormatInt(n, 10)
}

// clip keeps n where products of it stay far from the range of a double's exponent; beyond it all n act alike.
func (l *Limiter) clip(n int) int64 {
	return min(max(int64(n), -3*l.most), 3*l.most)
}

// result of one operation: the state after it, of a denial before it.
type result struct {
	granted int64     // -1: denied
	at      uint64    // the server's time in microseconds
	used    [8]uint64 // units; tokens of this window where that slides
	before  [8]uint64 // tokens of the window before, where that slides
}

// decode reads the script's reply strictly, into out.
func (l *Limiter) decode(out []result, reply any, ops int) ([]result, error) {
	list, ok := reply.([]any)
	if want := 1 + ops*l.numbers; !ok || len(list) != want {
		return nil, fmt.Errorf("%w: %T with %d elements, want %d", ErrReply, reply, len(list), want)
	}
	at, err := natural(list[0])
	if err != nil {
		return nil, err
	}
	out, list = out[:0], list[1:]
	for range ops {
		r := result{at: at}
		if r.granted, err = integer(list[0]); err != nil {
			return nil, err
		}
		list = list[1:]
		for i := range l.buckets {
			if r.used[i], err = natural(list[0]); err != nil {
				return nil, err
			}
			list = list[1:]
			if !l.buckets[i].sliding {
				continue
			}
			if r.before[i], err = natural(list[0]); err != nil {
				return nil, err
			}
			list = list[1:]
		}
		out = append(out, r)
	}
	return out, nil
}

// natural is integer for what cannot be negative.
func natural(v any) (uint64, error) {
	n, err := integer(v)
	if err == nil && n < 0 {
		err = fmt.Errorf("%w: %d where nothing is negative", ErrReply, n)
	}
	return uint64(max(0, n)), err
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
func (l *Limiter) decision(n int, granted bool, r *result) ratelimit.Decision {
	d := ratelimit.Decision{OK: granted, RetryAfter: -1}
	first := true
	for i := range l.buckets {
		b := &l.buckets[i]
		used, remaining := b.used(r, i), int64(0)
		if used < b.burst {
			remaining = int64((b.burst - used) / b.token)
		}
		if granted {
			if first || remaining < d.Remaining {
				d.Limit, d.Remaining, d.Policy, d.ResetAfter = b.tokens, remaining, b.name, b.wait(r, i, 0)
			}
			first = false
			continue
		}
		retry := ratelimit.Never
		if int64(n) <= b.tokens {
			left := b.burst - uint64(n)*b.token
			if used <= left {
				continue
			}
			retry = b.wait(r, i, left)
		}
		if retry > d.RetryAfter {
			d.Limit, d.Remaining, d.Policy, d.ResetAfter = b.tokens, remaining, b.name, b.wait(r, i, 0)
			d.RetryAfter = retry
		}
	}
	if granted {
		d.RetryAfter = 0
	}
	return d
}

// used returns the units used of limit i.
func (b *bucket) used(r *result, i int) uint64 {
	if b.sliding {
		return r.used[i]*b.per + r.before[i]*(b.per-r.at%b.per)
	}
	return r.used[i]
}

// charged adds n tokens to what r says of limit i.
func (b *bucket) charged(r *result, i, n int) {
	if b.sliding {
		r.used[i] += uint64(n)
	} else {
		r.used[i] += uint64(n) * b.token
	}
}

// wait is the time until at most left units of limit i are used.
func (b *bucket) wait(r *result, i int, left uint64) time.Duration {
	used := b.used(r, i)
	var us uint64
	switch {
	case used <= left:
		return 0
	case b.refill == 0:
		return ratelimit.Never
	case b.per == 0:
		us = (used - left + b.refill - 1) / b.refill
	case b.sliding:
		us = b.slide(r.used[i], r.before[i], left) - r.at%b.per
	default: // as many windows, the first of which has begun
		windows := (used - left + b.refill - 1) / b.refill
		us = windows*b.per - r.at%b.per
	}
	if us > math.MaxInt64/uint64(time.Microsecond) {
		return ratelimit.Never
	}
	return time.Duration(us) * time.Microsecond
}

// slide returns the time from the beginning of the window until now tokens of it, and before of the one before, weigh at
// most left. What is above the Count in a window counts in the next one.
func (b *bucket) slide(now, before, left uint64) uint64 {
	us := uint64(0)
	if used := now * b.per; used > left {
		windows := (used - left + b.burst - 1) / b.burst
		us = windows * b.per
		rest := now - min(now, (windows-1)*b.refill)
		before = min(rest, b.refill)
		now = rest - before
	}
	if before > 0 {
		us += b.per - min(b.per, (left-now*b.per)/before)
	}
	return us
}
