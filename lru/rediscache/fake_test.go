package rediscache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/lru"
)

var errDown = errors.New("connection refused")

// fakeRedis does what the scripts say, in memory. The scripts themselves run on a real server in internal/integration.
type fakeRedis struct {
	mu        sync.Mutex
	keys      map[string]fakeEntry
	known     map[string]bool // scripts that the server has
	calls     int
	listeners map[chan string]bool
	fail      func(args []any) error // nil: never
	takes     time.Duration
	deaf      bool // messages are lost
}

type fakeEntry struct {
	value   string
	expires time.Time
}

type fakeReply struct {
	reply any
	err   error
}

func (r fakeReply) Result() (any, error) { return r.reply, r.err }

func newFake() *fakeRedis {
	return &fakeRedis{keys: map[string]fakeEntry{}, known: map[string]bool{}, listeners: map[chan string]bool{}}
}

// do ignores ctx, as many a client does.
func (r *fakeRedis) do(_ context.Context, args ...any) fakeReply {
	r.mu.Lock()
	takes := r.takes
	r.mu.Unlock()
	if takes > 0 {
		<-time.After(takes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.fail != nil {
		if err := r.fail(args); err != nil {
			return fakeReply{nil, err}
		}
	}
	switch args[0] {
	case "PUBLISH":
		return fakeReply{r.publish(fmt.Sprint(args[2])), nil}
	case "EVAL":
		r.known[newScript(fmt.Sprint(args[1])).sha] = true
		args[1] = newScript(fmt.Sprint(args[1])).sha
	case "EVALSHA":
		if !r.known[fmt.Sprint(args[1])] {
			return fakeReply{nil, errors.New("NOSCRIPT No matching script")}
		}
	}
	return fakeReply{r.script(fmt.Sprint(args[1]), fmt.Sprint(args[3]), args[4:]), nil}
}

func (r *fakeRedis) script(sha, key string, args []any) any {
	e, ok := r.keys[key]
	if ok && !e.expires.After(time.Now()) {
		ok, e = false, fakeEntry{}
	}
	left := time.Until(e.expires).Milliseconds()
	store := func(value string, ms any) {
		n, err := strconv.ParseInt(fmt.Sprint(ms), 10, 64)
		if err != nil {
			panic(err)
		}
		r.keys[key] = fakeEntry{value, time.Now().Add(time.Duration(n) * time.Millisecond)}
	}
	switch sha {
	case fetchScript().sha:
		switch {
		case ok && e.value[0] == isValue:
			return []any{int64(1), e.value, left}
		case ok && e.value[0] == isLease:
			return []any{int64(3), left}
		}
		store("L"+fmt.Sprint(args[0]), args[1])
		return []any{int64(2)}
	case fillScript().sha:
		switch {
		case !ok || e.value != "L"+fmt.Sprint(args[0]):
			return int64(0)
		case args[1] == "":
			delete(r.keys, key)
		default:
			store(fmt.Sprint(args[1]), args[2])
		}
		return int64(1)
	case changeScript().sha:
		if args[0] == "" {
			delete(r.keys, key)
		} else {
			store(fmt.Sprint(args[0]), args[1])
		}
		return r.publish(fmt.Sprint(args[3]))
	}
	panic("unknown script")
}

func (r *fakeRedis) publish(message string) int64 {
	if r.deaf {
		return 0
	}
	for l := range r.listeners {
		l <- message
	}
	return int64(len(r.listeners))
}

// subscribe is Options.Subscribe.
func (r *fakeRedis) subscribe(ctx context.Context, _ string, ready func(), message func(string)) error {
	r.mu.Lock()
	if r.fail != nil {
		if err := r.fail([]any{"SUBSCRIBE"}); err != nil {
			r.mu.Unlock()
			return err
		}
	}
	l := make(chan string, 1000)
	r.listeners[l] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.listeners, l)
		r.mu.Unlock()
	}()
	ready()
	for {
		select {
		case m, ok := <-l:
			if !ok {
				return errDown
			}
			message(m)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// cut ends all subscriptions.
func (r *fakeRedis) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.listeners {
		close(l)
		delete(r.listeners, l)
	}
}

// down makes every call fail until up.
func (r *fakeRedis) down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = func([]any) error { return errDown }
}

func (r *fakeRedis) up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = nil
}

// origin is a source that counts.
type origin struct {
	mu     sync.Mutex
	values map[string]string
	loads  int
	takes  time.Duration
	err    error
}

func (o *origin) load(ctx context.Context, key string) (string, error) {
	o.mu.Lock()
	o.loads++
	v, ok := o.values[key]
	err, takes := o.err, o.takes
	o.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	if err == nil && !ok {
		err = lru.ErrNotFound
	}
	return v, err
}

func (o *origin) set(key, value string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[key] = value
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loads
}

func newOrigin(pairs ...string) *origin {
	o := &origin{values: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		o.values[pairs[i]] = pairs[i+1]
	}
	return o
}

// process makes a cache as one process would, closed at the end of the test.
func process(t *testing.T, r *fakeRedis, o *origin, opts Options[string, string]) *Cache[string, string] {
	t.Helper()
	opts.Local.Load = o.load
	if opts.Subscribe == nil && opts.Local.TTL == 0 {
		opts.Subscribe = r.subscribe
	}
	c, err := New(r.do, 100, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func reads(t *testing.T, c *Cache[string, string], key, want string) {
	t.Helper()
	got, err := c.Fetch(t.Context(), key)
	if errors.Is(err, lru.ErrNotFound) {
		got, err = "", nil
	}
	if err != nil || got != want {
		t.Fatalf("Fetch(%q) = %q, %v; want %q", key, got, err, want)
	}
}

func (r *fakeRedis) holds(t *testing.T, key, want string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := r.keys[key].value; got != want && (want != "lease" || !strings.HasPrefix(got, "L")) {
		t.Fatalf("the server has %q under %q, want %q", got, key, want)
	}
}
