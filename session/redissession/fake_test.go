package redissession

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// reply is what a client's command returns.
type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// Fake is a server that answers as Redis does to the commands of this package. It is a model of the scripts, written
// from their comments; package internal/integration runs the scripts themselves.
type Fake struct {
	mu     sync.Mutex
	hashes map[string]map[string]string
	zsets  map[string]map[string]int64
	expiry map[string]int64
	known  map[string]script
	calls  int
	// before sees each command, with no lock held, and may answer it.
	before func(ctx context.Context, args []any) (v any, err error, done bool)
}

func NewFake() *Fake {
	return &Fake{
		hashes: map[string]map[string]string{}, zsets: map[string]map[string]int64{}, expiry: map[string]int64{},
		known: map[string]script{},
	}
}

func (f *Fake) Do(ctx context.Context, args ...any) reply {
	if f.before != nil {
		if v, err, done := f.before(ctx, args); done {
			return reply{v, err}
		}
	}
	if err := ctx.Err(); err != nil {
		return reply{nil, err}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	text := make([]string, len(args))
	for i, a := range args {
		text[i] = a.(string)
	}
	for key, at := range f.expiry {
		if at <= now() {
			f.del(key)
		}
	}
	v, err := f.run(text)
	maps.DeleteFunc(f.zsets, func(_ string, z map[string]int64) bool { return len(z) == 0 })
	return reply{v, err}
}

func (f *Fake) del(key string) {
	delete(f.hashes, key)
	delete(f.zsets, key)
	delete(f.expiry, key)
}

func (f *Fake) run(args []string) (any, error) {
	switch args[0] {
	case "HMGET":
		out := make([]any, 0, len(args)-2)
		for _, name := range args[2:] {
			if v, ok := f.hashes[args[1]][name]; ok {
				out = append(out, v)
			} else {
				out = append(out, nil)
			}
		}
		return out, nil
	case "ZREM":
		for _, m := range args[2:] {
			delete(f.zsets[args[1]], m)
		}
		return int64(len(args) - 2), nil
	case "EVAL":
		f.known[script(args[1]).name()] = script(args[1])
		return f.script(script(args[1]), args[3], args[4:])
	case "EVALSHA":
		text, ok := f.known[args[1]]
		if !ok {
			return nil, errors.New("NOSCRIPT no matching script")
		}
		return f.script(text, args[3], args[4:])
	}
	return nil, fmt.Errorf("ERR unknown command '%s'", args[0])
}

func integer(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (f *Fake) script(text script, key string, a []string) (any, error) {
	h, z := f.hashes[key], f.zsets[key]
	switch text {
	case save:
		return f.save(key, h, a), nil
	case touch:
		if h == nil || integer(h["e"]) <= integer(a[0]) {
			return "gone", nil
		}
		if to := min(integer(a[1]), integer(h["d"])); to > integer(h["e"]) {
			h["e"] = strconv.FormatInt(to, 10)
			f.expiry[key] = to
		}
		return "touched", nil
	case remove:
		if h == nil || a[0] == "1" && h["u"] != a[1] {
			return "-", nil
		}
		f.del(key)
		if integer(h["e"]) > integer(a[2]) {
			return "+" + h["u"], nil
		}
		return "=" + h["u"], nil
	case enter:
		if z == nil {
			z = map[string]int64{}
			f.zsets[key] = z
		}
		score := integer(a[1])
		if old, ok := z[a[0]]; ok && old >= score {
			score = old + 1
		}
		z[a[0]] = score
		f.expiry[key] = max(f.expiry[key], score)
		return "entered", nil
	case list:
		out := []any{}
		for _, m := range slices.Sorted(maps.Keys(z)) {
			out = append(out, m, strconv.FormatInt(z[m], 10))
		}
		return out, nil
	case heal:
		if strconv.FormatInt(z[a[0]], 10) == a[1] {
			delete(z, a[0])
		}
		return "healed", nil
	}
	return nil, errors.New("ERR unknown script")
}

func (f *Fake) save(key string, h map[string]string, a []string) string {
	if h != nil && h["v"] == a[8] && h["n"] == a[9] {
		return "saved"
	}
	live := h != nil && integer(h["e"]) > integer(a[1])
	switch {
	case !live && a[0] != "0":
		return "gone"
	case live && a[0] != h["v"]:
		return "conflict"
	case a[7] == "0" && (!live || h["u"] != a[2] || h["d"] != a[5]):
		return "index"
	case integer(a[4]) <= integer(a[1]):
		f.del(key)
		return "saved"
	}
	f.hashes[key] = map[string]string{"v": a[8], "u": a[2], "c": a[3], "e": a[4], "d": a[5], "p": a[6], "n": a[9]}
	f.expiry[key] = integer(a[4])
	return "saved"
}

// Keys returns the TTL of every key.
func (f *Fake) Keys() map[string]time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]time.Duration{}
	for _, names := range [][]string{slices.Collect(maps.Keys(f.hashes)), slices.Collect(maps.Keys(f.zsets))} {
		for _, key := range names {
			out[key] = time.Duration(f.expiry[key]-now()) * time.Millisecond
		}
	}
	return out
}
