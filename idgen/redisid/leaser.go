package redisid

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

const maxWindow = 24 * time.Hour

// Leaser is an idgen.Leaser in one hash per namespace. It is safe for concurrent use.
type Leaser struct {
	do    command
	key   string
	skew  time.Duration
	owner string

	acquire, extend, release script
}

// LeaserOptions are the options of NewLeaser.
type LeaserOptions struct {
	MaxSkew time.Duration // refuse a caller whose clock differs more from the server's; default 5s
	Owner   string        // shown beside the number, at most 255 bytes; default host name and process id
	Prefix  string        // of the hash's key, before the namespace; default "idgen:leases:"
}

// acquireScript chooses the lowest number never used, otherwise the free one whose window ended first (the lower one of
// equals). A field that it cannot read is an error, never a free number.
const acquireScript = `
local workers, from, length, skew = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
if math.abs(from - now) > skew then return {'clock', string.format('%.0f', from - now)} end
local h = redis.call('HGETALL', KEYS[1])
local used, count, best, oldest, last = {}, 0, -1, 0, 0
for i = 1, #h, 2 do
  local w = tonumber(h[i])
  local token, ends = string.match(h[i + 1], '^(%d+) (%d+) ')
  if not w or not token then return {'error', 'a field of the hash is not a lease'} end
  if w < workers then
    token, ends = tonumber(token), tonumber(ends)
    used[w] = true
    count = count + 1
    if ends <= now and (best < 0 or ends < oldest or (ends == oldest and w < best)) then
      best, oldest, last = w, ends, token
    end
  end
end
if count < workers then
  best, oldest, last = 0, 0, 0
  while used[best] do best = best + 1 end
elseif best < 0 then
  return {'none'}
end
local start = math.max(from, oldest)
redis.call('HSET', KEYS[1], string.format('%.0f', best), string.format('%.0f %.0f %s', last + 1, start + length, ARGV[5]))
return {'ok', string.format('%.0f', best), string.format('%.0f', last + 1), string.format('%.0f', start), string.format('%.0f', start + length)}`

// holdScript is the head of both other scripts: it leaves when the token is not the current one.
const holdScript = `
local v = redis.call('HGET', KEYS[1], ARGV[1])
if not v then return {'lost'} end
local token, ends, owner = string.match(v, '^(%d+) (%d+) (.*)$')
if not token then return {'error', 'a field of the hash is not a lease'} end
if token ~= ARGV[2] then return {'lost'} end
ends = tonumber(ends)
local at = tonumber(ARGV[3])`

const extendScript = holdScript + `
local t = redis.call('TIME')
local ahead = at - (t[1] * 1000000 + t[2])
if ahead > tonumber(ARGV[4]) then return {'clock', string.format('%.0f', ahead)} end
if at > ends then
  ends = at
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f %s', token, ends, owner))
end
return {'ok', string.format('%.0f', ends)}`

// The token moves on, so that the grant is over.
const releaseScript = holdScript + `
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f %s', token + 1, math.min(at, ends), owner))
return {'ok'}`

// NewLeaser returns the leaser of a namespace, over the Do of any client: all processes of it share the worker numbers,
// two namespaces never touch. A nil do, an empty namespace, and options outside their limits are idgen.ErrInvalid.
func NewLeaser[R Reply](do func(ctx context.Context, args ...any) R, namespace string, o LeaserOptions) (*Leaser, error) {
	if err := checkName("namespace", namespace, do == nil); err != nil {
		return nil, err
	}
	if o.MaxSkew == 0 {
		o.MaxSkew = 5 * time.Second
	}
	if o.MaxSkew < 0 || o.MaxSkew > maxWindow {
		return nil, fmt.Errorf("%w: redisid: MaxSkew is %v, 0 to %v", idgen.ErrInvalid, o.MaxSkew, maxWindow)
	}
	if len(o.Owner) > 255 {
		return nil, fmt.Errorf("%w: redisid: Owner has %d bytes, at most 255", idgen.ErrInvalid, len(o.Owner))
	}
	if o.Owner == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		o.Owner = fmt.Sprintf("%.200s:%d", host, os.Getpid())
	}
	if o.Prefix == "" {
		o.Prefix = "idgen:leases:"
	}
	return &Leaser{
		do: commandOf(do), key: o.Prefix + namespace, skew: o.MaxSkew, owner: o.Owner,
		acquire: newScript(acquireScript), extend: newScript(extendScript), release: newScript(releaseScript),
	}, nil
}

// Acquire implements idgen.Leaser.
func (l *Leaser) Acquire(ctx context.Context, workers uint32, from, until time.Time) (idgen.Grant, error) {
	if l.do == nil {
		return idgen.Grant{}, fmt.Errorf("redisid: use NewLeaser: %w", idgen.ErrClosed)
	}
	length := until.Sub(from)
	if workers == 0 || length < time.Microsecond || length > maxWindow {
		return idgen.Grant{}, fmt.Errorf("%w: redisid: %d workers and a window of %v, at least 1 and 1µs to %v",
			idgen.ErrInvalid, workers, length, maxWindow)
	}
	v, err := l.run(ctx, l.acquire, 4, idgen.Grant{}, int64(workers), from.UnixMicro(), length.Microseconds(), l.skew.Microseconds(), l.owner)
	if err != nil {
		return idgen.Grant{}, fmt.Errorf("redisid: acquire a worker number: %w", err)
	}
	if v[0] < 0 || v[0] >= int64(workers) {
		return idgen.Grant{}, fmt.Errorf("redisid: acquire a worker number: the server granted %d of %d", v[0], workers)
	}
	return idgen.Grant{Worker: uint32(v[0]), Token: v[1], From: time.UnixMicro(v[2]), Until: time.UnixMicro(v[3])}, nil
}

// Extend implements idgen.Leaser. An end more than 24h and MaxSkew after the server's clock is idgen.ErrClock.
func (l *Leaser) Extend(ctx context.Context, g idgen.Grant, until time.Time) (idgen.Grant, error) {
	if l.do == nil {
		return idgen.Grant{}, fmt.Errorf("redisid: use NewLeaser: %w", idgen.ErrClosed)
	}
	v, err := l.run(ctx, l.extend, 1, g, int64(g.Worker), g.Token, until.UnixMicro(), (maxWindow + l.skew).Microseconds())
	if err != nil {
		return idgen.Grant{}, fmt.Errorf("redisid: extend worker %d: %w", g.Worker, err)
	}
	g.Until = time.UnixMicro(v[0])
	return g, nil
}

// Release implements idgen.Leaser.
func (l *Leaser) Release(ctx context.Context, g idgen.Grant, used time.Time) error {
	if l.do == nil {
		return fmt.Errorf("redisid: use NewLeaser: %w", idgen.ErrClosed)
	}
	end := used.Add(time.Microsecond - 1).UnixMicro() // up: nothing was issued at or after used
	if _, err := l.run(ctx, l.release, 0, g, int64(g.Worker), g.Token, end); err != nil {
		return fmt.Errorf("redisid: release worker %d: %w", g.Worker, err)
	}
	return nil
}

// run executes a script and maps its outcome; n numbers follow an ok.
func (l *Leaser) run(ctx context.Context, s script, n int, g idgen.Grant, args ...any) ([]int64, error) {
	words, err := s.run(ctx, l.do, l.key, args...)
	if err != nil {
		return nil, err
	}
	switch words[0] {
	case "ok":
		return integers(words, n)
	case "none":
		return nil, idgen.ErrNoWorker
	case "lost":
		return nil, fmt.Errorf("%w: it was granted again since token %d", idgen.ErrLeaseLost, g.Token)
	case "clock":
		return nil, fmt.Errorf("%w: %.30s µs ahead of the server's", idgen.ErrClock, words[len(words)-1])
	}
	return nil, fmt.Errorf("the server says %.100q", words)
}
