package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/replica"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
	"github.com/sysblocks/sysblocks/idgen"
)

func site(t *testing.T) *local.System {
	t.Helper()
	s, err := local.Open(t.Context(), local.Options{
		Dir: t.TempDir(), Strategy: feed.Hybrid, Celebrity: 100, Replicas: replica.Options{Followers: 2, Lag: 200 * time.Millisecond},
	})
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

func TestBadRequestsAreRefused(t *testing.T) {
	s := site(t)
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"too long":      {`{"text":"` + strings.Repeat("0", 9000) + `"}`, 413},
		"501 letters":   {`{"text":"` + strings.Repeat("0", 501) + `"}`, 400},
		"unknown field": {`{"text":"x","colour":"red"}`, 400},
		"no JSON":       {`text=x`, 400},
		"good":          {`{"text":"x"}`, 201},
	} {
		if w := do(t, s.Front, "POST", "/api/posts", c.body, "Authorization", "Bearer ada"); w.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := do(t, s.Front, "POST", "/api/posts", `{"text":"x"}`, "Authorization", "Bearer ada", "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("a page of another site posts: %d", w.Code)
	}
}

func TestAnAuthorsQuotaIsHisOwn(t *testing.T) {
	s := site(t)
	for i := range 25 {
		w := do(t, s.Front, "POST", "/api/posts", `{"text":"x"}`, "Authorization", "Bearer ada")
		if i >= 24 && (w.Code != 429 || w.Header().Get("Retry-After") == "" || w.Header().Get("X-RateLimit-Remaining") != "0") {
			t.Errorf("post %d: %d %v", i, w.Code, w.Header())
		}
	}
	if w := do(t, s.Front, "POST", "/api/posts", `{"text":"x"}`, "Authorization", "Bearer bob"); w.Code != 201 {
		t.Errorf("ada's posts are counted as bob's: %d", w.Code)
	}
	if w := do(t, s.Front, "GET", "/api/home", "", "Authorization", "Bearer ada"); w.Code != 200 {
		t.Errorf("reading is limited: %d", w.Code)
	}
}

func TestOneReadersCursorIsNotAnothers(t *testing.T) {
	s := site(t)
	for range 3 {
		do(t, s.Front, "POST", "/api/posts", `{"text":"x"}`, "Authorization", "Bearer ada")
	}
	if err := s.Copies.CatchUp(t.Context(), s.Copies.Written()); err != nil {
		t.Fatal(err)
	}
	var page struct{ Links struct{ Next string } }
	if err := json.NewDecoder(do(t, s.Front, "GET", "/api/home?limit=1", "", "Authorization", "Bearer ada").Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	if w := do(t, s.Front, "GET", page.Links.Next, "", "Authorization", "Bearer ada"); w.Code != 200 {
		t.Error(w.Code, w.Body)
	}
	if w := do(t, s.Front, "GET", page.Links.Next, "", "Authorization", "Bearer eve"); w.Code != 400 || !strings.Contains(w.Body.String(), "token_scope") {
		t.Error(w.Code, w.Body)
	}
}

// TestParallelPostsOfOneBrowserAreAllSeen would fail if the version of the answer that comes last won.
func TestParallelPostsOfOneBrowserAreAllSeen(t *testing.T) {
	s := site(t)
	server := httptest.NewServer(s.Front)
	defer server.Close()
	ada, err := web.NewClient(http.DefaultTransport, server.URL, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := ada.Publish(t.Context(), "first"); status != 201 || err != nil {
		t.Fatal(status, err)
	}
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if status, _, err := ada.Publish(t.Context(), strconv.Itoa(i)); status != 201 || err != nil {
				t.Error(status, err)
			}
		})
	}
	all.Wait()
	if posts, err := ada.Home(t.Context()); err != nil || len(posts) != 11 {
		t.Errorf("%d posts, %v", len(posts), err)
	}
}

// broken is a primary that does not answer.
type broken struct {
	feed.Copies
	feed.Store
}

func (broken) Write(context.Context, feed.Change) (uint64, error) {
	return 0, errors.New("dial 10.0.0.7: refused")
}
func (b broken) Primary() feed.Store    { return b }
func (b broken) Read(uint64) feed.Store { return b.Copies.Read(0) }
func (broken) Followers(context.Context, string, int) (int, error) {
	return 0, errors.New("dial 10.0.0.7: refused")
}

func (broken) Posts(context.Context, ...idgen.ID) (map[idgen.ID]feed.Post, error) {
	return nil, errors.New("dial 10.0.0.7: refused")
}

func TestReadersAreServedWhileThePrimaryIsAway(t *testing.T) {
	s := site(t)
	do(t, s.Front, "POST", "/api/posts", `{"text":"kept"}`, "Authorization", "Bearer ada")
	if err := s.Copies.CatchUp(t.Context(), s.Copies.Written()); err != nil {
		t.Fatal(err)
	}
	s.Service.Copies = broken{Copies: s.Copies, Store: s.Store}
	for _, w := range []*httptest.ResponseRecorder{
		do(t, s.Front, "POST", "/api/posts", `{"text":"x"}`, "Authorization", "Bearer ada"),
		do(t, s.Front, "PUT", "/api/follows/ada", "", "Authorization", "Bearer bob"),
		do(t, s.Front, "GET", "/api/posts/42", ""),
	} {
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "10.0.0.7") {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	if w := do(t, s.Front, "GET", "/api/home", "", "Authorization", "Bearer ada"); w.Code != 200 || !strings.Contains(w.Body.String(), "kept") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
