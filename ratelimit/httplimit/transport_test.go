package httplimit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// trip answers requests and notes when they came.
type trip struct {
	status int
	header http.Header
	err    error
	start  time.Time
	at     []time.Duration
}

func (b *trip) RoundTrip(*http.Request) (*http.Response, error) {
	b.at = append(b.at, time.Since(b.start))
	if b.err != nil {
		return nil, b.err
	}
	return &http.Response{StatusCode: b.status, Header: b.header, Body: unreadable{}}, nil
}

// unreadable is a body that must not be touched.
type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { panic("the body is the caller's") }
func (unreadable) Close() error             { return nil }

func send(ctx context.Context, tb testing.TB, t http.RoundTripper, body io.Reader) error {
	tb.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://example.org/", body)
	if err != nil {
		tb.Fatal(err)
	}
	response, err := t.RoundTrip(r)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

func paced(tb testing.TB, limit ratelimit.Limit) (ratelimit.Limiter, func(*http.Request) ratelimit.Limiter) {
	tb.Helper()
	l, err := ratelimit.New(limit)
	if err != nil {
		tb.Fatal(err)
	}
	return l, func(*http.Request) ratelimit.Limiter { return l }
}

func TestTransportSendsAtTheLimitersPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &trip{status: 200, header: http.Header{"Retry-After": {"60"}}, start: time.Now()} // 200 asks for nothing
		_, limiter := paced(t, ratelimit.PerSecond(1))
		tr := NewTransport(b, limiter)
		for range 3 {
			if err := send(t.Context(), t, tr, nil); err != nil {
				t.Fatal(err)
			}
		}
		if len(b.at) != 3 || b.at[0] != 0 || b.at[1] != time.Second || b.at[2] != 2*time.Second {
			t.Errorf("%v", b.at)
		}
	})
}

func TestTransportObeysTheServer(t *testing.T) {
	date := func(d time.Duration) http.Header {
		return http.Header{"Retry-After": {time.Now().Add(d).UTC().Format(http.TimeFormat)}}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			status int
			header http.Header
			want   time.Duration
		}{
			{429, http.Header{"Retry-After": {"7"}}, 7 * time.Second},
			{503, http.Header{"Retry-After": {" 7 "}}, 7 * time.Second},
			{500, http.Header{"Retry-After": {"7"}}, 0},
			{429, date(90 * time.Second), 90 * time.Second},
			{429, date(-time.Hour), 0},
			{429, http.Header{"Retry-After": {"0"}}, 0},
			{429, http.Header{"Retry-After": {"100000"}}, 5 * time.Minute},
			{429, http.Header{"Retry-After": {"99999999999999999999999"}}, 5 * time.Minute},
			{429, date(24 * time.Hour), 5 * time.Minute},
			{429, http.Header{"Retry-After": {"-7"}}, 0},
			{429, http.Header{"Retry-After": {"+7"}}, 0},
			{429, http.Header{"Retry-After": {"7.5"}}, 0},
			{429, http.Header{"Retry-After": {"soon"}}, 0},
			{429, http.Header{}, 0},
			{429, http.Header{"Ratelimit": {`"a,\";t=9";r=0;t=30, "b";r=5;t=200`}}, 30 * time.Second},
			{429, http.Header{"Ratelimit": {`"a";r=0;t=3`, `"b";r=0;t=4;pk=:Zm9v:`}}, 4 * time.Second},
			{429, http.Header{"Ratelimit": {`"a";r=0;t=3`}, "Retry-After": {"8"}}, 8 * time.Second},
			{429, http.Header{"Ratelimit": {`a;r=0;t=3`}}, 0},
			{429, http.Header{"Ratelimit": {`"a;r=0;t=3`}}, 0},
			{429, http.Header{"Ratelimit": {`"a";r=0;t=-3`}}, 0},
			{429, http.Header{"Ratelimit": {`"a";r=0;t=3,`}}, 0},
			{429, http.Header{"Ratelimit": {`"a";r=0`}}, 0},
		} {
			l, limiter := paced(t, ratelimit.PerSecond(1000))
			b := &trip{status: c.status, header: c.header}
			if err := send(t.Context(), t, NewTransport(b, limiter), nil); err != nil || len(b.at) != 1 {
				t.Errorf("%v: %v, sent %d times", c.header, err, len(b.at))
			}
			if d := l.Peek(1); d.RetryAfter != c.want {
				t.Errorf("%d %v: paused for %v, want %v", c.status, c.header, d.RetryAfter, c.want)
			}
		}
	})
}

// closer notes that a request's body was closed.
type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestTransportThatMayNotSendClosesTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, limiter := paced(t, ratelimit.PerHour(1))
		l.Take(1)
		b := &trip{status: 200}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		body := &closer{Reader: strings.NewReader("x")}
		if err := send(ctx, t, NewTransport(b, limiter), body); !errors.Is(err, ratelimit.ErrDeadline) || !body.closed || len(b.at) != 0 {
			t.Errorf("%v, closed %v, sent %d", err, body.closed, len(b.at))
		}
	})
}

func TestTransportPassesFailuresAndUnlimitedRequests(t *testing.T) {
	b := &trip{err: io.ErrUnexpectedEOF}
	_, limiter := paced(t, ratelimit.PerHour(1))
	if err := send(t.Context(), t, NewTransport(b, limiter), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	b = &trip{status: 429, header: http.Header{"Retry-After": {"9"}}}
	free := NewTransport(b, func(*http.Request) ratelimit.Limiter { return ratelimit.Limiter{} })
	for range 3 {
		if err := send(t.Context(), t, free, nil); err != nil {
			t.Error(err)
		}
	}
	if NewTransport(nil, limiter).(*transport).base != http.DefaultTransport {
		t.Error("no base is not http.DefaultTransport")
	}
}

func FuzzTold(f *testing.F) {
	f.Add("7", `"a";r=0;t=3`)
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT", `"a\\";r=0;t=3, "b";t=2;r=0`)
	f.Fuzz(func(t *testing.T, after, field string) {
		wait, ok := told(http.Header{"Retry-After": {after}, "Ratelimit": {field}}, time.Unix(1e9, 0))
		if ok != (wait > 0) && ok {
			t.Errorf("%v %v", wait, ok)
		}
	})
}
