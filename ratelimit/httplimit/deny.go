package httplimit

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// envelope writes error documents. What does not change is prepared once.
type envelope struct {
	code    []byte   // error.code of a denial, as JSON
	json    []string // the value of Content-Type
	noStore []string // the value of Cache-Control
}

func newEnvelope(code string) envelope {
	return envelope{code: jsonText(code), json: []string{"application/json"}, noStore: []string{"no-store"}}
}

// jsonText encodes s without HTML escapes. A string always encodes.
func jsonText(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// write answers with {"error":{"code":…,"message":…,"context":{"renewal":…}}}; a negative renewal leaves the context out.
// wait, if it is not 0, ends the message. message holds nothing that JSON would escape. A write that fails is the
// client's own loss.
func (e envelope) write(
	w http.ResponseWriter, r *http.Request, status int, code []byte, message string, wait time.Duration, renewal int64,
) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = e.json[:1:1], e.noStore[:1:1]
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	b := make([]byte, 0, 192)
	b = append(b, `{"error":{"code":`...)
	b = append(b, code...)
	b = append(b, `,"message":"`...)
	b = append(b, message...)
	if wait != 0 {
		b = appendWait(b, wait)
	}
	b = append(b, '"')
	if renewal >= 0 {
		b = append(b, `,"context":{"renewal":`...)
		b = strconv.AppendInt(b, renewal, 10)
		b = append(b, '}')
	}
	b = append(b, "}}\n"...)
	_, _ = w.Write(b)
}

// deny writes 429 with the envelope.
func (m *limiter) deny(w http.ResponseWriter, r *http.Request, d ratelimit.Decision, now time.Time) {
	wait, renewal := time.Duration(0), int64(-1)
	if d.RetryAfter != ratelimit.Never {
		wait, renewal = d.RetryAfter, m.renewal(d.RetryAfter, now)
	}
	m.envelope.write(w, r, http.StatusTooManyRequests, m.envelope.code, exceeded, wait, renewal)
}

const exceeded = "Request quota exceeded."

// message tells a person how long to wait.
func message(d ratelimit.Decision) string {
	if d.RetryAfter == ratelimit.Never {
		return exceeded
	}
	return string(appendWait([]byte(exceeded), d.RetryAfter))
}

func appendWait(b []byte, wait time.Duration) []byte {
	b = append(b, " Wait "...)
	b = appendWords(b, wait)
	return append(b, " and try again."...)
}

// appendWords rounds up: to seconds up to 90 s, to minutes up to 90 min, then to hours.
func appendWords(b []byte, d time.Duration) []byte {
	unit, name := time.Second, " second"
	if ceil(d, time.Second) > 90 {
		unit, name = time.Minute, " minute"
		if ceil(d, time.Minute) > 90 {
			unit, name = time.Hour, " hour"
		}
	}
	n := max(1, ceil(d, unit))
	b = strconv.AppendInt(b, n, 10)
	b = append(b, name...)
	if n != 1 {
		b = append(b, 's')
	}
	return b
}

// Problem is an Options.Deny that answers 429 with application/problem+json of the type quota-exceeded, as
// draft-ietf-httpapi-ratelimit-headers-10 defines it.
func Problem(w http.ResponseWriter, r *http.Request, d ratelimit.Decision) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusTooManyRequests)
	if r.Method == http.MethodHead {
		return
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(struct { // strings and a number always encode
		Type     string   `json:"type"`
		Title    string   `json:"title"`
		Status   int      `json:"status"`
		Detail   string   `json:"detail"`
		Policies []string `json:"violated-policies"`
	}{
		"https://iana.org/assignments/http-problem-types#quota-exceeded",
		"Request quota exceeded", http.StatusTooManyRequests, message(d),
		[]string{d.Policy},
	})
}
