package rediscache

import (
	"crypto/sha1"
	"encoding/hex"
)

// A key in Redis holds a value or the lease of the process that loads it: never both, so one key and one slot of a
// cluster are enough. The first byte tells which.
const (
	isValue = 'V' // the encoded value follows
	isLease = 'L' // the token of the holder follows
)

// scripts are those of a cache, named once.
type scripts struct{ fetch, fill, change script }

func newScripts() scripts { return scripts{fetchScript(), fillScript(), changeScript()} }

// script is a text with its name on the server.
type script struct {
	text string
	sha  string
}

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) // the name that Redis gives it
	return script{text, hex.EncodeToString(sum[:])}
}

// fetchScript returns a value with the milliseconds it has left, or hands out the lease, or says how long the present
// one lasts. What is neither value nor lease was written by somebody else and counts as absent.
//
//	KEYS[1]: the key; ARGV: token, length of the lease in ms; reply: {1, value, ms} or {2} or {3, ms}
func fetchScript() script {
	return newScript(`
local v = redis.call('GET', KEYS[1])
local kind = v and string.sub(v, 1, 1)
if kind == 'V' then return {1, v, redis.call('PTTL', KEYS[1])} end
if kind == 'L' then return {3, redis.call('PTTL', KEYS[1])} end
redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
return {2}`)
}

// fillScript ends a lease: it stores the value that was loaded, or nothing, if the lease is still the caller's.
//
//	KEYS[1]: the key; ARGV: token, value or "", lifetime in ms; reply: 1 if it was, else 0
func fillScript() script {
	return newScript(`
if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`)
}

// changeScript stores or removes a value, whatever was there, and tells everybody.
//
//	KEYS[1]: the key; ARGV: value or "", lifetime in ms, channel, message; reply: the number of listeners
func changeScript() script {
	return newScript(`
if ARGV[1] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return redis.call('PUBLISH', ARGV[3], ARGV[4])`)
}
