package rediscache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

var (
	// ErrInvalid is wrapped by the errors of New; the text names the field and its limit.
	ErrInvalid = errors.New("rediscache: invalid argument")
	// ErrClosed is returned by all methods after Close.
	ErrClosed = errors.New("rediscache: cache is closed")
	// ErrReply is wrapped by errors about an answer of the server that no script of ours gives.
	ErrReply = errors.New("rediscache: unexpected reply")
	// ErrDeaf is wrapped by what OnError hears when the subscription was lost.
	ErrDeaf = errors.New("rediscache: subscription lost")
	// ErrSlow is wrapped by the errors of calls that the server did not answer in time.
	ErrSlow = errors.New("rediscache: no answer in time")
)

// Reply is what a client returns for a command; *redis.Cmd of go-redis is one.
type Reply interface{ Result() (any, error) }

// Options configures New. Only Local.Load or Local.LoadMany must be given, and one of Subscribe and Local.TTL.
type Options[K comparable, V any] struct {
	// Prefix begins all keys and is, with "invalidate" behind it, the name of the channel; default "lru:". Caches of
	// one prefix share their entries and must have the same types and codecs.
	Prefix string

	// Key returns the name of a key in Redis, behind the prefix; different keys need different names. Default: strings
	// as they are, integers in decimal. Other types of keys need it.
	Key func(key K) string

	// Value turns values into bytes; nil: lru.DefaultCodec.
	Value lru.Codec[V]

	// Local configures the cache in this process. Its Load or LoadMany is the source behind both levels. Its TTL
	// bounds how old a value may be that a foreign writer changed.
	Local lru.Options[K, V]

	// TTL is the lifetime in Redis; 0: one hour. At least 1 ms.
	TTL time.Duration

	// Lease is how long one process may take to load a key before another one tries; 0: 5 s. At least 1 ms.
	Lease time.Duration

	// Subscribe listens to a channel: it calls ready when the server has confirmed the subscription, then message for
	// each payload, and returns when the connection is lost or ctx is done. Nil: other processes' writes are seen when
	// Local.TTL or Local.TTLFunc ends, one of which must then be set.
	Subscribe func(ctx context.Context, channel string, ready func(), message func(payload string)) error

	// OnError hears of trouble with Redis that was survived. It must be quick.
	OnError func(error)
}

const (
	defaultPrefix = "lru:"
	defaultTTL    = time.Hour
	defaultLease  = 5 * time.Second
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// check returns an error that names the first field out of range, and fills in the defaults.
func (o *Options[K, V]) check() error {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	if o.Value == nil {
		o.Value = lru.DefaultCodec[V]()
	}
	if o.Key == nil {
		o.Key = defaultKey[K]()
	}
	switch {
	case o.Key == nil:
		return invalid("Key is needed for keys of type %v", reflect.TypeFor[K]())
	case o.TTL < time.Millisecond:
		return invalid("TTL %v, want at least 1ms", o.TTL)
	case o.Lease < time.Millisecond:
		return invalid("Lease %v, want at least 1ms", o.Lease)
	case o.Local.Load == nil && o.Local.LoadMany == nil:
		return invalid("Local.Load is nil: it is the source")
	case o.Subscribe == nil && o.Local.TTL == 0 && o.Local.TTLFunc == nil:
		return invalid("Local.TTL must be set without Subscribe")
	}
	return nil
}

// defaultKey is nil for keys that are neither strings nor integers.
func defaultKey[K comparable]() func(K) string {
	switch reflect.TypeFor[K]().Kind() { //nolint:exhaustive // all other kinds need Options.Key
	case reflect.String:
		return func(key K) string { return reflect.ValueOf(key).String() }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(key K) string { return strconv.FormatInt(reflect.ValueOf(key).Int(), 10) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return func(key K) string { return strconv.FormatUint(reflect.ValueOf(key).Uint(), 10) }
	}
	return nil
}

// A Cache has two levels: one in this process and one in Redis, which other processes share. Use New.
type Cache[K comparable, V any] struct {
	opts    Options[K, V]
	local   *lru.Cache[K, V]
	server  server
	scripts scripts
	load    func(ctx context.Context, key K) (V, error)          // the source
	many    func(ctx context.Context, keys []K) (map[K]V, error) // the source for many keys, or nil
	names   lru.Codec[K]                                         // of the keys in messages
	self    string                                               // sender of our messages
	feed    feed                                                 // the subscription
	lives   sync.Map                                             // K to time.Duration: lifetime left in Redis, from loader to TTLFunc
	closed  context.Context                                      //nolint:containedctx // done after Close
	end     context.CancelFunc
}

// New returns a cache that holds up to capacity entries in this process and all of them in Redis. do sends one command;
// Do of a go-redis client (also of a cluster, a ring, or behind a sentinel) fits
// as it is. All arguments are strings; replies may be strings or bytes. New does no I/O. The error
// wraps ErrInvalid, or lru.ErrInvalid for the fields of Local.
func New[K comparable, V any, R Reply](do func(ctx context.Context, args ...any) R, capacity int, opts Options[K, V],
) (*Cache[K, V], error) {
	if do == nil {
		return nil, invalid("do is nil")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	c := &Cache[K, V]{opts: opts, load: opts.Local.Load, many: opts.Local.LoadMany, names: lru.DefaultCodec[K]()}
	c.self, c.scripts = rand.Text(), newScripts()
	c.server = server{onError: c.trouble, do: func(ctx context.Context, args ...any) (any, error) {
		return do(ctx, args...).Result()
	}}
	local := opts.Local
	local.Load, local.LoadMany = c.loadOne, nil
	if c.load == nil {
		c.load = c.loadByMany
	}
	local.LoadMany = c.loadMany
	local.TTL, local.TTLFunc = 0, c.lifetime
	var err error
	if c.local, err = lru.New(capacity, local); err != nil {
		return nil, err
	}
	c.closed, c.end = context.WithCancel(context.Background())
	if opts.Subscribe != nil {
		c.startFeed()
	}
	return c, nil
}

func (c *Cache[K, V]) trouble(err error) {
	if c.opts.OnError != nil {
		c.opts.OnError(err)
	}
}

// loadByMany is the source of one key where only LoadMany is given.
func (c *Cache[K, V]) loadByMany(ctx context.Context, key K) (V, error) {
	found, err := c.many(ctx, []K{key})
	v, ok := found[key]
	if err == nil && !ok {
		err = lru.ErrNotFound
	}
	return v, err
}

// Local returns the cache in this process, for Stats, Peek and the like. What is written into it by its own methods
// reaches nobody else.
func (c *Cache[K, V]) Local() *lru.Cache[K, V] { return c.local }

// Fetch returns the value of key: from this process, from Redis, or from the source. Of all processes that miss a key
// at the same time one asks the source; the others wait for it, at most Lease long. With Redis out of reach it is this
// process and then the source. Errors are those of the source, as with lru.Cache.Fetch.
func (c *Cache[K, V]) Fetch(ctx context.Context, key K) (V, error) { return c.local.Fetch(ctx, key) }

// FetchMany is Fetch for many keys, as lru.Cache.FetchMany: absent keys are left out of the map, other failures are
// joined.
func (c *Cache[K, V]) FetchMany(ctx context.Context, keys []K) (map[K]V, error) {
	return c.local.FetchMany(ctx, keys)
}

// Set stores a value in Redis, takes loads in flight anywhere their right to store, and makes all processes forget what
// they had. Write the source first. On an error it is unknown whether Redis has the value; this process forgets the key.
func (c *Cache[K, V]) Set(ctx context.Context, key K, value V) error {
	defer c.local.Remove(key)
	payload, err := c.opts.Value.Append([]byte{isValue}, value)
	if err != nil {
		return fmt.Errorf("rediscache: encode: %w", err)
	}
	return c.change(ctx, key, string(payload))
}

// Remove removes the value of key from both levels, and from the first of every process, as Set.
func (c *Cache[K, V]) Remove(ctx context.Context, key K) error {
	defer c.local.Remove(key)
	return c.change(ctx, key, "")
}

func (c *Cache[K, V]) change(ctx context.Context, key K, payload string) error {
	if c.closed.Err() != nil {
		return ErrClosed
	}
	message, err := c.names.Append([]byte(c.self+" "), key)
	if err != nil {
		return fmt.Errorf("rediscache: encode key: %w", err)
	}
	_, err = c.server.eval(ctx, c.scripts.change, c.name(key), payload, millis(c.opts.TTL), c.channel(), string(message))
	return err
}

// name is the key in Redis.
func (c *Cache[K, V]) name(key K) string { return c.opts.Prefix + c.opts.Key(key) }

func (c *Cache[K, V]) channel() string { return c.opts.Prefix + "invalidate" }

// lifetime is the TTLFunc of the local cache: no longer than in Redis, than the options say, and than somebody else's
// write could go unnoticed.
func (c *Cache[K, V]) lifetime(key K, value V) time.Duration {
	d := c.opts.TTL
	if left, ok := c.lives.LoadAndDelete(key); ok {
		d = left.(time.Duration) //nolint:forcetypeassert // holds nothing else
	}
	if ttl := c.opts.Local.TTL; ttl > 0 {
		d = min(d, ttl)
	}
	if f := c.opts.Local.TTLFunc; f != nil {
		d = min(d, f(key, value))
	}
	if c.opts.Subscribe != nil && !c.feed.live.Load() {
		d = min(d, deafTTL)
	}
	return d
}

// Close ends the subscription and the loads, and forgets the entries of this process. Those in Redis stay.
func (c *Cache[K, V]) Close(ctx context.Context) error {
	c.end()
	err := c.local.Close(ctx)
	if c.feed.done == nil {
		return err
	}
	select {
	case <-c.feed.done:
		return err
	case <-ctx.Done():
		return errors.Join(err, context.Cause(ctx))
	}
}
