package redisbloom

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Reply is what a command of a Redis client returns; *redis.Cmd of go-redis is one.
type Reply interface{ Result() (any, error) }

// The errors of the package, beside those of package bloom and those of the client.
var (
	// ErrNotFound reports that there is no filter of this name.
	ErrNotFound = errors.New("redisbloom: no filter of this name")
	// ErrReply reports a reply of a shape that the command cannot have. It is never taken for an answer.
	ErrReply = errors.New("redisbloom: unexpected reply")
	// ErrUnsupported reports that the server lacks a command; the server's own error is wrapped too.
	ErrUnsupported = errors.New("redisbloom: the server lacks this command")
)

// server sends one command and returns its reply.
type server func(ctx context.Context, args ...any) (any, error)

func connect[R Reply](do func(ctx context.Context, args ...any) R) server {
	return func(ctx context.Context, args ...any) (any, error) {
		v, err := do(ctx, args...).Result()
		if err != nil {
			if text := err.Error(); strings.HasPrefix(text, "ERR unknown command") {
				return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
			}
			return nil, err
		}
		return v, nil
	}
}

// unexpected is the error of a reply that does not fit.
func unexpected(v any, want string) error {
	return fmt.Errorf("%w: %T, want %s", ErrReply, v, want)
}

// number decodes an integer reply within limits.
func number(v any, least, most int64) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, unexpected(v, "an integer")
	}
	if n < least || n > most {
		return 0, fmt.Errorf("%w: %d, want %d to %d", ErrReply, n, least, most)
	}
	return n, nil
}

// text decodes a string reply of at most most bytes.
func text(v any, most int) (string, error) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	default:
		return "", unexpected(v, "a string")
	}
	if len(s) > most {
		return "", fmt.Errorf("%w: %d bytes, want at most %d", ErrReply, len(s), most)
	}
	return s, nil
}

// list decodes an array reply of exactly n elements.
func list(v any, n int) ([]any, error) {
	a, ok := v.([]any)
	if !ok {
		return nil, unexpected(v, "an array")
	}
	if len(a) != n {
		return nil, fmt.Errorf("%w: %d elements, want %d", ErrReply, len(a), n)
	}
	return a, nil
}

// okay decodes the reply of a command that can only succeed.
func okay(v any) error {
	s, err := text(v, 16)
	if err != nil {
		return err
	}
	if s != "OK" {
		return fmt.Errorf("%w: %q, want OK", ErrReply, s)
	}
	return nil
}
