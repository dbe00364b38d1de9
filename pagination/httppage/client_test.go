package httppage_test

import (
	"bytes"
	"context"
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

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

// collect walks and returns the ids.
func collect(ctx context.Context, url string, o httppage.ClientOptions) (string, error) {
	var out []string
	for c, err := range httppage.Walk[car](ctx, url, o) {
		if err != nil {
			return strings.Join(out, " "), err
		}
		out = append(out, strconv.FormatInt(c.ID, 10))
	}
	return strings.Join(out, " "), nil
}

func TestWalkReadsOurOwnServer(t *testing.T) {
	server := httptest.NewServer(httppage.Handler(carPager(t, 23, "-id", pagination.Options[car]{}), httppage.Options{}))
	defer server.Close()
	got, err := collect(t.Context(), server.URL+"/cars?limit=4", httppage.ClientOptions{})
	if err != nil || !strings.HasPrefix(got, "23 22 ") || !strings.HasSuffix(got, " 2 1") || strings.Count(got, " ") != 22 {
		t.Errorf("%q, %v", got, err)
	}
	got, err = collect(t.Context(), server.URL+"/cars?limit=4", httppage.ClientOptions{MaxPages: 2})
	if err != nil || got != "23 22 21 20 19 18 17 16" {
		t.Errorf("two pages: %q, %v", got, err)
	}
	pages := 0
	for res, err := range httppage.Pages(t.Context(), server.URL+"/cars?limit=4", httppage.ClientOptions{}) { //nolint:bodyclose // Pages closes it when the loop goes on
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(err)
		}
		pages++
	}
	if pages != 6 {
		t.Errorf("%d pages", pages)
	}
	for _, err := range httppage.Walk[car](t.Context(), server.URL+"/cars", httppage.ClientOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
}

// transport answers requests from a function, without a network: it works in a
// synctest bubble.
type transport func(r *http.Request) (int, string, http.Header)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status, body, header := f(r)
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func client(f transport) *http.Client { return &http.Client{Transport: f} }

func link(url string) http.Header {
	return http.Header{"Link": {"<" + url + `>; rel="prev Next"`}}
}

// TestWalkAgainstHostileServers lists what a server may do wrong.
func TestWalkAgainstHostileServers(t *testing.T) {
	one := `[{"id":1}]`
	for name, c := range map[string]struct {
		serve transport
		o     httppage.ClientOptions
		rows  string
		want  error
	}{
		"same link for ever": {func(*http.Request) (int, string, http.Header) { return 200, one, link("/list") }, httppage.ClientOptions{}, "1", httppage.ErrLoop},
		"circle of two": {func(r *http.Request) (int, string, http.Header) {
			return 200, one, link(map[string]string{"/list": "/b", "/b": "/list#x"}[r.URL.Path])
		}, httppage.ClientOptions{}, "1 1", httppage.ErrLoop},
		"other host":   {func(*http.Request) (int, string, http.Header) { return 200, one, link("https://evil.example/list2") }, httppage.ClientOptions{}, "1", httppage.ErrOrigin},
		"other scheme": {func(*http.Request) (int, string, http.Header) { return 200, one, link("http://api.example/list2") }, httppage.ClientOptions{}, "1", httppage.ErrOrigin},
		"other port": {func(*http.Request) (int, string, http.Header) {
			return 200, one, link("https://api.example:8443/list2")
		}, httppage.ClientOptions{}, "1", httppage.ErrOrigin},
		"host by path": {func(*http.Request) (int, string, http.Header) { return 200, one, link("//evil.example/list2") }, httppage.ClientOptions{}, "1", httppage.ErrOrigin},
		"redirect": {func(*http.Request) (int, string, http.Header) {
			return 302, "", http.Header{"Location": {"https://evil.example/list"}}
		}, httppage.ClientOptions{}, "", httppage.ErrOrigin},
		"same origin, spelled out": {func(r *http.Request) (int, string, http.Header) {
			if r.URL.Path == "/two" {
				return 200, `[]`, nil
			}
			return 200, one, link("https://API.example:443/two")
		}, httppage.ClientOptions{}, "1", nil},
		"other origin, allowed": {func(r *http.Request) (int, string, http.Header) {
			if r.URL.Host == "api.example" {
				return 200, one, link("https://b.example/list")
			}
			return 200, one, nil
		}, httppage.ClientOptions{OtherOrigin: true}, "1 1", nil},
		"endless body": {func(*http.Request) (int, string, http.Header) { return 200, "[" + strings.Repeat(" ", 2000) + "]", nil }, httppage.ClientOptions{MaxBody: 1000}, "", httppage.ErrBody},
		"exact body":   {func(*http.Request) (int, string, http.Header) { return 200, one, nil }, httppage.ClientOptions{MaxBody: int64(len(one))}, "1", nil},
		"no list":      {func(*http.Request) (int, string, http.Header) { return 200, `{"rows":[]}`, nil }, httppage.ClientOptions{}, "", httppage.ErrBody},
		"no JSON":      {func(*http.Request) (int, string, http.Header) { return 200, `<html>`, nil }, httppage.ClientOptions{}, "", httppage.ErrBody},
		"not found":    {func(*http.Request) (int, string, http.Header) { return 404, "", nil }, httppage.ClientOptions{}, "", httppage.ErrStatus},
		"malformed link": {func(*http.Request) (int, string, http.Header) {
			return 200, one, http.Header{"Link": {"</x; rel=next"}}
		}, httppage.ClientOptions{}, "", httppage.ErrLink},
		"no next": {func(*http.Request) (int, string, http.Header) {
			return 200, `{"data":[{"id":1}],"links":{"next":"/evil"}}`, http.Header{"Link": {`</>; rel="first"`}}
		}, httppage.ClientOptions{}, "1", nil},
		"links in the body": {func(r *http.Request) (int, string, http.Header) {
			if r.URL.Path == "/two" {
				return 200, `{"items":[{"id":2}],"links":{"next":null}}`, nil
			}
			return 200, `{"results":[{"id":1}],"links":{"next":"/two"}}`, nil
		}, httppage.ClientOptions{}, "1 2", nil},
		"empty page in the middle": {func(r *http.Request) (int, string, http.Header) {
			if r.URL.Path == "/two" {
				return 200, one, nil
			}
			return 200, `{"data":[]}`, link("two")
		}, httppage.ClientOptions{}, "1", nil},
		"data before items": {func(*http.Request) (int, string, http.Header) {
			return 200, `{"items":[{"id":3}],"results":[{"id":2}],"data":[{"id":1}]}`, nil
		}, httppage.ClientOptions{}, "1", nil},
		"relative to where a redirect led": {func(r *http.Request) (int, string, http.Header) {
			switch r.URL.Path {
			case "/list":
				return 302, "", http.Header{"Location": {"/v2/list"}}
			case "/v2/two":
				return 200, one, nil
			}
			return 200, one, link("two")
		}, httppage.ClientOptions{}, "1 1", nil},
		"enough pages": {func(r *http.Request) (int, string, http.Header) {
			return 200, one, link(r.URL.Path + "x")
		}, httppage.ClientOptions{MaxPages: 3}, "1 1 1", nil},
		"repeated headers": {func(r *http.Request) (int, string, http.Header) {
			if r.URL.Path == "/two" {
				return 200, one, nil
			}
			return 200, one, http.Header{"Link": {`</>; rel=first`, `</two>; rel=NEXT`}}
		}, httppage.ClientOptions{}, "1 1", nil},
	} {
		asked := ""
		c.o.Client = client(func(r *http.Request) (int, string, http.Header) {
			asked += " " + r.URL.Host
			return c.serve(r)
		})
		c.o.Retries = -1
		rows, err := collect(t.Context(), "https://api.example/list", c.o)
		if rows != c.rows || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %q, %v; want %q, %v", name, rows, err, c.rows, c.want)
		}
		if strings.Contains(asked, "evil") {
			t.Errorf("%s: another origin was asked", name)
		}
	}
	if _, err := collect(t.Context(), "http://[", httppage.ClientOptions{}); err == nil {
		t.Error("a malformed start")
	}
}

// TestRetriesWait runs on the clock of a bubble.
func TestRetriesWait(t *testing.T) {
	for name, c := range map[string]struct {
		answers    []int // one per request
		retryAfter string
		retries    int
		wantErr    bool
		least      time.Duration
		most       time.Duration
		requests   int
	}{
		"a storm ends":           {[]int{429, 503, 200}, "", 0, false, 0, 300 * time.Millisecond, 3},
		"connection":             {[]int{0, 0, 200}, "", 0, false, 0, 300 * time.Millisecond, 3},
		"seconds":                {[]int{429, 200}, "7", 0, false, 7 * time.Second, 7 * time.Second, 2},
		"a date":                 {[]int{503, 200}, "date", 0, false, 29 * time.Second, 30 * time.Second, 2},
		"a date that is over":    {[]int{503, 503, 503, 200}, "past", 0, false, 0, 0, 4},
		"too long":               {[]int{429, 200}, "61", 0, true, 0, 0, 1},
		"a storm does not end":   {[]int{502, 504, 503, 429, 200}, "0", 0, true, 0, 0, 4},
		"more retries":           {[]int{502, 504, 503, 429, 200}, "0", 4, false, 0, 0, 5},
		"none":                   {[]int{503, 200}, "", -1, true, 0, 0, 1},
		"an error of the caller": {[]int{400, 200}, "", 0, true, 0, 0, 1},
		"a bug of the server":    {[]int{500, 200}, "", 0, true, 0, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			start := time.Now()
			o := httppage.ClientOptions{Retries: c.retries, Header: http.Header{"authorization": {"Bearer x"}}, Client: client(func(r *http.Request) (int, string, http.Header) {
				if r.Header.Get("Authorization") != "Bearer x" {
					t.Error("the header is missing")
				}
				h := http.Header{}
				switch c.retryAfter {
				case "":
				case "past":
					h.Set("Retry-After", start.Add(-time.Hour).UTC().Format(http.TimeFormat))
				case "date":
					h.Set("Retry-After", start.Add(30*time.Second).UTC().Format(http.TimeFormat))
				default:
					h.Set("Retry-After", c.retryAfter)
				}
				n++
				return c.answers[n-1], `[{"id":1}]`, h
			})}
			rows, err := collect(t.Context(), "https://api.example/list", o)
			if (err != nil) != c.wantErr || err == nil && rows != "1" {
				t.Errorf("%s: %q, %v", name, rows, err)
			}
			if d := time.Since(start); d < c.least || d > c.most || n != c.requests {
				t.Errorf("%s: %d requests in %v", name, n, d)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := collect(ctx, "https://api.example/list", httppage.ClientOptions{Client: client(func(*http.Request) (int, string, http.Header) {
			return 503, "", http.Header{"Retry-After": {"30"}}
		})})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestRedirectsEnd: ten, as net/http has it.
func TestRedirectsEnd(t *testing.T) {
	n := 0
	_, err := collect(t.Context(), "https://api.example/list", httppage.ClientOptions{Retries: -1, Client: client(func(r *http.Request) (int, string, http.Header) {
		if n++; n > 50 {
			return 200, "[]", nil
		}
		return 302, "", http.Header{"Location": {r.URL.Path + "x"}}
	})})
	if err == nil || n != 10 {
		t.Errorf("%v after %d requests", err, n)
	}
}

// TestBodyIsCutAtItsLimit reads the bytes that MaxBody allows, and no more.
func TestBodyIsCutAtItsLimit(t *testing.T) {
	o := httppage.ClientOptions{MaxBody: 10, Client: client(func(*http.Request) (int, string, http.Header) {
		return 200, strings.Repeat("x", 30), nil
	})}
	for res, err := range httppage.Pages(t.Context(), "https://api.example/list", o) { //nolint:bodyclose // the loop closes it
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if len(body) != 10 || !errors.Is(err, httppage.ErrBody) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		if _, err := res.Body.Read(make([]byte, 1)); !errors.Is(err, httppage.ErrBody) {
			t.Errorf("again: %v", err)
		}
	}
}

// TestWriteFailsAsAWhole writes nothing of a page that cannot be encoded.
func TestWriteFailsAsAWhole(t *testing.T) {
	type odd struct {
		ID int64  `json:"id"`
		F  func() `json:"f"`
	}
	order, err := pagination.NewOrder("", pagination.ID("id", func(o *odd) int64 { return o.ID }))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pagination.New(pagination.NewSlice([]odd{{ID: 1, F: func() {}}}), order, pagination.Options[odd]{})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"", "?fields=id"} {
		w := httptest.NewRecorder()
		httppage.Handler(p, httppage.Options{Fields: []string{"id"}}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x"+query, nil))
		if w.Code != 500 || bytes.Contains(w.Body.Bytes(), []byte("data")) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// A count that stopped at its limit is no total.
func TestCappedCountIsNoTotal(t *testing.T) {
	p := carPager(t, 30, "", pagination.Options[car]{Count: pagination.CountCapped, CountLimit: 10})
	w := httptest.NewRecorder()
	httppage.Handler(p, httppage.Options{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/cars", nil))
	if got, ok := w.Header()["X-Total-Count"]; ok || w.Code != http.StatusOK {
		t.Errorf("status %d, X-Total-Count %q", w.Code, got)
	}
}

func TestHeadersOfAnEmptyList(t *testing.T) {
	p := carPager(t, 0, "", pagination.Options[car]{Count: pagination.CountExact})
	w := httptest.NewRecorder()
	httppage.Handler(p, httppage.Options{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/cars", nil))
	want := `{"data":[],"pagination":{"count":0,"limit":20},"links":{"self":"/cars","first":"/cars"}}`
	if got := strings.TrimSpace(w.Body.String()); got != want || w.Header().Get("X-Total-Count") != "0" {
		t.Errorf("%s %v", got, w.Header())
	}
	if got := fmt.Sprint(w.Header()["Link"]); got != `[</cars>; rel="first"]` {
		t.Error(got)
	}
}
