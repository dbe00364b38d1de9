package ratelimit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String returns l as ParseLimit reads it: "[name=]count/per[ burst n][ fixed| sliding]", or "unlimited".
func (l Limit) String() string {
	var b strings.Builder
	if l.Name != "" {
		b.WriteString(l.Name)
		b.WriteByte('=')
	}
	if l.unlimited() {
		b.WriteString("unlimited")
		return b.String()
	}
	b.WriteString(strconv.FormatInt(l.Count, 10))
	b.WriteByte('/')
	b.WriteString(shortDuration(l.Per))
	if l.Burst != 0 && l.Burst != l.Count {
		b.WriteString(" burst ")
		b.WriteString(strconv.FormatInt(l.Burst, 10))
	}
	switch l.Algorithm {
	case TokenBucket:
	case FixedWindow:
		b.WriteString(fixedSuffix)
	case SlidingWindow:
		b.WriteString(slidingSuffix)
	}
	return b.String()
}

// shortDuration is d.String without the zero parts that it appends: "1h", not "1h0m0s".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText returns String for a valid limit and an ErrInvalid otherwise, also when the name holds a "=", which could
// not be read back.
func (l Limit) MarshalText() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if strings.Contains(l.Name, "=") {
		return nil, fmt.Errorf("%w: Limit.Name %q, must not contain '='", ErrInvalid, l.Name)
	}
	return []byte(l.String()), nil
}

// UnmarshalText is ParseLimit for encoding/json, flag.TextVar and the like.
func (l *Limit) UnmarshalText(text []byte) error {
	parsed, err := ParseLimit(string(text))
	if err != nil {
		return err
	}
	*l = parsed
	return nil
}

// What a window's text ends with.
const (
	fixedSuffix   = " fixed"
	slidingSuffix = " sliding"
)

// ParseLimit reads "2000/1h", "10/s burst 20", "login=5/1m" or "unlimited": an optional name, the count, the time as a
// Go duration or as s, m or h alone, an optional burst, and "fixed" or "sliding" for a window. What it returns is valid; anything else, signs and trailing
// characters included, is an ErrInvalid. A burst equal to the count reads back as 0, which means the same.
func ParseLimit(s string) (Limit, error) {
	bad := func(what string) (Limit, error) {
		return Limit{}, fmt.Errorf("%w: limit text %.64q: %s", ErrInvalid, s, what)
	}
	var l Limit
	text := s
	if name, rest, found := strings.Cut(s, "="); found {
		if name == "" {
			return bad("the name before '=' is empty")
		}
		l.Name, text = name, rest
	}
	if text == "unlimited" {
		u := Unlimited()
		u.Name = l.Name
		return u, nil
	}
	if rest, ok := strings.CutSuffix(text, fixedSuffix); ok {
		l.Algorithm, text = FixedWindow, rest
	} else if rest, ok := strings.CutSuffix(text, slidingSuffix); ok {
		l.Algorithm, text = SlidingWindow, rest
	}
	text, burst, withBurst := strings.Cut(text, " burst ")
	count, per, found := strings.Cut(text, "/")
	if !found {
		return bad("want count/duration")
	}
	var ok bool
	if l.Count, ok = parseCount(count); !ok {
		return bad("the count must be decimal digits")
	}
	if l.Per, ok = parsePer(per); !ok {
		return bad("the time must be a positive duration")
	}
	if withBurst {
		if l.Burst, ok = parseCount(burst); !ok || l.Burst == 0 {
			return bad("the burst must be positive decimal digits")
		}
	}
	if err := l.check(); err != nil {
		return Limit{}, err
	}
	if l.unlimited() {
		return bad("the count is too large")
	}
	if l.Burst == l.Count {
		l.Burst = 0
	}
	return l, nil
}

// parseCount reads digits only: strconv alone would accept a sign.
func parseCount(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func parsePer(s string) (time.Duration, bool) {
	switch s {
	case "s", "m", "h":
		s = "1" + s
	}
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}
