package rediscache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// deafTTL is how long entries of this process live while writes of others may go unheard.
	deafTTL = time.Second
	// A subscription that brought nothing for quiet is asked for a sign of life; after silence it counts as lost, though
	// the connection may seem to stand. One process of many asks: the others hear its sign too.
	quiet   = time.Second
	silence = 3 * time.Second
	// Pauses before another attempt to subscribe.
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// feed is the subscription to the writes of others.
type feed struct {
	live  atomic.Bool  // the subscription is confirmed; stored by its goroutine, read by everybody
	heard atomic.Int64 // nanoseconds since begin at which the last message came
	begin time.Time
	done  chan struct{} // closed when the goroutine has ended
}

func (c *Cache[K, V]) startFeed() {
	c.feed.begin = time.Now()
	c.feed.done = make(chan struct{})
	go func() {
		defer close(c.feed.done)
		for retry := firstRetry; c.closed.Err() == nil; retry = min(2*retry, lastRetry) {
			if c.subscribe() {
				retry = firstRetry
			}
			select {
			case <-time.After(retry/2 + rand.N(retry)):
			case <-c.closed.Done():
			}
		}
	}()
}

// subscribe holds one subscription until it is lost and reports whether it ever stood.
func (c *Cache[K, V]) subscribe() (stood bool) {
	ctx, cancel := context.WithCancel(c.closed)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.watch(ctx, cancel)
	}()
	var mu sync.Mutex
	ready := func() {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			return // given up meanwhile
		}
		stood = true
		c.feed.heard.Store(int64(time.Since(c.feed.begin)))
		c.feed.live.Store(true)
		c.local.Clear() // what was written meanwhile is unknown; loads in flight are not stored either
	}
	lost := make(chan error, 1)
	go func() { lost <- c.opts.Subscribe(ctx, c.channel(), ready, c.hear) }()
	var err error
	select {
	case err = <-lost:
	case <-ctx.Done(): // a client may not notice; nobody waits for it
		err = context.Cause(ctx)
	}
	mu.Lock() // from here on ready does nothing
	defer mu.Unlock()
	cancel()
	<-watched
	c.deafen()
	if c.closed.Err() == nil {
		c.trouble(fmt.Errorf("%w: %w", ErrDeaf, err))
	}
	return stood
}

// deafen marks the subscription as lost. Entries that are there live for another moment at most, unless it comes back
// before, which clears them too.
func (c *Cache[K, V]) deafen() {
	if !c.feed.live.Swap(false) {
		return
	}
	time.AfterFunc(deafTTL, func() {
		if !c.feed.live.Load() {
			c.local.Clear()
		}
	})
}

// hear takes one message: the sender, a space, and the key.
func (c *Cache[K, V]) hear(payload string) {
	c.feed.heard.Store(int64(time.Since(c.feed.begin)))
	sender, name, ok := strings.Cut(payload, " ")
	if !ok || sender == c.self {
		return // a sign of life, or our own
	}
	key, err := c.names.Decode([]byte(name))
	if err != nil {
		c.local.Clear() // somebody wrote something that we cannot name
		c.trouble(fmt.Errorf("rediscache: message: %w", err))
		return
	}
	c.local.Remove(key)
}

// watch asks for signs of life and ends a subscription that is silent.
func (c *Cache[K, V]) watch(ctx context.Context, lost context.CancelFunc) {
	for {
		wait := quiet + rand.N(quiet/2)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if !c.feed.live.Load() {
			continue // not confirmed yet: Subscribe has its own patience
		}
		switch still := time.Since(c.feed.begin) - time.Duration(c.feed.heard.Load()); {
		case still >= silence:
			c.deafen()
			lost()
			return
		case still >= quiet:
			c.server.ping(ctx, c.channel(), c.self)
		}
	}
}

// ping publishes a sign of life. Its failure shows in the silence.
func (s *server) ping(ctx context.Context, channel, sender string) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.do(limited, "PUBLISH", channel, sender)
	}()
	select {
	case <-done:
	case <-limited.Done():
	}
}
