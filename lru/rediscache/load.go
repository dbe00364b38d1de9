package rediscache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	randv2 "math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 100 * time.Millisecond
	// parallel is how many keys of FetchMany are asked for at a time.
	parallel = 16
)

// found is what the second level said about a key.
type found[V any] struct {
	state state
	value V
	left  time.Duration // of the value, or of somebody's lease
	token string        // of our lease
}

type state uint8

const (
	hit   state = iota + 1 // value and left are set
	ours                   // we have the lease
	busy                   // somebody else has it
	apart                  // the server cannot be asked
)

// ask asks the second level for a key.
func (c *Cache[K, V]) ask(ctx context.Context, key K) (f found[V]) {
	if !c.server.ready() {
		return found[V]{state: apart}
	}
	token := rand.Text()
	late := func(reply any) { // nobody waits for this lease any more
		if list, ok := reply.([]any); ok && len(list) == 1 {
			c.release(context.WithoutCancel(ctx), key, token)
		}
	}
	reply, err := c.server.evalOr(ctx, late, c.scripts.fetch, c.name(key), token, millis(c.opts.Lease))
	if err == nil {
		if f, err = c.parse(reply, token); err == nil {
			return f
		}
	}
	c.server.failed(ctx, err)
	return found[V]{state: apart}
}

func (c *Cache[K, V]) parse(reply any, token string) (f found[V], err error) {
	list, _ := reply.([]any)
	if len(list) == 0 {
		return f, fmt.Errorf("%w: %v", ErrReply, reply)
	}
	kind, _ := list[0].(int64)
	switch {
	case kind == 2:
		return found[V]{state: ours, token: token}, nil
	case kind == 3 && len(list) == 2:
		ms, _ := list[1].(int64)
		return found[V]{state: busy, left: time.Duration(ms) * time.Millisecond}, nil
	case kind == 1 && len(list) == 3:
		payload := text(list[1])
		ms, _ := list[2].(int64)
		if payload == "" {
			break
		}
		if f.value, err = c.opts.Value.Decode([]byte(payload[1:])); err != nil {
			return f, fmt.Errorf("rediscache: decode: %w", err)
		}
		f.state, f.left = hit, time.Duration(max(ms, 0))*time.Millisecond
		return f, nil
	}
	return f, fmt.Errorf("%w: %v", ErrReply, list)
}

// millis is a time as the scripts want it.
func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// text is a string of a reply, which some clients give as bytes; "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// loadOne is the loader of the local cache: the second level, then the source.
func (c *Cache[K, V]) loadOne(ctx context.Context, key K) (V, error) {
	var zero V
	if c.closed.Err() != nil {
		return zero, ErrClosed
	}
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		switch f := c.ask(ctx, key); f.state {
		case hit:
			c.lives.Store(key, f.left)
			return f.value, nil
		case ours:
			return c.loadLeased(ctx, key, f.token)
		case busy:
			// Half to whole: those who wait do not come at the same moment.
			wait := poll/2 + randv2.N(poll/2)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return zero, context.Cause(ctx)
			}
		case apart:
			return c.load(ctx, key)
		}
	}
}

// loadLeased asks the source and stores what it says, if the lease is still ours. If it is not, somebody wrote the key
// or took longer than the lease for granted: the result is cached nowhere.
func (c *Cache[K, V]) loadLeased(ctx context.Context, key K, token string) (v V, err error) {
	kept := false
	defer func() {
		if !kept { // also when the source panicked
			c.release(context.WithoutCancel(ctx), key, token)
		}
	}()
	if v, err = c.load(ctx, key); err != nil {
		return v, err
	}
	kept = true
	c.fill(ctx, key, v, token)
	return v, nil
}

// fill ends a lease with a value.
func (c *Cache[K, V]) fill(ctx context.Context, key K, v V, token string) {
	payload, err := c.opts.Value.Append([]byte{isValue}, v)
	if err != nil {
		c.server.failed(ctx, fmt.Errorf("rediscache: encode: %w", err))
		c.release(context.WithoutCancel(ctx), key, token)
		return
	}
	reply, err := c.server.eval(ctx, c.scripts.fill, c.name(key), token, string(payload), millis(c.opts.TTL))
	if err != nil {
		c.server.failed(ctx, err)
		c.lives.Store(key, deafTTL) // nobody knows whether it is in Redis, where a later write would be seen
		return
	}
	if n, _ := reply.(int64); n == 0 {
		c.local.Remove(key) // which makes the load in flight, this one, store nothing
	}
}

// release ends a lease without a value.
func (c *Cache[K, V]) release(ctx context.Context, key K, token string) {
	if _, err := c.server.eval(ctx, c.scripts.fill, c.name(key), token, "", "0"); err != nil {
		c.server.failed(ctx, err)
	}
}

// loadMany is the bulk loader of the local cache. What the second level lacks is asked from the source at once.
func (c *Cache[K, V]) loadMany(ctx context.Context, keys []K) (map[K]V, error) {
	if c.closed.Err() != nil {
		return nil, ErrClosed
	}
	answers := make([]found[V], len(keys))
	each(len(keys), func(i int) { answers[i] = c.ask(ctx, keys[i]) })
	out := make(map[K]V, len(keys))
	var ask, waiting []int
	for i, f := range answers {
		switch f.state {
		case hit:
			c.lives.Store(keys[i], f.left)
			out[keys[i]] = f.value
		case busy:
			waiting = append(waiting, i)
		case ours, apart:
			ask = append(ask, i)
		}
	}
	err := c.loadAll(ctx, keys, answers, ask, out)
	var mu sync.Mutex
	each(len(waiting), func(n int) {
		key := keys[waiting[n]]
		v, failure := c.loadOne(ctx, key)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case failure == nil:
			out[key] = v
		case !errors.Is(failure, lru.ErrNotFound):
			err = errors.Join(err, failure)
		}
	})
	if err != nil {
		for _, key := range keys {
			c.lives.Delete(key)
		}
		return nil, err
	}
	return out, nil
}

// loadAll asks the source for the keys with the given indexes, adds what it has to out, and ends their leases.
func (c *Cache[K, V]) loadAll(ctx context.Context, keys []K, answers []found[V], ask []int, out map[K]V) error {
	if len(ask) == 0 {
		return nil
	}
	done := false
	defer func() {
		if !done { // the source failed or panicked
			each(len(ask), func(n int) {
				if f := answers[ask[n]]; f.state == ours {
					c.release(context.WithoutCancel(ctx), keys[ask[n]], f.token)
				}
			})
		}
	}()
	loaded, err := c.source(ctx, keys, ask)
	if err != nil {
		return err
	}
	done = true
	each(len(ask), func(n int) {
		i := ask[n]
		v, ok := loaded[keys[i]]
		switch {
		case answers[i].state != ours:
		case ok:
			c.fill(ctx, keys[i], v, answers[i].token)
		default:
			c.release(ctx, keys[i], answers[i].token)
		}
	})
	for _, i := range ask {
		if v, ok := loaded[keys[i]]; ok {
			out[keys[i]] = v
		}
	}
	return nil
}

// source asks the source for several keys, in one call where it can.
func (c *Cache[K, V]) source(ctx context.Context, keys []K, ask []int) (map[K]V, error) {
	if c.many != nil {
		wanted := make([]K, 0, len(ask))
		for _, i := range ask {
			wanted = append(wanted, keys[i])
		}
		return c.many(ctx, wanted)
	}
	var mu sync.Mutex
	out := make(map[K]V, len(ask))
	var failure error
	each(len(ask), func(n int) {
		key := keys[ask[n]]
		v, err := c.load(ctx, key)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			out[key] = v
		case !errors.Is(err, lru.ErrNotFound):
			failure = errors.Join(failure, err)
		}
	})
	return out, failure
}

// each calls f with 0 to n-1, a few at a time, and waits. A panic of one of them is passed on when all are done.
func each(n int, f func(i int)) {
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		thrown any
	)
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					mu.Lock()
					thrown = r
					mu.Unlock()
				}
				<-slots
			}()
			f(i)
		})
	}
	group.Wait()
	if thrown != nil {
		panic(thrown)
	}
}
