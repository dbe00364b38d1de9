package session_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// Data is what the sessions of these tests hold.
type Data struct {
	N     int            `json:"n,omitempty"`
	Keys  map[string]int `json:"keys,omitempty"`
	Flash string         `json:"flash,omitempty"`
	Lang  string         `json:"lang,omitempty"`
}

// site is a manager and a handler that runs the function that a request names.
type site struct {
	*session.Manager[Data]
	t     testing.TB
	store *sessiontest.FaultyStore // nil on the client side
	h     http.Handler
}

func newSite(tb testing.TB, opts session.Options, plan func(sessiontest.Call) sessiontest.Fault) *site {
	tb.Helper()
	store := sessiontest.Faulty(memory(tb, session.MemoryOptions{}), plan)
	m, err := session.New[Data](store, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return &site{Manager: m, t: tb, store: store, h: m.Handler(runNamed{})}
}

func newSealedSite(tb testing.TB, opts session.Options) *site {
	tb.Helper()
	m, err := session.NewClientSide[Data](keyring(tb, 1), opts)
	if err != nil {
		tb.Fatal(err)
	}
	return &site{Manager: m, t: tb, h: m.Handler(runNamed{})}
}

func keyring(tb testing.TB, first byte, others ...byte) *session.Keyring {
	tb.Helper()
	var rest [][]byte
	for _, b := range others {
		rest = append(rest, key(b))
	}
	k, err := session.NewKeyring(key(first), rest...)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func key(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

type funcKey struct{}

// runNamed runs the function in the context of the request.
type runNamed struct{}

func (runNamed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Context().Value(funcKey{}).(http.HandlerFunc)(w, r)
}

// browser keeps the cookies that a site sends.
type browser struct {
	*site
	cookies map[string]string
	headers http.Header
}

func (s *site) browser() *browser { return &browser{site: s, cookies: map[string]string{}} }

// clone is another window, or a thief: the same cookies now, separate from here on.
func (b *browser) clone() *browser {
	return &browser{site: b.site, cookies: maps.Clone(b.cookies), headers: b.headers}
}

func (b *browser) request(method string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, "https://example.com/", nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	maps.Copy(r.Header, b.headers)
	return r
}

// do sends one request whose handler is f and obeys the cookies of the answer.
func (b *browser) do(f http.HandlerFunc) *answer {
	b.t.Helper()
	return b.send(b.request(http.MethodGet), f)
}

func (b *browser) send(r *http.Request, f http.HandlerFunc) *answer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), funcKey{}, f)))
	got := answerOf(w)
	b.obey(got)
	return got
}

// answer is a response whose body has been read.
type answer struct {
	StatusCode int
	Header     http.Header
	Body       string
}

func answerOf(w *httptest.ResponseRecorder) *answer {
	return readAnswer(w.Result())
}

func readAnswer(r *http.Response) *answer {
	body, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	return &answer{r.StatusCode, r.Header, string(body)}
}

func (b *browser) obey(got *answer) {
	for _, c := range (&http.Response{Header: got.Header}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

// get is do for handlers that start with Get.
func (b *browser) get(f func(s *session.Session[Data], r *http.Request)) *answer {
	b.t.Helper()
	return b.do(func(_ http.ResponseWriter, r *http.Request) { f(b.session(r), r) })
}

// session is Get, which must succeed.
func (s *site) session(r *http.Request) *session.Session[Data] {
	s.t.Helper()
	got, err := s.Get(r.Context())
	if err != nil {
		s.t.Errorf("Get: %v", err)
	}
	return got
}

func (b *browser) login(user string) *answer {
	b.t.Helper()
	return b.get(func(s *session.Session[Data], r *http.Request) {
		b.must(s.Login(r.Context(), user, session.LoginOptions{}))
	})
}

func (b *browser) logout() *answer {
	b.t.Helper()
	return b.get(func(s *session.Session[Data], r *http.Request) { b.must(s.Logout(r.Context())) })
}

func (b *browser) increment() *answer {
	b.t.Helper()
	return b.get(func(s *session.Session[Data], _ *http.Request) { b.must(s.Update(increment)) })
}

func increment(d *Data) error { d.N++; return nil }

// state asks for what the site knows of this browser.
func (b *browser) state() (user string, n int) {
	b.t.Helper()
	b.get(func(s *session.Session[Data], _ *http.Request) { user, n = s.UserID(), s.Data().N })
	return user, n
}

func (b *browser) wantState(user string, n int) {
	b.t.Helper()
	if gotUser, gotN := b.state(); gotUser != user || gotN != n {
		b.t.Errorf("user %q with n = %d, want %q with %d", gotUser, gotN, user, n)
	}
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err)
	}
}

// start runs a request whose handler stops at a gate. It returns when the handler is there; finish opens the gate
// and waits for the answer.
func (b *browser) start(before, after func(s *session.Session[Data], r *http.Request)) (finish func() *answer) {
	at, gate, done := make(chan struct{}), make(chan struct{}), make(chan *answer)
	go func() {
		done <- b.get(func(s *session.Session[Data], r *http.Request) {
			before(s, r)
			close(at)
			<-gate
			after(s, r)
		})
	}()
	<-at
	return func() *answer {
		close(gate)
		return <-done
	}
}

func nothing(*session.Session[Data], *http.Request) {}

func wantStatus(tb testing.TB, r *answer, want int) {
	tb.Helper()
	if r.StatusCode != want {
		tb.Errorf("status %d, want %d", r.StatusCode, want)
	}
}

// setCookies are the Set-Cookie lines of an answer.
func setCookies(r *answer) []string { return r.Header["Set-Cookie"] }

func wantCookies(tb testing.TB, r *answer, want int) {
	tb.Helper()
	if got := setCookies(r); len(got) != want {
		tb.Errorf("%d Set-Cookie lines, want %d: %v", len(got), want, fmt.Sprint(got))
	}
}

func headerOnly(w *httptest.ResponseRecorder) *answer { return &answer{Header: w.Header()} }
