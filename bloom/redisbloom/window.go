package redisbloom

import (
	"context"
	"crypto/sha1" //nolint:gosec // the protocol names scripts by SHA-1
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
)

// Window remembers every key for at least span after its last Add or TestAndAdd and, apart from chance, has forgotten it
// after 1.25 spans, like bloom.Window, for all clients of a server, on the server's clock. All methods are safe for
// concurrent use, by any number of processes; they must agree on the arguments of NewWindow.
type Window struct {
	do     server
	layout bloom.Layout // of one generation
	place  place
	slice  int64 // ms
	sha    string
}

const (
	windowSlices = 4
	windowLive   = windowSlices + 1
	windowRing   = windowLive + 1 // strings per shard: one is always free, so a slow expiry meets no new generation
	windowLowest = 1e-8
)

// NewWindow returns a window; it sends nothing. capacity is the number of distinct keys per span, rate the chance that a key
// not seen within the window tests true (1e-8 to 0.5), span at least 1 ms, counted in milliseconds; else
// bloom.ErrInvalid. Six generations of capacity/4 keys must fit o.MaxBytes, else bloom.ErrTooLarge. The keys are
// {name:shard:geometry}:generation, so that windows of other arguments do not mix.
func NewWindow[R Reply](do func(ctx context.Context, args ...any) R, name string, capacity uint64, rate float64, span time.Duration, o Options) (*Window, error) {
	switch {
	case span < time.Millisecond:
		return nil, fmt.Errorf("%w: span is %v, want at least 1ms", bloom.ErrInvalid, span)
	case !(rate >= windowLowest && rate <= 0.5):
		return nil, fmt.Errorf("%w: rate is %v, want %v to 0.5", bloom.ErrInvalid, rate, windowLowest)
	case capacity == 0:
		return nil, fmt.Errorf("%w: capacity is 0, want at least 1 key", bloom.ErrInvalid)
	case strings.ContainsAny(name, "{}"):
		return nil, fmt.Errorf("%w: name has braces, which the window's own hash tags need", bloom.ErrInvalid)
	}
	l, shard, err := plan(name, (capacity-1)/windowSlices+1, rate/windowLive, o)
	if err != nil {
		return nil, err
	}
	all := l
	all.Blocks *= windowRing
	if err := o.check(all); err != nil {
		return nil, err
	}
	slice := int64((span-1)/(windowSlices*time.Millisecond)) + 1
	sum := sha1.Sum([]byte(windowScript)) //nolint:gosec // see above
	return &Window{
		do: connect(do), layout: l, slice: slice, sha: hex.EncodeToString(sum[:]),
		place: place{
			prefix: "{" + name + ":", shardBlocks: shard / blockBytes,
			suffix: fmt.Sprintf(":%d-%d-%d-%d-%d}:", l.Blocks, l.Words, l.Bits, shard, slice),
		},
	}, nil
}

// windowScript tests and adds one key.
//
// KEYS are the ring of one shard. ARGV: the slice in ms, 1 to add or 0, the offsets of the bits. The generation of slice n
// lies at n modulo 6 and expires at the beginning of slice n+5, when it stops to count, one slice before its place is
// used again. Only bits are read: an integer of 64 bits would lose digits in a number of Lua.
const windowScript = `
local t = redis.call('TIME')
local slice, add = tonumber(ARGV[1]), ARGV[2] == '1'
local n = math.floor((t[1] * 1000 + math.floor(t[2] / 1000)) / slice)
local get, set = {}, {}
for i = 3, #ARGV do
  local g, s = #get, #set
  get[g + 1], get[g + 2], get[g + 3] = 'GET', 'u1', ARGV[i]
  set[s + 1], set[s + 2], set[s + 3], set[s + 4] = 'SET', 'u1', ARGV[i], '1'
end
local present = 0
for m = n, n - 4, -1 do
  local all = 1
  for _, bit in ipairs(redis.call('BITFIELD', KEYS[m % 6 + 1], unpack(get))) do
    if bit == 0 then all = 0 break end
  end
  if all == 1 then
    present = 1
    if m == n then return 1 end
    break
  end
end
if add then
  local key = KEYS[n % 6 + 1]
  redis.call('BITFIELD', key, unpack(set))
  redis.call('PEXPIREAT', key, string.format('%.0f', (n + 5) * slice))
end
return present
`

// Add remembers k for span from now.
func (w *Window) Add(ctx context.Context, k bloom.Key) error {
	_, err := w.run(ctx, k, true)
	return err
}

// Test reports whether k may have been added within the window: false, nil means certainly not within the last span.
func (w *Window) Test(ctx context.Context, k bloom.Key) (bool, error) { return w.run(ctx, k, false) }

// TestAndAdd is Test, then Add, as one step on the server; a key that is there is remembered for span from now as well. When
// a call fails its outcome is unknown; it is not sent again.
func (w *Window) TestAndAdd(ctx context.Context, k bloom.Key) (bool, error) {
	return w.run(ctx, k, true)
}

func (w *Window) run(ctx context.Context, k bloom.Key, add bool) (bool, error) {
	block, mask := w.layout.Probe(k)
	shard, first := w.place.shard(block)
	key := w.place.key(shard)
	args := make([]any, 0, 3+windowRing+2+mostBits)
	args = append(args, "EVALSHA", w.sha, windowRing)
	for i := range windowRing {
		args = append(args, key+strconv.Itoa(i))
	}
	args = append(args, w.slice, "0")
	if add {
		args[len(args)-1] = "1"
	}
	var buf [mostBits]int64
	for _, off := range offsets(buf[:0], first, mask) {
		args = append(args, off)
	}
	v, err := w.do(ctx, args...)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		args[0], args[1] = "EVAL", windowScript // it did not run, so this is no second try
		v, err = w.do(ctx, args...)
	}
	if err != nil {
		return false, err
	}
	n, err := number(v, 0, 1)
	return n == 1, err
}
