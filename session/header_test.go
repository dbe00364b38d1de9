package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

func TestCookieAttributes(t *testing.T) {
	// RFC 6265bis, sections 4.1.2 and 4.1.3: attributes, and what the prefixes require.
	for _, c := range []struct {
		cookie session.Cookie
		want   string
	}{
		{session.Cookie{}, "__Host-Http-session=T; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{session.Cookie{Path: "/"}, "__Host-Http-session=T; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{session.Cookie{Path: "/app"}, "__Secure-session=T; Path=/app; HttpOnly; Secure; SameSite=Lax"},
		{session.Cookie{Domain: "example.com"}, "__Secure-session=T; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{session.Cookie{Insecure: true}, "session=T; Path=/; HttpOnly; SameSite=Lax"},
		{session.Cookie{Name: "sid", Insecure: true, Domain: "example.com", Path: "/x"}, "sid=T; Path=/x; Domain=example.com; HttpOnly; SameSite=Lax"},
		{session.Cookie{Name: "sid", SameSite: http.SameSiteStrictMode}, "sid=T; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{session.Cookie{SameSite: http.SameSiteNoneMode, Partitioned: true}, "__Host-Http-session=T; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		{session.Cookie{SameSite: http.SameSiteDefaultMode}, "__Host-Http-session=T; Path=/; HttpOnly; Secure; SameSite=Lax"},
	} {
		h := http.Header{}
		c.cookie.Send(h, "T", time.Now().Add(time.Hour), false)
		if got := h.Get("Set-Cookie"); got != c.want {
			t.Errorf("%+v\n got %s\nwant %s", c.cookie, got, c.want)
		}
		h = http.Header{}
		c.cookie.Clear(h)
		name, rest, _ := strings.Cut(c.want, "=T; ")
		got := h.Get("Set-Cookie")
		if !strings.HasPrefix(got, name+"=; ") || !strings.Contains(got, "Max-Age=0") {
			t.Errorf("Clear: %s", got)
		}
		for attr := range strings.SplitSeq(rest, "; ") {
			if !strings.Contains(got, attr) {
				t.Errorf("Clear lacks %s: %s", attr, got)
			}
		}
	}
}

func TestRememberBoundsTheCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, session.Options{}, nil)
		for _, c := range []struct {
			opts session.LoginOptions
			want string
		}{
			{session.LoginOptions{}, ""},
			{session.LoginOptions{Remember: true}, "Max-Age=86400"},
			{session.LoginOptions{Remember: true, AbsoluteTimeout: 1500 * time.Millisecond, IdleTimeout: time.Second}, "Max-Age=2"},
			{session.LoginOptions{Remember: true, AbsoluteTimeout: 400 * 24 * time.Hour}, "Max-Age=34560000"},
		} {
			answer := s.browser().get(func(got *session.Session[Data], r *http.Request) {
				s.must(got.Login(r.Context(), "ann", c.opts))
			})
			line := setCookies(answer)[0]
			if c.want == "" && (strings.Contains(line, "Max-Age") || strings.Contains(line, "Expires")) || !strings.Contains(line, c.want) {
				t.Errorf("%+v: %s, want %q", c.opts, line, c.want)
			}
		}
	})
}

func TestHeadersOfARequest(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	answer := b.login("ann")
	if answer.Header.Get("Vary") != "Cookie" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", answer.Header)
	}
	answer = b.increment() // the secret stays
	wantCookies(t, answer, 0)
	if answer.Header.Get("Vary") != "Cookie" || answer.Header.Get("Cache-Control") != "" {
		t.Errorf("%v", answer.Header)
	}
	answer = b.do(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private")
		w.Header().Add("Vary", "Accept, cookie")
		got := s.session(r)
		s.must(got.Update(increment))
		s.must(got.Renew(r.Context()))
		s.must(got.Renew(r.Context()))
	})
	wantCookies(t, answer, 1)
	if answer.Header.Get("Cache-Control") != "private" || len(answer.Header["Vary"]) != 1 {
		t.Errorf("%v", answer.Header)
	}
	b.wantState("ann", 2)
}

func TestBearer(t *testing.T) {
	for _, header := range []string{"", "X-Session"} {
		s := newSite(t, session.Options{Transport: session.Bearer{Header: header}}, nil)
		b := s.browser()
		b.headers = http.Header{}
		answerIn, sendIn, prefix := "Session-Token", "Authorization", "bearer "
		if header != "" {
			answerIn, sendIn, prefix = header, header, ""
		}
		answer := b.increment()
		token := answer.Header.Get(answerIn)
		if token == "" || len(setCookies(answer)) > 0 || answer.Header.Get("Vary") != sendIn {
			t.Fatalf("%v", answer.Header)
		}
		b.headers.Set(sendIn, prefix+token)
		b.wantState("", 1)
		r := b.request(http.MethodPost)
		r.Header.Set("Sec-Fetch-Site", "cross-site") // no browser attaches such a header
		answer = b.send(r, func(_ http.ResponseWriter, r *http.Request) {
			s.must(s.session(r).Login(r.Context(), "ann", session.LoginOptions{}))
		})
		fresh := answer.Header.Get(answerIn)
		if fresh == token {
			t.Error("the token stays at login")
		}
		b.wantState("", 0)
		b.headers.Set(sendIn, prefix+fresh)
		b.wantState("ann", 1)
		if got, ok := b.logout().Header[http.CanonicalHeaderKey(answerIn)]; !ok || got[0] != "" {
			t.Errorf("logout answers %q", got)
		}
	}
}

func TestTransportsAnswerWhereTheTokenCameFrom(t *testing.T) {
	s := newSite(t, session.Options{Transport: session.Transports(session.Cookie{}, session.Bearer{}, session.Bearer{Header: "X-S"})}, nil)
	b := s.browser()
	wantCookies(t, b.login("ann"), 1) // the first answers a new session
	app := s.browser()
	app.headers = http.Header{"Authorization": {"Bearer " + b.cookies["__Host-Http-session"]}}
	answer := app.get(func(got *session.Session[Data], r *http.Request) { s.must(got.Renew(r.Context())) })
	wantCookies(t, answer, 0)
	if answer.Header.Get("Session-Token") == "" {
		t.Errorf("%v", answer.Header)
	}
	if got := strings.Join(answer.Header["Vary"], ", "); got != "Cookie, Authorization, X-S" {
		t.Errorf("Vary %q", got)
	}
	tr := session.Transports(session.Bearer{}, session.Cookie{Insecure: true})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer one")
	r.AddCookie(&http.Cookie{Name: "session", Value: "two"})
	for i, want := range []string{"one", "two", ""} {
		if got, ok := tr.Token(r, i); got != want || ok != (want != "") {
			t.Errorf("candidate %d: %q %v", i, got, ok)
		}
	}
	if !tr.Ambient() {
		t.Error("a cookie is ambient")
	}
}
