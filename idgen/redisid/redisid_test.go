package redisid

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/idgen"
)

// The scripts run on real servers in internal/integration/idgen; here replies are made up, to see that odd ones are errors.

type answer struct {
	v   any
	err error
}

func (a answer) Result() (any, error) { return a.v, a.err }

// server answers from a list and records the commands.
type server struct {
	answers []answer
	sent    [][]any
}

func (s *server) do(_ context.Context, args ...any) answer {
	s.sent = append(s.sent, append([]any(nil), args...))
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return a
}

func TestAnUnexpectedReplyIsAnErrorAndNeverANumber(t *testing.T) {
	for _, v := range []any{
		nil, "OK", int64(3), []byte("x"),
		[]any{},
		[]any{nil},
		[]any{"ok"},
		[]any{"ok", "x"},
		[]any{"ok", 1.5},
		[]any{"what"},
		[]any{"ok", "1", "2", "3"},
		[]any{"ok", "9", "2", "3", "4"},
		[]any{"ok", "-1", "2", "3", "4"},
		[]any{"error", "broken"},
		true,
		map[any]any{},
	} {
		s := &server{answers: []answer{{v: v}}}
		l, err := NewLeaser(s.do, "n", LeaserOptions{})
		require.NoError(t, err)
		_, err = l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
		require.Error(t, err, "%v", v)
		require.NotErrorIs(t, err, idgen.ErrNoWorker)
		if v == nil {
			_, err = l.Extend(t.Context(), idgen.Grant{}, time.Now())
			require.Error(t, err)
			require.NotErrorIs(t, err, idgen.ErrLeaseLost)
			require.Error(t, l.Release(t.Context(), idgen.Grant{}, time.Now()))
		}
		c, err := NewCounter(s.do, "k", CounterOptions{FloorRate: 5})
		require.NoError(t, err)
		_, err = c.Reserve(t.Context(), 1)
		require.Error(t, err, "%v", v)
		if _, plain := v.(int64); !plain {
			c, err = NewCounter(s.do, "k", CounterOptions{})
			require.NoError(t, err)
			_, err = c.Reserve(t.Context(), 1)
			require.Error(t, err, "%v", v)
		}
	}
}

func TestPrefixIsPutBeforeTheNamespace(t *testing.T) {
	for prefix, want := range map[string]string{"": "idgen:leases:shop", "staging:": "staging:shop"} {
		s := &server{answers: []answer{{v: []any{"none"}}}}
		l, err := NewLeaser(s.do, "shop", LeaserOptions{Prefix: prefix})
		require.NoError(t, err)
		_, err = l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
		require.ErrorIs(t, err, idgen.ErrNoWorker)
		require.Contains(t, s.sent[0], want)
	}
}

func TestOnlyAnUnknownScriptIsSentAgain(t *testing.T) {
	s := &server{answers: []answer{{err: errors.New("NOSCRIPT No matching script")}, {v: []any{[]byte("ok"), "0", int64(1), "5", "6"}}}}
	l, err := NewLeaser(s.do, "n", LeaserOptions{})
	require.NoError(t, err)
	g, err := l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, int64(1), g.Token)
	require.Equal(t, "EVALSHA", s.sent[0][0])
	require.Equal(t, "EVAL", s.sent[1][0])
	require.Equal(t, acquireScript, s.sent[1][1])
	require.Equal(t, s.sent[0][2:], s.sent[1][2:])

	down := errors.New("connection reset")
	s = &server{answers: []answer{{err: down}}}
	l, err = NewLeaser(s.do, "n", LeaserOptions{})
	require.NoError(t, err)
	_, err = l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, down)
	c, err := NewCounter(s.do, "k", CounterOptions{})
	require.NoError(t, err)
	_, err = c.Reserve(t.Context(), 1)
	require.ErrorIs(t, err, down)
	require.Len(t, s.sent, 2, "an unknown outcome is not retried")
}

func TestOutcomesBecomeTheErrorsOfIdgen(t *testing.T) {
	for word, want := range map[string]error{"none": idgen.ErrNoWorker, "clock": idgen.ErrClock, "lost": idgen.ErrLeaseLost} {
		s := &server{answers: []answer{{v: []any{word, "1"}}}}
		l, err := NewLeaser(s.do, "n", LeaserOptions{})
		require.NoError(t, err)
		_, err = l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
		require.ErrorIs(t, err, want)
		_, err = l.Extend(t.Context(), idgen.Grant{}, time.Now())
		require.ErrorIs(t, err, want)
	}
	s := &server{answers: []answer{{err: errors.New("ERR increment or decrement would overflow")}}}
	c, err := NewCounter(s.do, "k", CounterOptions{})
	require.NoError(t, err)
	_, err = c.Reserve(t.Context(), 1)
	require.ErrorIs(t, err, idgen.ErrOverflow)
	s.answers = []answer{{v: []any{"overflow"}}}
	c, err = NewCounter(s.do, "k", CounterOptions{First: 5})
	require.NoError(t, err)
	_, err = c.Reserve(t.Context(), 1)
	require.ErrorIs(t, err, idgen.ErrOverflow)
}

func TestArgumentsOutsideTheirLimits(t *testing.T) {
	s := &server{}
	var none func(context.Context, ...any) answer
	_, err := NewCounter(none, "k", CounterOptions{})
	require.ErrorIs(t, err, idgen.ErrInvalid)
	_, err = NewLeaser(none, "k", LeaserOptions{})
	require.ErrorIs(t, err, idgen.ErrInvalid)
	for _, o := range []CounterOptions{{First: -1}, {FloorRate: -1}, {FloorRate: maxRate + 1}, {FloorEpoch: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		_, err = NewCounter(s.do, "k", o)
		require.ErrorIs(t, err, idgen.ErrInvalid)
	}
	_, err = NewCounter(s.do, "", CounterOptions{})
	require.ErrorIs(t, err, idgen.ErrInvalid)
	for _, o := range []LeaserOptions{{MaxSkew: -1}, {Owner: strings.Repeat("x", 256)}} {
		_, err = NewLeaser(s.do, "n", o)
		require.ErrorIs(t, err, idgen.ErrInvalid)
	}
	_, err = NewLeaser(s.do, "", LeaserOptions{})
	require.ErrorIs(t, err, idgen.ErrInvalid)
	_, err = new(Counter).Reserve(t.Context(), 1)
	require.ErrorIs(t, err, idgen.ErrClosed)
	_, err = new(Leaser).Acquire(t.Context(), 1, time.Now(), time.Now())
	require.ErrorIs(t, err, idgen.ErrClosed)
	require.ErrorIs(t, new(Leaser).Release(t.Context(), idgen.Grant{}, time.Now()), idgen.ErrClosed)
	require.Empty(t, s.sent)
}
