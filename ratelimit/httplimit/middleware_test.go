package httplimit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

func table(tb testing.TB, limits ...ratelimit.Limit) *ratelimit.Keyed[string] {
	tb.Helper()
	k, err := ratelimit.NewKeyed[string](limits, ratelimit.Options{Capacity: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func handler(tb testing.TB, b ratelimit.Backend, o Options) http.Handler {
	tb.Helper()
	limit, err := New(b, o)
	if err != nil {
		tb.Fatal(err)
	}
	return limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
}

func request(tb testing.TB, method, remote string) *http.Request {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, "/", nil)
	r.RemoteAddr = remote
	return r
}

func get(tb testing.TB, h http.Handler) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(tb, http.MethodGet, "192.0.2.1:1234"))
	return w
}

// fixedBackend always answers the same.
type fixedBackend struct {
	d      ratelimit.Decision
	err    error
	limits []ratelimit.Limit
	n      *int
}

func (b fixedBackend) Take(_ context.Context, _ string, n int) (ratelimit.Decision, error) {
	if b.n != nil {
		*b.n = n
	}
	return b.d, b.err
}
func (b fixedBackend) Limits() []ratelimit.Limit { return b.limits }

func TestTheExchangeReadsByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		perHour := ratelimit.PerHour(2000)
		<-time.After(time.Until(time.UnixMilli(1404429033925))) // 180 s before the renewal of the specification
		b := fixedBackend{
			d:      ratelimit.Decision{Limit: 2000, RetryAfter: 180 * time.Second, ResetAfter: time.Hour, Policy: "2000/1h"},
			limits: []ratelimit.Limit{perHour},
		}
		for _, extra := range []time.Duration{0, 1, 999 * time.Microsecond} {
			b.d.RetryAfter = 180*time.Second + extra
			w := get(t, handler(t, b, Options{Code: "bf-429", Headers: XRateLimit}))
			renewal := "1404429213925"
			if extra > 0 {
				renewal = "1404429213926"
			}
			want := `{"error":{"code":"bf-429","message":"Request quota exceeded. Wait 3 minutes and try again.","context":{"renewal":` +
				renewal + "}}}\n"
			if w.Code != 429 || w.Body.String() != want {
				t.Errorf("%d %s want %s", w.Code, w.Body, want)
			}
			for name, value := range map[string]string{
				"Content-Type": "application/json", "Retry-After": "180", "X-RateLimit-Limit": "2000",
				"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": renewal, "Cache-Control": "no-store", "RateLimit": "",
			} {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
		}
	})
}

func TestAdmittedRequestsAnnounceTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := table(t, ratelimit.PerSecond(10), ratelimit.PerHour(2000))
		h := handler(t, ratelimit.Local(k), Options{})
		w := get(t, h)
		if w.Code != 200 || w.Body.String() != "served" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		reset := time.Now().Add(100 * time.Millisecond).UnixMilli()
		for name, value := range map[string]string{
			"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": strconv.FormatInt(reset, 10), "Retry-After": "",
			"RateLimit-Policy": `"10/1s";q=10;w=1, "2000/1h";q=2000;w=3600`, "RateLimit": `"10/1s";r=9;t=1`,
		} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
		for range 9 {
			get(t, h)
		}
		w = get(t, h)
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || w.Header().Get("RateLimit") != `"10/1s";r=0;t=1` {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if err := k.SetLimits(ratelimit.PerSecond(10).WithBurst(5), ratelimit.PerHour(2000)); err != nil {
			t.Fatal(err)
		}
		w = get(t, h)
		if got := w.Header().Get("RateLimit-Policy"); got != `"10/1s burst 5";q=5;w=1, "2000/1h";q=2000;w=3600` {
			t.Errorf("after SetLimits: %s", got)
		}
	})
}

func TestHeadersFollowTheOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		never := ratelimit.Decision{Limit: 5, RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, Policy: "q"}
		soon := ratelimit.Decision{Limit: 5, RetryAfter: 1500 * time.Millisecond, ResetAfter: time.Hour, Policy: "q"}
		limits := []ratelimit.Limit{{Name: "q", Per: time.Second, Burst: 5}}
		for _, c := range []struct {
			d     ratelimit.Decision
			o     Options
			want  map[string]string
			never bool
		}{
			{soon, Options{Headers: NoHeaders}, map[string]string{"Retry-After": "2"}, false},
			{soon, Options{Headers: IETF}, map[string]string{
				"Retry-After": "2", "Ratelimit": `"q";r=0;t=2`, "Ratelimit-Policy": `"q";q=5`,
			}, false},
			{soon, Options{Headers: XRateLimit, Reset: UnixSeconds}, map[string]string{
				"Retry-After": "2", "X-Ratelimit-Limit": "5", "X-Ratelimit-Remaining": "0",
				"X-Ratelimit-Reset": strconv.FormatInt(now.Unix()+2, 10),
			}, false},
			{soon, Options{Headers: XRateLimit, Reset: DeltaSeconds}, map[string]string{
				"Retry-After": "2", "X-Ratelimit-Limit": "5", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "2",
			}, false},
			{never, Options{}, map[string]string{
				"X-Ratelimit-Limit": "5", "X-Ratelimit-Remaining": "0", "Ratelimit": `"q";r=0`, "Ratelimit-Policy": `"q";q=5`,
			}, true},
		} {
			w := get(t, handler(t, fixedBackend{d: c.d, limits: limits}, c.o))
			got := w.Header()
			for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control"} {
				got.Del(name)
			}
			if len(got) != len(c.want) {
				t.Errorf("%+v: %v, want %v", c.o, got, c.want)
			}
			for name, value := range c.want {
				if got.Get(name) != value {
					t.Errorf("%+v: %s is %q, want %q", c.o, name, got.Get(name), value)
				}
			}
			if c.never && w.Body.String() != `{"error":{"code":"429","message":"Request quota exceeded."}}`+"\n" {
				t.Errorf("%s", w.Body)
			}
		}
	})
}

// parseItem checks that s is `"string";key=integer…` as RFC 9651 writes it and returns the string.
func parseItem(s string) (name string, params map[string]string, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", nil, "", fmt.Errorf("no string: %q", s)
	}
	var text []byte
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", nil, "", fmt.Errorf("bad escape: %q", s)
			}
		}
		if s[i] < 0x20 || s[i] > 0x7e {
			return "", nil, "", fmt.Errorf("bad byte: %q", s)
		}
		text = append(text, s[i])
	}
	name = string(text)
	params = map[string]string{}
	s, rest, _ = strings.Cut(s[min(i+1, len(s)):], ", ")
	for part := range strings.SplitSeq(strings.TrimPrefix(s, ";"), ";") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || strings.Trim(value, "0123456789") != "" || value == "" || len(value) > 15 {
			return "", nil, "", fmt.Errorf("bad parameter %q", part)
		}
		params[key] = value
	}
	return name, params, rest, nil
}

func TestIETFFieldsAreStructuredFields(t *testing.T) {
	names := map[string]string{
		`plain`: `plain`, `with "quotes"`: `with "quotes"`, `back\slash`: `back\slash`, "новый\n": "???????????", "a;b=c": "a;b=c",
	}
	for name, want := range names {
		limit := ratelimit.Limit{Name: name, Count: 1, Per: 1 << 62, Burst: 1 << 60}
		w := get(t, handler(t, ratelimit.Local(table(t, limit, ratelimit.Limit{Name: "z", Count: 7, Per: time.Minute})), Options{}))
		got, params, rest, err := parseItem(w.Header().Get("RateLimit-Policy"))
		if err != nil || got != want || params["q"] == "" || params["w"] != "999999999999999" {
			t.Errorf("%q: %v %v %v", name, got, params, err)
		}
		if got, params, _, err := parseItem(rest); err != nil || got != "z" || params["w"] != "60" {
			t.Errorf("second policy: %v %v %v", got, params, err)
		}
		if got, params, _, err := parseItem(w.Header().Get("RateLimit")); err != nil || got != "z" || params["r"] != "6" {
			t.Errorf("RateLimit: %v %v %v", got, params, err)
		}
	}
}

func TestWaitInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1: "1 second", time.Second: "1 second", time.Second + 1: "1 second", 1001 * time.Millisecond: "2 seconds",
		90 * time.Second: "90 seconds", 91 * time.Second: "2 minutes", 180 * time.Second: "3 minutes",
		180*time.Second + 1: "3 minutes", 90 * time.Minute: "90 minutes", 91 * time.Minute: "2 hours", 1 << 60: "320256 hours",
	} {
		if got := string(appendWords(nil, d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestProblemNamesTheViolatedPolicy(t *testing.T) {
	w := get(t, handler(t, fixedBackend{d: ratelimit.Decision{Policy: "<p>", RetryAfter: time.Second}}, Options{Deny: Problem}))
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if w.Code != 429 || w.Header().Get("Content-Type") != "application/problem+json" || doc["status"] != 429.0 ||
		doc["type"] != "https://iana.org/assignments/http-problem-types#quota-exceeded" ||
		!strings.Contains(w.Body.String(), `"violated-policies":["<p>"]`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestShadowDeniesAndAnnouncesNothing(t *testing.T) {
	denials := 0
	h := handler(t, ratelimit.Local(table(t, ratelimit.PerHour(1))), Options{
		Shadow: true, Observe: func(_ *http.Request, d ratelimit.Decision, _ error) {
			if !d.OK {
				denials++
			}
		},
	})
	for range 3 {
		if w := get(t, h); w.Code != 200 || len(w.Header()) > 1 || w.Header().Get("RateLimit") != "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
	if denials != 2 {
		t.Errorf("%d denials observed, want 2", denials)
	}
}

func TestBackendFailureFollowsThePolicy(t *testing.T) {
	broken := fixedBackend{err: errors.New("down")}
	observed := 0
	o := Options{Observe: func(_ *http.Request, _ ratelimit.Decision, err error) {
		if err != nil {
			observed++
		}
	}}
	if w := get(t, handler(t, broken, o)); w.Code != 200 || w.Header().Get("RateLimit") != "" {
		t.Errorf("open: %d", w.Code)
	}
	o.FailClosed = true
	w := get(t, handler(t, broken, o))
	if w.Code != 503 || !strings.HasPrefix(w.Body.String(), `{"error":{"code":"503",`) || w.Header().Get("X-RateLimit-Limit") != "" {
		t.Errorf("closed: %d %s", w.Code, w.Body)
	}
	o.Shadow = true
	if w := get(t, handler(t, broken, o)); w.Code != 200 {
		t.Errorf("shadow: %d", w.Code)
	}
	if observed != 3 {
		t.Errorf("observed %d errors", observed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w = httptest.NewRecorder()
	handler(t, broken, Options{}).ServeHTTP(w, request(t, http.MethodGet, "192.0.2.1:1").WithContext(ctx))
	if w.Body.Len() != 0 || w.Flushed {
		t.Errorf("a request that is gone was served: %s", w.Body)
	}
}

func TestOnErrorDecidesInThePlaceOfFailClosed(t *testing.T) {
	down := errors.New("down")
	for _, serve := range []bool{true, false} {
		asked := 0
		o := Options{FailClosed: serve, OnError: func(w http.ResponseWriter, _ *http.Request, err error) bool {
			asked++
			if !errors.Is(err, down) {
				t.Errorf("got %v", err)
			}
			w.Header().Set("X-Limit", "unknown")
			if !serve {
				http.Error(w, "later", http.StatusServiceUnavailable)
			}
			return serve
		}}
		broken := fixedBackend{err: down}
		w := get(t, handler(t, broken, o))
		if (w.Code == 200) != serve || (w.Body.String() == "served") != serve || w.Header().Get("X-Limit") != "unknown" || asked != 1 {
			t.Errorf("serve=%v: %d %q, asked %d times", serve, w.Code, w.Body, asked)
		}
		if w := get(t, handler(t, fixedBackend{d: ratelimit.Decision{OK: true}}, o)); w.Code != 200 || asked != 1 {
			t.Errorf("serve=%v: asked about a decision", serve)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		handler(t, broken, o).ServeHTTP(httptest.NewRecorder(), request(t, http.MethodGet, "192.0.2.1:1").WithContext(gone))
		o.Shadow = true
		if w := get(t, handler(t, broken, o)); w.Body.String() != "served" || w.Header().Get("X-Limit") != "" || asked != 1 {
			t.Errorf("serve=%v: asked %d times, in shadow or for nobody", serve, asked)
		}
	}
}

func TestHeadGetsNoBody(t *testing.T) {
	h := handler(t, fixedBackend{d: ratelimit.Decision{RetryAfter: time.Second}}, Options{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(t, http.MethodHead, "192.0.2.1:1"))
	if w.Code != 429 || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestKeyAndCostDecide(t *testing.T) {
	n := -1
	b := fixedBackend{d: ratelimit.Decision{RetryAfter: time.Second}, n: &n}
	exempt := Options{Key: func(*http.Request) (string, bool) { return "", false }}
	if w := get(t, handler(t, b, exempt)); w.Code != 200 || n != -1 || len(w.Header()) > 1 {
		t.Errorf("exempt request: %d, cost %d, %v", w.Code, n, w.Header())
	}
	for cost, want := range map[int]int{7: 7, 0: 0, -3: 0} {
		get(t, handler(t, b, Options{Cost: func(*http.Request) int { return cost }}))
		if n != want {
			t.Errorf("cost %d was taken as %d", cost, n)
		}
	}
}

func TestNextHandlerMayChangeHeaders(t *testing.T) {
	k := table(t, ratelimit.PerHour(10))
	limit, err := New(ratelimit.Local(k), Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Limit", "mine")
		w.Header().Add("RateLimit-Policy", "more")
	}))
	for range 2 {
		w := get(t, h)
		if w.Header().Get("X-RateLimit-Limit") != "mine" || len(w.Header().Values("RateLimit-Policy")) != 2 {
			t.Errorf("%v", w.Header())
		}
	}
}

func TestNewRejectsNonsense(t *testing.T) {
	b := fixedBackend{}
	for name, f := range map[string]func() error{
		"nil backend": func() error { _, err := New(nil, Options{}); return err },
		"headers":     func() error { _, err := New(b, Options{Headers: NoHeaders + 1}); return err },
		"reset":       func() error { _, err := New(b, Options{Reset: DeltaSeconds + 1}); return err },
	} {
		if err := f(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnlimitedAnnouncesNoPolicy(t *testing.T) {
	w := get(t, handler(t, ratelimit.Local(table(t, ratelimit.Unlimited())), Options{Headers: IETF}))
	if w.Code != 200 || w.Header().Get("RateLimit") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestAddressKeyAllocatesAtMostFourTimes(t *testing.T) {
	h := handler(t, ratelimit.Local(table(t, ratelimit.PerSecond(1e9))), Options{})
	r := request(t, http.MethodGet, "192.0.2.1:1234")
	w := discard{header: http.Header{}}
	if n := testing.AllocsPerRun(500, func() { h.ServeHTTP(w, r) }); n > 4 {
		t.Errorf("%v allocations", n)
	}
}

// discard is a ResponseWriter that allocates nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// A window shorter than a second is announced as one second.
func TestPolicyWindowIsAtLeastASecond(t *testing.T) {
	w := get(t, handler(t, ratelimit.Local(table(t, ratelimit.Per(5, time.Millisecond))), Options{}))
	if got := w.Header().Get("RateLimit-Policy"); got != `"5/1ms";q=5;w=1` {
		t.Errorf("%s", got)
	}
}

// The limit in the headers is the Decision's, also between a change of limits and the next look at them.
func TestLimitHeaderFollowsTheDecision(t *testing.T) {
	limits := []ratelimit.Limit{{Name: "p", Count: 5, Per: time.Second}}
	for _, limit := range []int64{5, 6} {
		w := get(t, handler(t, fixedBackend{d: ratelimit.Decision{OK: true, Limit: limit, Policy: "p"}, limits: limits}, Options{}))
		if got := w.Header().Get("X-RateLimit-Limit"); got != strconv.FormatInt(limit, 10) {
			t.Errorf("%s, want %d", got, limit)
		}
	}
}

// counting counts how often it is asked for its limits.
type counting struct {
	fixedBackend
	asked  *int
	limits *[]ratelimit.Limit
}

func (c counting) Limits() []ratelimit.Limit {
	*c.asked++
	return *c.limits
}

// Limits that change under the name of before reach the header within a second, and are not asked for with each request.
func TestChangedLimitsReachThePolicyWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, limits := 0, []ratelimit.Limit{{Name: "p", Count: 5, Per: time.Second}}
		h := handler(t, counting{fixedBackend{d: ratelimit.Decision{OK: true, Limit: 5, Policy: "p"}}, &asked, &limits}, Options{})
		get(t, h)
		asked = 0
		for range 10 {
			get(t, h)
		}
		if asked != 0 {
			t.Errorf("asked %d times within a second", asked)
		}
		limits = []ratelimit.Limit{{Name: "p", Count: 7, Per: time.Second}}
		<-time.After(time.Second)
		if got := get(t, h).Header().Get("RateLimit-Policy"); got != `"p";q=7;w=1` || asked != 1 {
			t.Errorf("%s, asked %d times", got, asked)
		}
	})
}
