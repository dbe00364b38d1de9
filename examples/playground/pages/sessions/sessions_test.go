package sessions_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/sessions"
	"github.com/sysblocks/sysblocks/session"
)

// window is one of the visitor's browsers.
type window struct {
	t      *testing.T
	world  *pagetest.World
	name   string
	cookie *http.Cookie
}

func open(t *testing.T, w *pagetest.World, name string) *window {
	t.Helper()
	framed, ok := w.World.(page.Framed)
	if !ok {
		t.Fatal("the page has no frames")
	}
	framed.Place("/session/world/1/")
	return &window{t: t, world: w, name: name}
}

// ask sends a request and returns the page that follows.
func (b *window) ask(method, path string) string {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, "/"+b.name+"/"+path, http.NoBody)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	out := httptest.NewRecorder()
	b.world.World.(page.Framed).ServeHTTP(out, r)
	for _, c := range out.Result().Cookies() {
		b.cookie = c
	}
	if out.Code == http.StatusSeeOther {
		return b.ask(http.MethodGet, out.Header().Get("Location")[len("./"):])
	}
	if out.Code != http.StatusOK {
		b.t.Fatalf("%s %s: status %d", method, path, out.Code)
	}
	return out.Body.String()
}

func (b *window) login() {
	b.t.Helper()
	b.ask(http.MethodPost, "add") // an anonymous session first, so that there is a token to change
	if text := b.ask(http.MethodPost, "login?user=ada"); !strings.Contains(text, "Logged in as <b>ada</b>") || !strings.Contains(text, "1 in the cart") {
		b.t.Fatal(text)
	}
}

func TestLoginChangesTheToken(t *testing.T) {
	w := pagetest.New(t, sessions.Page{}, 1, "")
	a := open(t, w, "a")
	a.login()
	if w.Number("token-changed") != 1 || w.Number("http-only") != 1 || w.Fact("same-site").Text != "Lax" || w.Fact("cookie-path").Text != "/session/world/1/a/" {
		t.Errorf("%+v", w.View().Facts)
	}
	w.Do("attack", "")
	if w.Number("fixation") != 0 {
		t.Error("the attack succeeded")
	}
}

func TestALoginThatKeepsTheTokenIsSeen(t *testing.T) {
	w := pagetest.New(t, sessions.Page{Login: func(context.Context, *session.Session[sessions.Data], string) error { return nil }}, 1, "")
	a := open(t, w, "a")
	a.ask(http.MethodPost, "add")
	a.ask(http.MethodPost, "login?user=ada")
	w.Do("attack", "")
	if w.Number("token-changed") != 0 || w.Number("fixation") != 1 {
		t.Errorf("%+v", w.View().Facts)
	}
}

func TestOnlyNodesWithTheirOwnMemoryForget(t *testing.T) {
	w := pagetest.New(t, sessions.Page{}, 1, "")
	for n, want := range []float64{34, 67, 100} {
		w.Do("kill", "")
		if w.Number("lost-shared") != 0 || w.Number("lost-sticky") != want {
			t.Errorf("after %d nodes: %v and %v", n+1, w.Number("lost-shared"), w.Number("lost-sticky"))
		}
	}
}

func TestTheVisitorIsOneOfThem(t *testing.T) {
	for store, want := range map[string]string{"shared": "Logged in as <b>ada</b>", "sticky": "<b>Nobody</b> is logged in"} {
		w := pagetest.New(t, sessions.Page{}, 1, "store="+store)
		a, b := open(t, w, "a"), open(t, w, "b")
		a.login()
		b.login()
		w.Do("kill", "")
		if text := a.ask(http.MethodGet, ""); !strings.Contains(text, want) {
			t.Errorf("%s: %s", store, text)
		}
		if text := b.ask(http.MethodGet, ""); !strings.Contains(text, "Logged in as <b>ada</b>") {
			t.Errorf("%s, at another node: %s", store, text)
		}
	}
}

func TestLogoutEverywhereReachesBothBrowsers(t *testing.T) {
	for _, store := range []string{"shared", "sticky"} {
		w := pagetest.New(t, sessions.Page{}, 1, "store="+store)
		a, b := open(t, w, "a"), open(t, w, "b")
		a.login()
		b.login()
		w.Do("everywhere", "")
		want := 2.0
		if w.Number("ended") != want {
			t.Errorf("%s: %v ended, want %v", store, w.Number("ended"), want)
		}
		for _, browser := range []*window{a, b} {
			if text := browser.ask(http.MethodGet, ""); !strings.Contains(text, "<b>Nobody</b>") {
				t.Errorf("%s: browser %s: %s", store, browser.name, text)
			}
		}
	}
}

func TestIdleSessionsEndOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, sessions.Page{}, 1, "idle=3")
		a := open(t, w, "a")
		a.ask(http.MethodGet, "") // who has no session loses none
		w.Run(time.Second)
		if w.Fact("expired-after-ms").Text != "–" {
			t.Fatal("a session that never was has ended")
		}
		a.login()
		w.Run(2 * time.Second)
		a.ask(http.MethodGet, "") // keeps it alive
		w.Run(2 * time.Second)
		if w.Fact("expired-after-ms").Text != "–" {
			t.Fatalf("ended while in use, after %v ms", w.Number("expired-after-ms"))
		}
		w.Run(2 * time.Second)
		if got := w.Number("expired-after-ms"); got < 2700 || got > 4000 {
			t.Errorf("ended after %v ms, idle limit 3000", got)
		}
		if text := a.ask(http.MethodGet, ""); !strings.Contains(text, "<b>Nobody</b>") {
			t.Error(text)
		}
	})
}
