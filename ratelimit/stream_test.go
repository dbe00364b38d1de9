package ratelimit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStreamsKeepThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("0123456789", 100)
		for name, move := range map[string]func(l Limiter) (string, error){
			"reader": func(l Limiter) (string, error) {
				got, err := io.ReadAll(NewReader(t.Context(), strings.NewReader(text), l))
				return string(got), err
			},
			"writer": func(l Limiter) (string, error) {
				var got bytes.Buffer
				n, err := io.WriteString(NewWriter(t.Context(), &got, l), text)
				if n != got.Len() {
					t.Errorf("%d written, %d reported", got.Len(), n)
				}
				return got.String(), err
			},
		} {
			start := time.Now()
			got, err := move(mustLimiter(t, PerSecond(100).WithBurst(30), PerHour(5000)))
			if err != nil || got != text {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
			if took := time.Since(start); took != 9700*time.Millisecond {
				t.Errorf("%s: 1000 bytes at 100/s with a burst of 30 took %v, want 9.7s", name, took)
			}
		}
	})
}

func TestStreamsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var got bytes.Buffer
		n, err := io.WriteString(NewWriter(ctx, &got, mustLimiter(t, PerSecond(10))), strings.Repeat("x", 100))
		if n != got.Len() || n < 10 || n > 25 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d of %d written, %v", n, got.Len(), err)
		}
		if n, err := NewReader(ctx, strings.NewReader("abc"), mustLimiter(t, quota(1))).Read(nil); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		_, err = io.ReadAll(NewReader(t.Context(), strings.NewReader("abc"), mustLimiter(t, quota(2))))
		if !errors.Is(err, ErrDeadline) {
			t.Errorf("a quota of 2 let 3 bytes through: %v", err)
		}
		if _, err := NewWriter(t.Context(), lossy{}, mustLimiter(t, quota(9))).Write([]byte("abc")); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%v", err)
		}
	})
}

// lossy writes one byte and reports no error.
type lossy struct{}

func (lossy) Write([]byte) (int, error) { return 1, nil }
