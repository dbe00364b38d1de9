package web_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
)

func site(t *testing.T) *local.System {
	t.Helper()
	s, err := local.Open(t.Context(), local.Options{Dir: t.TempDir(), Codes: "segment", Cache: 0.1, Links: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

func do(t *testing.T, s http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestACompressedListIsTheSameList(t *testing.T) {
	s := site(t)
	for i := range 3 {
		if w := do(t, s.Front, "POST", "/api/links", fmt.Sprintf(`{"url":"https://example.com/%d"}`, i), "Authorization", "Bearer ada"); w.Code != 201 {
			t.Fatal(w.Code, w.Body)
		}
	}
	plain := do(t, s.Front, "GET", "/api/links", "", "Authorization", "Bearer ada")
	packed := do(t, s.Front, "GET", "/api/links", "", "Authorization", "Bearer ada", "Accept-Encoding", "gzip")
	unpack, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	var lists [2]struct {
		Data []links.Link `json:"data"`
	}
	if err := errors.Join(json.NewDecoder(plain.Body).Decode(&lists[0]), json.NewDecoder(unpack).Decode(&lists[1])); err != nil {
		t.Fatal(err)
	}
	if len(lists[0].Data) != 3 || fmt.Sprint(lists[0]) != fmt.Sprint(lists[1]) {
		t.Errorf("got %v and %v", lists[0], lists[1])
	}
	if packed.Header().Get("Content-Length") != "" || plain.Header().Get("Content-Encoding") != "" || plain.Header().Get("Vary") == "" {
		t.Errorf("headers %v and %v", plain.Header(), packed.Header())
	}
	if w := do(t, s.Front, "GET", "/api/links", "", "Authorization", "Bearer eve"); strings.Contains(w.Body.String(), "example.com") {
		t.Error("the list shows somebody else's links")
	}
	if w := do(t, s.Front, "GET", "/api/links?cursor=x", "", "Authorization", "Bearer ada", "Accept-Encoding", "gzip"); w.Code != 400 || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("an error is compressed: %d %v", w.Code, w.Header())
	}
}

func TestOneMansCursorIsNotAnothers(t *testing.T) {
	s := site(t)
	for range 3 {
		do(t, s.Front, "POST", "/api/links", `{"url":"https://example.com/"}`, "Authorization", "Bearer ada")
	}
	var page struct {
		Links struct{ Next string }
	}
	if err := json.NewDecoder(do(t, s.Front, "GET", "/api/links?limit=1", "", "Authorization", "Bearer ada").Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	if w := do(t, s.Front, "GET", page.Links.Next, "", "Authorization", "Bearer ada"); w.Code != 200 {
		t.Error(w.Code, w.Body)
	}
	if w := do(t, s.Front, "GET", page.Links.Next, "", "Authorization", "Bearer eve"); w.Code != 400 || !strings.Contains(w.Body.String(), "token_scope") {
		t.Error(w.Code, w.Body)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	s := site(t)
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"too long":          {`{"url":"https://example.com/` + strings.Repeat("0", 5000) + `"}`, 413},
		"url too long":      {`{"url":"https://example.com/` + strings.Repeat("0", 2000) + `"}`, 400},
		"script":            {`{"url":"javascript:alert(1)"}`, 400},
		"no host":           {`{"url":"https:///x"}`, 400},
		"unknown field":     {`{"url":"https://example.com/","colour":"red"}`, 400},
		"alias with a /":    {`{"url":"https://example.com/","alias":"a/b/c"}`, 400},
		"alias of the api":  {`{"url":"https://example.com/","alias":"api"}`, 400},
		"alias too short":   {`{"url":"https://example.com/","alias":"ab"}`, 400},
		"alias in Cyrillic": {`{"url":"https://example.com/","alias":"абв"}`, 400},
		"good":              {`{"url":"https://example.com/","alias":"a-b_c"}`, 201},
	} {
		if w := do(t, s.Front, "POST", "/api/links", c.body, "Authorization", "Bearer "+name); w.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := do(t, s.Front, "POST", "/api/links", `{"url":"https://example.com/"}`, "Authorization", "Bearer eve", "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("a page of another site creates links: %d", w.Code)
	}
}

// broken is a store that does not answer.
type broken struct{ links.Store }

func (broken) Add(context.Context, links.Link) error { return errors.New("dial 10.0.0.7: refused") }
func (broken) Get(context.Context, string) (links.Link, error) {
	return links.Link{}, errors.New("dial 10.0.0.7: refused")
}

func TestAStoreThatIsAwayIsToldWithoutItsWords(t *testing.T) {
	s := site(t)
	do(t, s.Front, "POST", "/api/links", `{"url":"https://example.com/","alias":"kept"}`, "Authorization", "Bearer ada")
	do(t, s.Front, "GET", "/kept", "") // caches it in one instance: the second
	for _, service := range s.Services {
		service.Store = broken{service.Store}
	}
	for _, w := range []*httptest.ResponseRecorder{
		do(t, s.Front, "POST", "/api/links", `{"url":"https://example.com/"}`, "Authorization", "Bearer ada"),
		do(t, s.Front, "GET", "/kept", ""),
	} {
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "10.0.0.7") {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	do(t, s.Front, "GET", "/kept", "")
	if w := do(t, s.Front, "GET", "/kept", ""); w.Code != 302 {
		t.Errorf("what is cached is not served while the store is away: %d", w.Code)
	}
}

func TestVersionsAreNegotiated(t *testing.T) {
	s := site(t)
	for accept, code := range map[string]int{
		"": 404, "*/*": 404, "text/html, application/json;q=0.5": 404, "application/vnd.tinyurl.v1+json": 404,
		"text/html": 406, "application/vnd.tinyurl.v2+json": 406,
	} {
		if w := do(t, s.Front, "GET", "/api/links/nothing", "", "Accept", accept); w.Code != code {
			t.Errorf("%q: %d", accept, w.Code)
		}
	}
}
