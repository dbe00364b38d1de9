package httppage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	firstWait     = 100 * time.Millisecond // the longest first wait; doubled each time
	longestWait   = 10 * time.Second
	longestServer = 60 * time.Second // a longer Retry-After is an answer, not a wait
	maxRedirects  = 10
)

// newClient is the user's client, which asks before it follows a redirect.
func (w *walker) newClient() *http.Client {
	c := http.Client{}
	if w.o.Client != nil {
		c = *w.o.Client
	} else {
		c = *http.DefaultClient
	}
	inner := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if !w.o.OtherOrigin && origin(req.URL) != w.origin {
			return fmt.Errorf("%w: redirect to %s", ErrOrigin, origin(req.URL))
		}
		if inner != nil {
			return inner(req, via)
		}
		if len(via) >= maxRedirects {
			return errors.New("httppage: too many redirects")
		}
		return nil
	}
	return &c
}

// get gets a page, with retries after 429, 502, 503, 504 and errors of the connection.
func (w *walker) get(ctx context.Context, url string) (*http.Response, error) {
	retries := w.o.Retries
	if retries == 0 {
		retries = defaultRetries
	}
	for try := 0; ; try++ {
		res, err := w.once(ctx, url)
		wait := time.Duration(-1)
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, ErrOrigin)):
			return nil, err
		case err != nil:
			err = fmt.Errorf("httppage: get page: %w", err)
		case res.StatusCode/100 == 2:
			return res, nil
		default:
			err = fmt.Errorf("%w: %d", ErrStatus, res.StatusCode)
			wait = retryAfter(res.Header.Get("Retry-After"), time.Now())
			_ = res.Body.Close() // its content is of no use
			if !retryable(res.StatusCode) || wait > longestServer {
				return nil, err
			}
		}
		if try >= retries {
			return nil, err
		}
		if wait < 0 { // full jitter: clients that failed together do not come back together
			wait = rand.N(min(firstWait<<min(try, 16), longestWait))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

// once sends one request.
func (w *walker) once(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	for name, values := range w.o.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	res, err := w.client.Do(req)
	if err != nil {
		if res != nil && res.Body != nil {
			_ = res.Body.Close() // a refused redirect; the error says it
		}
		return nil, err
	}
	limit := w.o.MaxBody
	if limit == 0 {
		limit = defaultMaxBody
	}
	res.Body = &boundedBody{res.Body, limit}
	return res, nil
}

func retryable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads seconds or a date; −1 for neither.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<30)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return -1
}

// boundedBody is an error where a body goes on beyond its limit: a list that was
// cut off must not look complete.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("%w: too long", ErrBody)
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, fmt.Errorf("%w: too long", ErrBody)
	}
	return n, err
}
