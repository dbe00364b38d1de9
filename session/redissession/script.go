package redissession

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// script is a Lua program on one key. Each replies with one string, or a list of strings; none writes a key without
// a TTL. Times are milliseconds since 1970, below 2^53, which Lua's doubles hold exactly; versions are compared as text.
type script string

// save stores a record. A hash holds v version, u user, c created, e expiry, d deadline, p payload, and n a nonce of the
// call: a client that repeats a command by itself after a time-out finds that it has already been done, instead of
// a conflict with itself.
//
// ARGV: version, now, user, created, expiry, deadline, payload, "1" if the index has the session, next version, nonce.
const save script = `
local h = redis.call('HMGET', KEYS[1], 'v', 'e', 'u', 'd', 'n')
local v = h[1]
if v == ARGV[9] and h[5] == ARGV[10] then return 'saved' end
if v and tonumber(h[2]) <= tonumber(ARGV[2]) then v = false end
if ARGV[1] == '0' then
  if v then return 'conflict' end
elseif not v then return 'gone'
elseif v ~= ARGV[1] then return 'conflict' end
if ARGV[8] == '0' and not (v and h[3] == ARGV[3] and h[4] == ARGV[6]) then return 'index' end
if tonumber(ARGV[5]) <= tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  return 'saved'
end
redis.call('HSET', KEYS[1], 'v', ARGV[9], 'u', ARGV[3], 'c', ARGV[4], 'e', ARGV[5], 'd', ARGV[6], 'p', ARGV[7], 'n', ARGV[10])
redis.call('PEXPIREAT', KEYS[1], ARGV[5])
return 'saved'
`

// touch moves the expiry forward. ARGV: now, expiry.
const touch script = `
local h = redis.call('HMGET', KEYS[1], 'e', 'd')
if not h[1] or tonumber(h[1]) <= tonumber(ARGV[1]) then return 'gone' end
local to = ARGV[2]
if tonumber(to) > tonumber(h[2]) then to = h[2] end
if tonumber(to) > tonumber(h[1]) then
  redis.call('HSET', KEYS[1], 'e', to)
  redis.call('PEXPIREAT', KEYS[1], to)
end
return 'touched'
`

// remove replies "+user" for a live record, "=user" for an expired one, "-" if there was nothing to remove.
// ARGV: "1" = only if the user is, user, now.
const remove script = `
local h = redis.call('HMGET', KEYS[1], 'u', 'e')
if not h[1] or ARGV[1] == '1' and h[1] ~= ARGV[2] then return '-' end
redis.call('DEL', KEYS[1])
if tonumber(h[2]) > tonumber(ARGV[3]) then return '+' .. h[1] end
return '=' .. h[1]
`

// enter enters a session in an index or raises its score, by one at least: heal removes what has the score that it
// read. Entries whose deadline passed before the horizon go. The TTL reaches the latest deadline and is never lowered
// (PEXPIREAT has GT from Redis 7 on only). ARGV: member, deadline, horizon.
const enter script = `
local score = tonumber(ARGV[2])
local old = redis.call('ZSCORE', KEYS[1], ARGV[1])
if old and tonumber(old) >= score then score = tonumber(old) + 1 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], string.format('%.0f', score), ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ttl = redis.call('PTTL', KEYS[1])
if ttl < 0 or now + ttl < score then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', score)) end
return 'entered'
`

// list replies with member, score, member, score … ARGV: horizon.
const list script = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
`

// heal removes a member if its score is still the one that was read. ARGV: member, score.
const heal script = `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 'healed'
`

// name is what EVALSHA wants; no protection.
func (s script) name() string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// names names the scripts once, and not with every call.
func names(scripts ...script) map[script]string {
	out := make(map[script]string, len(scripts))
	for _, s := range scripts {
		out[s] = s.name()
	}
	return out
}

// eval runs a script, by name if the server knows it. NOSCRIPT says that nothing has run; no other error is followed
// by a second attempt.
func (s *Store) eval(ctx context.Context, text script, key string, argv ...string) (any, error) {
	args := make([]any, 0, 4+len(argv))
	args = append(args, "EVALSHA", s.names[text], "1", key)
	for _, a := range argv {
		args = append(args, a)
	}
	reply, err := s.do(ctx, args...)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		args[0], args[1] = "EVAL", string(text)
		reply, err = s.do(ctx, args...)
	}
	return reply, err
}

// text runs a script that replies with one string.
func (s *Store) text(ctx context.Context, text script, key string, argv ...string) (string, error) {
	reply, err := s.eval(ctx, text, key, argv...)
	if err != nil {
		return "", err
	}
	t, ok := asText(reply)
	if !ok {
		return "", fmt.Errorf("%w: %T for a string", ErrReply, reply)
	}
	return t, nil
}
