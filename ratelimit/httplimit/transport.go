package httplimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// maxTold bounds how long a server can make a client wait: a wrong clock or a hostile answer must not stop it for days.
const maxTold = 5 * time.Minute

// NewTransport returns a client's side: each request waits for one token of its Limiter before it is sent by base, and
// what the server says about its own limit is obeyed. A response of 429 or 503 with Retry-After (seconds or a date), or
// else with a RateLimit field whose r is 0, pauses the Limiter for that time, at most 5 minutes; a malformed value is
// ignored. It never retries and reads no body. A context that ends while waiting, or would end before the turn, gives
// its error (see ratelimit.Limiter.Wait), and nothing is sent.
//
// base nil is http.DefaultTransport. limiter chooses the Limiter by the request, such as a Keyed's by the host; a
// request for which it returns the zero Limiter is sent at once. It must not be nil.
func NewTransport(base http.RoundTripper, limiter func(*http.Request) ratelimit.Limiter) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{base: base, limiter: limiter}
}

type transport struct {
	base    http.RoundTripper
	limiter func(*http.Request) ratelimit.Limiter
}

// RoundTrip implements http.RoundTripper. It closes the body of a request that it does not send, as the interface asks.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	l := t.limiter(r)
	if l == (ratelimit.Limiter{}) {
		return t.base.RoundTrip(r)
	}
	if err := l.Wait(r.Context()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the wait's error is what matters
		}
		return nil, err
	}
	response, err := t.base.RoundTrip(r)
	if err == nil && (response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable) {
		if wait, ok := told(response.Header, time.Now()); ok {
			l.Pause(min(wait, maxTold))
		}
	}
	return response, err
}

// told returns how long a server asks to wait.
func told(h http.Header, now time.Time) (time.Duration, bool) {
	if text := strings.Trim(h.Get("Retry-After"), " \t"); text != "" {
		if seconds, ok := digits(text); ok {
			return seconds, seconds > 0
		}
		if at, err := http.ParseTime(text); err == nil {
			return at.Sub(now), at.After(now)
		}
	}
	longest := time.Duration(0)
	for _, line := range h["Ratelimit"] {
		wait, ok := exhausted(line)
		if !ok {
			return 0, false
		}
		longest = max(longest, wait)
	}
	return longest, longest > 0
}

// digits reads a number of seconds. Any number of digits is a number; those above maxTold are cut anyway.
func digits(s string) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(maxTold/time.Second) {
		return maxTold, true
	}
	return time.Duration(n) * time.Second, true
}

// exhausted returns the longest t of the policies in a RateLimit field that have nothing left. It reads the part of
// RFC 9651 that the field uses: a list of strings with integer parameters.
func exhausted(line string) (time.Duration, bool) {
	longest := time.Duration(0)
	for rest := strings.Trim(line, " \t"); ; {
		after, ok := skipString(rest)
		if !ok {
			return 0, false
		}
		member, more, comma := strings.Cut(after, ",")
		wait, empty := time.Duration(0), false
		for part := range strings.SplitSeq(strings.Trim(member, " \t"), ";") {
			key, value, found := strings.Cut(strings.Trim(part, " "), "=")
			if !found {
				continue
			}
			n, ok := digits(value)
			switch {
			case key != "t" && key != "r":
			case !ok:
				return 0, false
			case key == "t":
				wait = n
			default:
				empty = n == 0
			}
		}
		if empty {
			longest = max(longest, wait)
		}
		if rest = strings.Trim(more, " \t"); !comma {
			return longest, true
		}
	}
}

// skipString returns what follows the string at the beginning of s.
func skipString(s string) (string, bool) {
	if s == "" || s[0] != '"' {
		return "", false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[i+1:], true
		}
	}
	return "", false
}
