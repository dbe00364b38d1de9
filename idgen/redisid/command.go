package redisid

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/idgen"
)

// Reply is what a client's Do returns: *redis.Cmd of go-redis, or a type of three lines.
type Reply interface{ Result() (any, error) }

// command sends one command.
type command func(ctx context.Context, args ...any) (any, error)

// commandOf hides the type of the reply.
func commandOf[R Reply](do func(ctx context.Context, args ...any) R) command {
	return func(ctx context.Context, args ...any) (any, error) { return do(ctx, args...).Result() }
}

// script is Lua text with the name under which the server caches it.
type script struct{ text, sha string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text: text, sha: hex.EncodeToString(sum[:])}
}

// run executes s on one key. NOSCRIPT means that nothing was executed: the only case in which it is sent again. All
// scripts answer with an array of strings, the first of which is the outcome.
func (s script) run(ctx context.Context, do command, key string, args ...any) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	line := append([]any{"EVALSHA", s.sha, "1", key}, args...)
	v, err := do(ctx, line...)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		line[0], line[1] = "EVAL", s.text
		v, err = do(ctx, line...)
	}
	if err != nil {
		return nil, err
	}
	return decode(v)
}

// decode accepts an array of strings or integers and nothing else.
func decode(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("unexpected reply %T", v)
	}
	out := make([]string, len(list))
	for i, item := range list {
		switch x := item.(type) {
		case string:
			out[i] = x
		case []byte:
			out[i] = string(x)
		case int64:
			out[i] = strconv.FormatInt(x, 10)
		default:
			return nil, fmt.Errorf("unexpected reply element %T", item)
		}
	}
	return out, nil
}

// integers reads the numbers behind the outcome.
func integers(words []string, n int) ([]int64, error) {
	if len(words) != n+1 {
		return nil, fmt.Errorf("unexpected reply of %d elements, want %d", len(words), n+1)
	}
	out := make([]int64, n)
	for i := range out {
		v, err := strconv.ParseInt(words[i+1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("unexpected reply element: %w", err)
		}
		out[i] = v
	}
	return out, nil
}

// checkName refuses an empty key.
func checkName(kind, name string, missing bool) error {
	if missing {
		return fmt.Errorf("%w: redisid: do is nil", idgen.ErrInvalid)
	}
	if name == "" {
		return fmt.Errorf("%w: redisid: %s is empty", idgen.ErrInvalid, kind)
	}
	return nil
}
