package httplimit

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// refresh is how often the backend is asked whether its limits changed.
const refresh = time.Second

// texts holds the header texts that change only with the limits.
type texts struct {
	// current is published by update and read by every request.
	current atomic.Pointer[fixed]
}

type fixed struct {
	limits   []ratelimit.Limit
	checked  atomic.Int64 // UnixNano of the last comparison; written by whoever compares, read by every request
	policy   []string     // the one value of RateLimit-Policy
	policies []named
}

// named holds the texts of one limit. There are at most eight: looking through them costs less than a map.
type named struct {
	name   string
	quoted string // the name as a structured-field String
	burst  int64
	limit  []string // the one value of X-RateLimit-Limit
}

// find returns the texts of a policy, nil if they are not known.
func (f *fixed) find(name string) *named {
	for i := range f.policies {
		if f.policies[i].name == name {
			return &f.policies[i]
		}
	}
	return nil
}

// load returns the texts for the limits in force, and among them those of d. A Decision that does not know them, and a
// second gone by, lead to a comparison.
func (t *texts) load(d *ratelimit.Decision, now time.Time, b ratelimit.Backend) (*fixed, *named) {
	f := t.current.Load()
	n := f.find(d.Policy)
	at := now.UnixNano()
	if age := at - f.checked.Load(); n != nil && age >= 0 && age < int64(refresh) {
		return f, n
	}
	f.checked.Store(at)
	if current := b.Limits(); !slices.Equal(current, f.limits) {
		f = t.update(current)
		f.checked.Store(at)
		n = f.find(d.Policy)
	}
	return f, n
}

func (t *texts) update(limits []ratelimit.Limit) *fixed {
	f := &fixed{limits: slices.Clone(limits)}
	var parts []string
	for _, l := range limits {
		name := l.Name
		if name == "" {
			name = l.String()
		}
		burst := l.Burst
		if burst == 0 || l.Count == math.MaxInt64 {
			burst = l.Count
		}
		n := named{name: name, quoted: quote(name), burst: burst, limit: []string{strconv.FormatInt(burst, 10)}}
		f.policies = append(f.policies, n)
		if l.Count == math.MaxInt64 {
			continue
		}
		part := n.quoted + ";q=" + strconv.FormatInt(min(burst, maxInteger), 10)
		if l.Count > 0 {
			part += ";w=" + strconv.FormatInt(window(burst, l), 10)
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		f.policy = []string{strings.Join(parts, ", ")}
	}
	t.current.Store(f)
	return f
}

// window is ⌈burst·Per/Count⌉ in whole seconds, at least 1: the time in which the quota comes back.
func window(burst int64, l ratelimit.Limit) int64 {
	seconds := math.Ceil(float64(burst) * l.Per.Seconds() / float64(l.Count) * (1 - 1e-15))
	return int64(min(max(1, seconds), maxInteger))
}

// maxInteger is the largest Integer of a structured field (RFC 9651, section 3.3.1).
const maxInteger = 999_999_999_999_999

// quote writes a structured-field String (RFC 9651, section 4.1.6).
func quote(name string) string {
	b := []byte{'"'}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c > 0x7e:
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

// announce sets the limit's fields, and Retry-After on a denial. All texts of a response are cut from one string, and
// all values from one slice: two allocations. The field names are in canonical form, so the header map is set directly.
func (m *limiter) announce(h http.Header, d ratelimit.Decision, now time.Time) {
	wait := d.ResetAfter
	if !d.OK {
		wait = d.RetryAfter
	}
	f, own := m.texts.load(&d, now, m.backend)
	x := m.o.Headers == AllHeaders || m.o.Headers == XRateLimit
	ietf := (m.o.Headers == AllHeaders || m.o.Headers == IETF) && f.policy != nil && d.Limit != math.MaxInt64
	var buf [160]byte
	var v values
	b := buf[:0]
	if !d.OK && wait != ratelimit.Never {
		b = v.end("Retry-After", strconv.AppendInt(b, wholeSeconds(wait), 10))
	}
	if x {
		if own != nil && own.burst == d.Limit {
			h["X-Ratelimit-Limit"] = own.limit[:1:1]
		} else {
			b = v.end("X-Ratelimit-Limit", strconv.AppendInt(b, d.Limit, 10))
		}
		b = v.end("X-Ratelimit-Remaining", strconv.AppendInt(b, d.Remaining, 10))
		if wait != ratelimit.Never {
			b = v.end("X-Ratelimit-Reset", strconv.AppendInt(b, m.renewal(wait, now), 10))
		}
	}
	if ietf {
		h["Ratelimit-Policy"] = f.policy[:1:1]
		b = v.end("Ratelimit", appendIETF(b, own, &d, wait))
	}
	v.set(h, string(b))
}

// appendIETF appends the RateLimit field of draft-ietf-httpapi-ratelimit-headers-10.
func appendIETF(b []byte, own *named, d *ratelimit.Decision, wait time.Duration) []byte {
	if own != nil {
		b = append(b, own.quoted...)
	} else {
		b = append(b, quote(d.Policy)...)
	}
	b = append(b, ";r="...)
	b = strconv.AppendInt(b, min(d.Remaining, maxInteger), 10)
	if wait == ratelimit.Never {
		return b
	}
	t := ceil(wait, time.Second)
	if !d.OK {
		t = wholeSeconds(wait)
	}
	b = append(b, ";t="...)
	return strconv.AppendInt(b, t, 10)
}

// values remembers where in one text the values of header fields end.
type values struct {
	names [5]string
	ends  [5]int
	n     int
}

// end notes that the value of the field called name ends where b ends.
func (v *values) end(name string, b []byte) []byte {
	v.names[v.n], v.ends[v.n] = name, len(b)
	v.n++
	return b
}

// set puts the values into h.
func (v *values) set(h http.Header, text string) {
	if v.n == 0 {
		return
	}
	all, start := make([]string, v.n), 0
	for i := range all {
		all[i] = text[start:v.ends[i]]
		h[v.names[i]] = all[i : i+1 : i+1]
		start = v.ends[i]
	}
}

// renewal is now + wait in the unit of Options.Reset, rounded up.
func (m *limiter) renewal(wait time.Duration, now time.Time) int64 {
	switch m.o.Reset {
	case UnixSeconds:
		return later(now.Unix(), int64(now.Nanosecond()), wait, time.Second)
	case DeltaSeconds:
		return ceil(wait, time.Second)
	case UnixMillis:
	}
	ms := now.UnixMilli()
	return later(ms, int64(now.Sub(time.UnixMilli(ms))), wait, time.Millisecond)
}

// later returns ⌈(whole·unit + part + wait)/unit⌉ without overflow.
func later(whole, part int64, wait, unit time.Duration) int64 {
	rest := wait%unit + time.Duration(part)
	return whole + int64(wait/unit) + int64((rest+unit-1)/unit)
}

// ceil counts whole units. A rest below a millisecond is dropped, so that one unit of the clock does not turn 180 s
// into 181; what is more than nothing counts as 1.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if rest := d % unit; rest >= time.Millisecond || rest > 0 && n == 0 {
		n++
	}
	return n
}

// wholeSeconds is Retry-After: at least 1.
func wholeSeconds(d time.Duration) int64 { return max(1, ceil(d, time.Second)) }
