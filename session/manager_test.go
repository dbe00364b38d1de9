package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func TestNewNamesTheBadField(t *testing.T) {
	store := memory(t, session.MemoryOptions{})
	for field, opts := range map[string]session.Options{
		"IdleTimeout 1ms":        {IdleTimeout: time.Millisecond},
		"IdleTimeout 2h":         {IdleTimeout: 2 * time.Hour, AbsoluteTimeout: time.Hour},
		"AbsoluteTimeout -1ns":   {AbsoluteTimeout: -1},
		"AbsoluteTimeout 9624h":  {AbsoluteTimeout: 401 * 24 * time.Hour},
		"MaxBytes -1":            {MaxBytes: -1},
		"MaxBytes 16777217":      {MaxBytes: 16<<20 + 1},
		"__Host- allows":         {Transport: session.Cookie{Name: "__Host-x", Domain: "example.com"}},
		"__Host-":                {Transport: session.Cookie{Name: "__HOST-x", Path: "/a"}},
		"SameSite None":          {Transport: session.Cookie{SameSite: http.SameSiteNoneMode, Insecure: true}},
		"Partitioned":            {Transport: session.Cookie{Partitioned: true, Insecure: true}},
		"name with a prefix":     {Transport: session.Cookie{Name: "__Secure-x", Insecure: true}},
		"Cookie.Name":            {Transport: session.Cookie{Name: "a b"}},
		"SameSite 9":             {Transport: session.Cookie{SameSite: 9}},
		"Path":                   {Transport: session.Cookie{Path: "x"}},
		"Cookie: ":               {Transport: session.Cookie{Domain: "a;b"}},
		"Bearer.Header":          {Transport: session.Bearer{Header: "a:"}},
		"nil inside Transports":  {Transport: session.Transports(session.Cookie{}, nil)},
		"Cookie.Name is not a t": {Transport: session.Transports(session.Bearer{}, session.Cookie{Name: ";"})},
	} {
		_, err := session.New[Data](store, opts)
		if !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := session.New[Data](nil, session.Options{}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("nil store: %v", err)
	}
	if _, err := session.NewClientSide[Data](nil, session.Options{}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("nil keys: %v", err)
	}
	if _, err := session.NewClientSide[Data](keyring(t, 1), session.Options{Keys: keyring(t, 1)}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("Keys on the client side: %v", err)
	}
}

func TestWrongTokensAreAnonymous(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	good := b.cookies["__Host-Http-session"]
	other := s.browser()
	other.login("bob")
	forged := good[:22] + other.cookies["__Host-Http-session"][22:]
	for _, c := range []struct {
		name, token  string
		loads, clear int
	}{
		{"malformed", "nonsense", 0, 0},
		{"empty", "", 0, 0},
		{"too long", good + "A", 0, 0},
		{"unknown ID", strings.Repeat("A", 64), 1, 1},
		{"wrong secret", forged, 1, 0},
	} {
		loads := s.store.Calls("Load")
		thief := s.browser()
		thief.cookies["__Host-Http-session"] = c.token
		answer := thief.get(func(got *session.Session[Data], _ *http.Request) {
			if got.UserID() != "" || got.Data().N != 0 || got.Token() != "" {
				t.Errorf("%s: not anonymous", c.name)
			}
		})
		wantCookies(t, answer, c.clear)
		if n := s.store.Calls("Load") - loads; n != c.loads {
			t.Errorf("%s: %d loads, want %d", c.name, n, c.loads)
		}
	}
	if n := s.Stats().Forged; n != 1 {
		t.Errorf("%d forged tokens counted, want 1", n)
	}
	b.wantState("ann", 0)
}

func TestFirstCookieThatVerifiesWins(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	good := b.cookies["__Host-Http-session"]
	unknown := strings.Repeat("B", 64)
	for pos := range 6 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for i := range 6 {
			value := unknown
			if i == pos {
				value = good
			}
			r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: value})
		}
		want := "ann"
		if pos >= 4 {
			want = "" // at most four are tried
		}
		s.browser().send(r, func(_ http.ResponseWriter, r *http.Request) {
			if got := s.session(r).UserID(); got != want {
				t.Errorf("good cookie at %d: user %q, want %q", pos, got, want)
			}
		})
	}
}

func TestUntouchedRequestCostsNothing(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	before := s.store.Calls("Load")
	answer := b.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") })
	if len(answer.Header) != 1 || answer.Header.Get("Content-Type") == "" || s.store.Calls("Load") != before {
		t.Errorf("header %v, %d loads", answer.Header, s.store.Calls("Load")-before)
	}
}

func TestGetWithoutHandlerIsReadOnly(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	got, err := s.Get(t.Context())
	wantReadOnly(t.Context(), t, got, err, session.ErrNoMiddleware)
}

func wantReadOnly(ctx context.Context, t *testing.T, s *session.Session[Data], err, want error) {
	t.Helper()
	if !errors.Is(err, want) || s == nil {
		t.Fatalf("Get: %v, %v, want %v", s, err, want)
	}
	if s.UserID() != "" || s.Data().N != 0 || s.Token() != "" {
		t.Error("not anonymous and empty")
	}
	for op, err := range map[string]error{
		"Update": s.Update(increment), "Login": s.Login(ctx, "ann", session.LoginOptions{}), "Renew": s.Renew(ctx),
		"Logout": s.Logout(ctx), "Reload": s.Reload(ctx),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", op, err, want)
		}
	}
	if err := s.Save(ctx); err != nil {
		t.Errorf("Save without changes: %v", err)
	}
}

func TestOutageCostsNoCookie(t *testing.T) {
	down := errors.New("connection refused")
	var fail bool
	s := newSite(t, session.Options{}, func(sessiontest.Call) sessiontest.Fault {
		if fail {
			return sessiontest.Fault{Before: down}
		}
		return sessiontest.Fault{}
	})
	b := s.browser()
	b.login("ann")
	fail = true
	answer := b.do(func(_ http.ResponseWriter, r *http.Request) {
		got, err := s.Get(r.Context())
		wantReadOnly(r.Context(), t, got, err, session.ErrUnavailable)
		if !errors.Is(err, down) {
			t.Errorf("the cause is hidden: %v", err)
		}
		if again, err2 := s.Get(r.Context()); again != got || !errors.Is(err2, down) {
			t.Error("the second Get differs")
		}
	})
	wantCookies(t, answer, 0)
	if n := s.store.Calls("Load"); n != 1 {
		t.Errorf("%d loads of one request in an outage", n)
	}
	h := s.Handler(s.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("passed") })))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, b.request(http.MethodGet))
	wantStatus(t, answerOf(w), http.StatusServiceUnavailable)
	fail = false
	b.wantState("ann", 0)
}

func TestCancelledGetMayTryAgain(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	b.do(func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		got, err := s.Get(ctx)
		wantReadOnly(r.Context(), t, got, err, context.Canceled)
		if user := s.session(r).UserID(); user != "ann" {
			t.Errorf("user %q at the second Get", user)
		}
	})
}

func TestRequireLogin(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	h := s.Handler(s.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := s.Get(r.Context())
		_, _ = io.WriteString(w, got.UserID())
	})))
	b := s.browser()
	b.increment()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, b.request(http.MethodGet))
	wantStatus(t, answerOf(w), http.StatusUnauthorized)
	b.login("ann")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, b.request(http.MethodGet))
	if w.Code != http.StatusOK || w.Body.String() != "ann" {
		t.Errorf("status %d %q", w.Code, w.Body)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	s := newSite(t, session.Options{MaxBytes: 100}, nil)
	b := s.browser()
	boom := errors.New("boom")
	answer := b.get(func(got *session.Session[Data], _ *http.Request) {
		if err := got.Update(func(d *Data) error { d.N = 9; return boom }); !errors.Is(err, boom) {
			t.Errorf("failed update: %v", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of an update is swallowed")
				}
			}()
			_ = got.Update(func(d *Data) error { d.N = 9; panic("x") })
		}()
		err := got.Update(func(d *Data) error { d.Flash = strings.Repeat("x", 200); return nil })
		if !errors.Is(err, session.ErrTooLarge) || !strings.Contains(err.Error(), "212") || !strings.Contains(err.Error(), "100") {
			t.Errorf("large update: %v", err)
		}
		s.must(got.Update(func(d *Data) error { d.N += 0; return nil })) // equal bytes
		if n := got.Data().N; n != 0 {
			t.Errorf("n = %d", n)
		}
	})
	wantCookies(t, answer, 0)
	if n := s.store.Calls("Save"); n != 0 {
		t.Errorf("%d saves", n)
	}
}

func TestUpdateHandsOutACopy(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.get(func(got *session.Session[Data], _ *http.Request) {
		s.must(got.Update(func(d *Data) error { d.Keys = map[string]int{"a": 1}; return nil }))
		_ = got.Update(func(d *Data) error { d.Keys["a"] = 2; return errors.New("no") })
		if got.Data().Keys["a"] != 1 {
			t.Error("a failed update shows")
		}
		var leaked map[string]int
		s.must(got.Update(func(d *Data) error { d.N, leaked = 1, d.Keys; return nil }))
		leaked["a"] = 3
		if got.Data().Keys["a"] != 1 {
			t.Error("the data shares memory with an update function")
		}
	})
}

func TestUpdateInsideUpdateEnds(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	s.browser().get(func(got *session.Session[Data], r *http.Request) {
		rounds := 0
		err := got.Update(func(d *Data) error {
			rounds++
			d.N += 1000
			return got.Update(increment)
		})
		if !errors.Is(err, session.ErrConflict) || rounds != 8 {
			t.Errorf("%v after %d rounds, want ErrConflict after 8", err, rounds)
		}
		s.must(got.Update(func(*Data) error { return got.Save(r.Context()) })) // no deadlock either
	})
}

func TestPanicCommitsNothing(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	for _, value := range []any{http.ErrAbortHandler, "boom"} {
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if got := recover(); got != value {
					t.Errorf("panic %v became %v", value, got)
				}
			}()
			r := b.request(http.MethodGet)
			s.h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), funcKey{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				s.must(s.session(r).Update(increment))
				panic(value)
			}))))
		}()
		if len(w.Header()) > 0 || s.store.Calls("Save") != 0 {
			t.Errorf("header %v, %d saves", w.Header(), s.store.Calls("Save"))
		}
	}
}

func TestLoginMovesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, session.Options{}, nil)
		b := s.browser()
		b.increment()
		planted := b.clone()
		<-time.After(time.Hour / 4)
		var before, after session.ID
		b.get(func(got *session.Session[Data], r *http.Request) {
			before = got.ID()
			s.must(got.Update(increment)) // pending: committed with the login
			s.must(got.Login(r.Context(), "ann", session.LoginOptions{Device: "phone", Remember: true, AbsoluteTimeout: 48 * time.Hour}))
			after = got.ID()
			info := got.Info()
			want := session.Info{
				ID: before, UserID: "ann", Device: "phone", CreatedAt: time.Now().Add(-time.Hour / 4), AuthTime: time.Now(), LastSeenAt: time.Now(),
				ExpiresAt: time.Now().Add(30 * time.Minute), Deadline: time.Now().Add(48 * time.Hour), Current: true,
			}
			if fmt.Sprint(info) != fmt.Sprint(want) {
				t.Errorf("info\n%v, want\n%v", info, want)
			}
			if s.store.Calls("Save") != 2 {
				t.Errorf("%d saves", s.store.Calls("Save"))
			}
		})
		if before != after {
			t.Error("the ID changed")
		}
		planted.wantState("", 0)
		b.wantState("ann", 2)
		b.login("ann")
		b.wantState("ann", 2) // the same user keeps his data
		b.login("bob")
		b.wantState("bob", 0) // another does not get it
	})
}

func TestLoginChecksItsArguments(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	long := strings.Repeat("x", 256)
	s.browser().get(func(got *session.Session[Data], r *http.Request) {
		for name, err := range map[string]error{
			"no user":   got.Login(r.Context(), "", session.LoginOptions{}),
			"long user": got.Login(r.Context(), long, session.LoginOptions{}),
			"device":    got.Login(r.Context(), "ann", session.LoginOptions{Device: long}),
			"absolute":  got.Login(r.Context(), "ann", session.LoginOptions{AbsoluteTimeout: 401 * 24 * time.Hour}),
			"idle":      got.Login(r.Context(), "ann", session.LoginOptions{IdleTimeout: 25 * time.Hour}),
			"short":     got.Login(r.Context(), "ann", session.LoginOptions{IdleTimeout: 1}),
		} {
			if !errors.Is(err, session.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.must(got.Login(r.Context(), long[:255], session.LoginOptions{Device: long[:255]}))
	})
}

func TestLogoutFailsClosed(t *testing.T) {
	var fail bool
	s := newSite(t, session.Options{}, func(c sessiontest.Call) sessiontest.Fault {
		if fail && c.Op == "Remove" {
			return sessiontest.Fault{Before: errors.New("down")}
		}
		return sessiontest.Fault{}
	})
	b := s.browser()
	wantCookies(t, b.logout(), 0) // nothing to end
	if s.store.Calls("Remove") != 0 {
		t.Error("logout of a session that is not stored asked the store")
	}
	b.login("ann")
	fail = true
	answer := b.get(func(got *session.Session[Data], r *http.Request) {
		if err := got.Logout(r.Context()); !errors.Is(err, session.ErrUnavailable) || got.UserID() != "ann" {
			t.Errorf("logout while the store is down: %v, user %q", err, got.UserID())
		}
	})
	wantCookies(t, answer, 0)
	fail = false
	answer = b.get(func(got *session.Session[Data], r *http.Request) {
		old := got.ID()
		s.must(got.Update(increment))
		s.must(got.Logout(r.Context()))
		if got.UserID() != "" || got.Data().N != 0 || got.ID() == old {
			t.Error("not a new anonymous session")
		}
		s.must(got.Update(func(d *Data) error { d.Flash = "bye"; return nil }))
	})
	wantCookies(t, answer, 1)
	b.get(func(got *session.Session[Data], _ *http.Request) {
		if got.Data().Flash != "bye" || got.UserID() != "" {
			t.Errorf("%+v of %q", got.Data(), got.UserID())
		}
	})
	wantCookies(t, b.logout(), 1)
	if len(b.cookies) > 0 {
		t.Error("the cookie is left")
	}
}

func TestListAndRevoke(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	phone, laptop, bob := s.browser(), s.browser(), s.browser()
	phone.login("ann")
	laptop.login("ann")
	bob.login("bob")
	var bobs session.ID
	bob.get(func(got *session.Session[Data], _ *http.Request) { bobs = got.ID() })
	laptop.get(func(_ *session.Session[Data], r *http.Request) {
		n, current := 0, 0
		var other session.ID
		for info, err := range s.List(r.Context(), "ann") {
			s.must(err)
			n++
			if info.Current {
				current++
			} else {
				other = info.ID
			}
		}
		if n != 2 || current != 1 {
			t.Errorf("%d sessions, %d current", n, current)
		}
		if err := s.Revoke(r.Context(), "ann", bobs); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("ended another user's session: %v", err)
		}
		s.must(s.Revoke(r.Context(), "ann", other))
		if err := s.Revoke(r.Context(), "ann", other); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("twice: %v", err)
		}
	})
	phone.wantState("", 0)
	phone.login("ann")
	laptop.get(func(got *session.Session[Data], r *http.Request) {
		if n, err := s.RevokeUser(r.Context(), got.UserID(), got.ID()); n != 1 || err != nil {
			t.Errorf("RevokeUser: %d, %v", n, err)
		}
	})
	phone.wantState("", 0)
	laptop.wantState("ann", 0)
	bob.wantState("bob", 0)
}

// plain hides the optional interfaces of a store.
type plain struct{ session.Store }

func TestStoreWithoutIndexSaysSo(t *testing.T) {
	sealed, err := session.NewClientSide[Data](keyring(t, 1), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := session.New[Data](plain{memory(t, session.MemoryOptions{})}, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := session.New[Data](sessiontest.Faulty(plain{memory(t, session.MemoryOptions{})}, nil), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range []*session.Manager[Data]{sealed, bare, wrapped} {
		for _, err := range m.List(t.Context(), "ann") {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%d List: %v", i, err)
			}
		}
		if _, err := m.RevokeUser(t.Context(), "ann"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%d RevokeUser: %v", i, err)
		}
		if err := m.Revoke(t.Context(), "ann", session.ID{}); !errors.Is(err, errors.ErrUnsupported) && i < 2 {
			t.Errorf("%d Revoke: %v", i, err)
		}
		if n, err := m.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%d Sweep: %d, %v", i, n, err)
		}
	}
}

func TestCheckIsAsked(t *testing.T) {
	var answer error
	calls := 0
	s := newSite(t, session.Options{Check: func(_ context.Context, info session.Info) error {
		calls++
		if info.UserID != "ann" || info.AuthTime.IsZero() {
			t.Errorf("info %+v", info)
		}
		return answer
	}}, nil)
	b := s.browser()
	b.increment()
	b.increment()
	b.login("ann")
	if calls != 0 {
		t.Errorf("asked %d times about anonymous sessions", calls)
	}
	b.wantState("ann", 2)
	answer = errors.New("directory down")
	b.do(func(_ http.ResponseWriter, r *http.Request) {
		got, err := s.Get(r.Context())
		wantReadOnly(r.Context(), t, got, err, session.ErrUnavailable)
	})
	answer = fmt.Errorf("password changed: %w", session.ErrRevoked)
	b.wantState("", 0)
	answer = nil
	b.wantState("", 0)
	if calls != 3 {
		t.Errorf("asked %d times, want 3", calls)
	}
}

func TestSeveralManagersNest(t *testing.T) {
	one := newSite(t, session.Options{}, nil)
	two := newSite(t, session.Options{Transport: session.Cookie{Name: "other"}}, nil)
	h := one.Handler(two.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		one.must(one.session(r).Update(func(d *Data) error { d.N = 1; return nil }))
		two.must(two.session(r).Update(func(d *Data) error { d.N = 2; return nil }))
	})))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	wantCookies(t, answerOf(w), 2)
	if got := w.Header()["Vary"]; len(got) != 1 {
		t.Errorf("Vary %q", got)
	}
}

func TestCrossOriginRequestsAreRefused(t *testing.T) {
	s := newSite(t, session.Options{Transport: session.Transports(session.Cookie{}, session.Bearer{})}, nil)
	b := s.browser()
	b.login("ann")
	loads := s.store.Calls("Load")
	post := func(b *browser, site string) *http.Request {
		r := b.request(http.MethodPost)
		r.Header.Set("Sec-Fetch-Site", site)
		return r
	}
	ran := false
	ok := func(http.ResponseWriter, *http.Request) { ran = true }
	wantStatus(t, b.send(post(b, "cross-site"), ok), http.StatusForbidden)
	if ran || s.store.Calls("Load") != loads {
		t.Error("a cross-site request reached the handler or the store")
	}
	for name, r := range map[string]*http.Request{
		"same origin":   post(b, "same-origin"),
		"safe method":   b.request(http.MethodGet),
		"without token": post(s.browser(), "cross-site"),
	} {
		ran = false
		wantStatus(t, b.clone().send(r, ok), http.StatusOK)
		if !ran {
			t.Errorf("%s: refused", name)
		}
	}
	bearer := post(s.browser(), "cross-site")
	bearer.Header.Set("Authorization", "Bearer "+b.cookies["__Host-Http-session"])
	s.browser().send(bearer, func(_ http.ResponseWriter, r *http.Request) {
		if user := s.session(r).UserID(); user != "ann" {
			t.Errorf("bearer: user %q", user)
		}
	})
	// A made-up bearer token does not hide the cookie.
	both := post(b, "cross-site")
	both.Header.Set("Authorization", "Bearer x")
	wantStatus(t, b.clone().send(both, ok), http.StatusForbidden)
	// Login CSRF: without our token the request passes, but it may not log in.
	s.browser().send(post(s.browser(), "cross-site"), func(_ http.ResponseWriter, r *http.Request) {
		if err := s.session(r).Login(r.Context(), "mallory", session.LoginOptions{}); !errors.Is(err, session.ErrCrossOrigin) {
			t.Errorf("cross-site login: %v", err)
		}
	})
}
