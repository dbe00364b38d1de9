package session_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// bare is a ResponseWriter that can do nothing else.
type bare struct{ w *httptest.ResponseRecorder }

func (b bare) Header() http.Header         { return b.w.Header() }
func (b bare) Write(p []byte) (int, error) { return b.w.Write(p) }
func (b bare) WriteHeader(status int)      { b.w.WriteHeader(status) }

type (
	canFlush    struct{ n *int }
	canHijack   struct{ n *int }
	canPush     struct{ n *int }
	canReadFrom struct{ n *int }
)

func (c canFlush) Flush() { *c.n++ }
func (c canHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	*c.n++
	return nil, nil, nil
}
func (c canPush) Push(string, *http.PushOptions) error { *c.n++; return nil }
func (c canReadFrom) ReadFrom(io.Reader) (int64, error) {
	*c.n++
	return 0, nil
}

// writerOf returns a writer with just the interfaces of the bits of has.
func writerOf(b bare, has int, n *[4]int) http.ResponseWriter {
	f, h, p, r := canFlush{&n[0]}, canHijack{&n[1]}, canPush{&n[2]}, canReadFrom{&n[3]}
	return []http.ResponseWriter{
		b,
		struct {
			bare
			canFlush
		}{b, f},
		struct {
			bare
			canHijack
		}{b, h},
		struct {
			bare
			canFlush
			canHijack
		}{b, f, h},
		struct {
			bare
			canPush
		}{b, p},
		struct {
			bare
			canFlush
			canPush
		}{b, f, p},
		struct {
			bare
			canHijack
			canPush
		}{b, h, p},
		struct {
			bare
			canFlush
			canHijack
			canPush
		}{b, f, h, p},
		struct {
			bare
			canReadFrom
		}{b, r},
		struct {
			bare
			canFlush
			canReadFrom
		}{b, f, r},
		struct {
			bare
			canHijack
			canReadFrom
		}{b, h, r},
		struct {
			bare
			canFlush
			canHijack
			canReadFrom
		}{b, f, h, r},
		struct {
			bare
			canPush
			canReadFrom
		}{b, p, r},
		struct {
			bare
			canFlush
			canPush
			canReadFrom
		}{b, f, p, r},
		struct {
			bare
			canHijack
			canPush
			canReadFrom
		}{b, h, p, r},
		struct {
			bare
			canFlush
			canHijack
			canPush
			canReadFrom
		}{b, f, h, p, r},
	}[has]
}

func TestWriterOffersExactlyWhatTheWrappedOneDoes(t *testing.T) {
	for has := range 16 {
		var calls [4]int
		s := newSite(t, session.Options{}, nil)
		rec := httptest.NewRecorder()
		r := s.browser().request(http.MethodGet)
		s.h.ServeHTTP(writerOf(bare{rec}, has, &calls), r.WithContext(context.WithValue(r.Context(), funcKey{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.must(s.session(r).Update(increment))
			offered := 0
			if p, ok := w.(http.Pusher); ok {
				offered |= 4
				s.must(p.Push("/x", nil))
				if len(rec.Header()) > 0 {
					t.Errorf("%04b: a push is taken for the header", has)
				}
			}
			if f, ok := w.(http.Flusher); ok {
				offered |= 1
				f.Flush()
			}
			if h, ok := w.(http.Hijacker); ok {
				offered |= 2
				_, _, err := h.Hijack()
				s.must(err)
			}
			if f, ok := w.(io.ReaderFrom); ok {
				offered |= 8
				_, err := f.ReadFrom(strings.NewReader("x"))
				s.must(err)
			}
			if offered != has {
				t.Errorf("wrapped %04b, offered %04b", has, offered)
			}
			if offered&(1|2|8) != 0 && rec.Header().Get("Set-Cookie") == "" {
				t.Errorf("%04b: nothing committed", has)
			}
			if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); !ok || u.Unwrap() == nil {
				t.Errorf("%04b: no Unwrap", has)
			}
		}))))
		for i, n := range calls {
			if n != has>>i&1 {
				t.Errorf("%04b: interface %d called %d times", has, i, n)
			}
		}
		wantCookies(t, headerOnly(rec), 1)
	}
}

// each way to send the header first commits.
func TestEverythingThatSendsTheHeaderCommits(t *testing.T) {
	for name, send := range map[string]func(w http.ResponseWriter){
		"WriteHeader":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
		"Write":            func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"WriteString":      func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"Flush":            func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller Flush": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"ReadFrom":         func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x")) },
		"end":              func(http.ResponseWriter) {},
		"Hijack":           func(w http.ResponseWriter) { hijackOK(t, w.(http.Hijacker).Hijack) },
		"controller Hijack": func(w http.ResponseWriter) {
			hijackOK(t, http.NewResponseController(w).Hijack)
		},
		"wrapped Flush":  func(w http.ResponseWriter) { _ = http.NewResponseController(onlyUnwrap{w}).Flush() },
		"wrapped Hijack": func(w http.ResponseWriter) { hijackOK(t, http.NewResponseController(onlyUnwrap{w}).Hijack) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, session.Options{}, nil)
			saves := make(chan int, 1)
			server := httptest.NewServer(s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.must(s.session(r).Update(increment))
				send(w)
				saves <- s.store.Calls("Save")
			})))
			defer server.Close()
			answer, err := get(t, server.Client(), server.URL)
			if !strings.Contains(name, "ijack") {
				s.must(err)
				wantCookies(t, answer, 1)
			}
			if saved := <-saves; name != "end" && saved != 1 {
				t.Errorf("%d saves when the header was sent", saved)
			}
		})
	}
}

func hijackOK(t *testing.T, hijack func() (net.Conn, *bufio.ReadWriter, error)) {
	t.Helper()
	conn, _, err := hijack()
	if err != nil {
		t.Errorf("Hijack: %v", err)
		return
	}
	_ = conn.Close()
}

// onlyUnwrap is what much middleware offers.
type onlyUnwrap struct{ http.ResponseWriter }

func (w onlyUnwrap) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func get(t *testing.T, c *http.Client, url string) (*answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	return readAnswer(got), nil
}

// Middleware between us and the server that offers Unwrap alone: the controller finds Flush and Hijack behind it, and
// must not pass us by.
func TestControllerCannotPassUsBy(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	h := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Flusher); ok {
			t.Error("offers what the wrapped writer does not")
		}
		s.must(s.session(r).Update(increment))
		c := http.NewResponseController(w)
		s.must(c.SetWriteDeadline(time.Now().Add(time.Minute)))
		s.must(c.EnableFullDuplex())
		if s.store.Calls("Save") != 0 {
			t.Error("a deadline commits")
		}
		s.must(c.Flush())
		if s.store.Calls("Save") != 1 {
			t.Error("the controller has passed the commit by")
		}
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(onlyUnwrap{w}, r) }))
	defer server.Close()
	answer, err := get(t, server.Client(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	wantCookies(t, answer, 1)
	// Where nothing inside flushes or hijacks, asking commits nothing.
	rec := httptest.NewRecorder()
	s.h.ServeHTTP(bare{rec}, s.browser().request(http.MethodGet).WithContext(context.WithValue(t.Context(), funcKey{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_, _, err := c.Hijack()
		if flush := c.Flush(); !errors.Is(flush, http.ErrNotSupported) || !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Flush %v, Hijack %v", flush, err)
		}
		s.must(s.session(r).Update(increment))
	}))))
	wantCookies(t, headerOnly(rec), 1)
}

func TestHTTP2(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	server := httptest.NewUnstartedServer(s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); ok || r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d, Hijacker %v", r.ProtoMajor, ok)
		}
		if _, ok := w.(http.Pusher); !ok {
			t.Error("no Pusher")
		}
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack: %v", err)
		}
		w.WriteHeader(http.StatusEarlyHints)
		s.must(s.session(r).Update(increment))
		s.must(http.NewResponseController(w).Flush())
		s.must(s.session(r).Update(increment))
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	answer, err := get(t, server.Client(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	wantCookies(t, answer, 1)
	b := s.browser()
	b.obey(answer)
	b.wantState("", 2)
}

func TestHandMadeWebSocketUpgrade(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	server := httptest.NewServer(s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.must(s.session(r).Update(increment))
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		defer func() { _ = conn.Close() }()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	})))
	defer server.Close()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
	in := bufio.NewReader(conn)
	upgrade, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = upgrade.Body.Close()
	got := &answer{StatusCode: upgrade.StatusCode, Header: upgrade.Header}
	wantStatus(t, got, http.StatusSwitchingProtocols)
	wantCookies(t, got, 1)
	_, _ = fmt.Fprintln(conn, "hello")
	if line, _ := in.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("got %q", line)
	}
}

func TestTimeoutHandlerInsideAndOutside(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	release := make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := s.session(r)
		s.must(got.Login(r.Context(), "ann", session.LoginOptions{}))
		if r.URL.Path == "/slow" {
			<-release
			_ = got.Update(increment)
		}
		_, _ = io.WriteString(w, "done")
	})
	for name, h := range map[string]http.Handler{
		"inside":  s.Handler(http.TimeoutHandler(slow, 50*time.Millisecond, "late")),
		"outside": http.TimeoutHandler(s.Handler(slow), 50*time.Millisecond, "late"),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		wantStatus(t, answerOf(w), http.StatusOK)
		wantCookies(t, answerOf(w), 1)
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/slow", nil))
		wantStatus(t, answerOf(w), http.StatusServiceUnavailable)
		if name == "inside" { // the login has committed: its cookie belongs into the 503
			wantCookies(t, answerOf(w), 1)
		}
	}
	close(release)
}

func TestServerSentEvents(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	next, seen := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		var last error
		b.clone().do(func(w http.ResponseWriter, r *http.Request) {
			got := s.session(r)
			w.Header().Set("Content-Type", "text/event-stream")
			s.must(http.NewResponseController(w).Flush())
			for range next {
				if last = got.Reload(r.Context()); last != nil {
					break
				}
				_, _ = fmt.Fprintf(w, "data: %d\n\n", got.Data().N)
				s.must(got.Update(increment)) // and the stream may write, too
				s.must(got.Save(r.Context()))
				seen <- struct{}{}
			}
		})
		done <- last
	}()
	for range 3 {
		b.increment()
		next <- struct{}{}
		<-seen
	}
	b.wantState("ann", 6)
	b.logout()
	next <- struct{}{}
	if err := <-done; !errors.Is(err, session.ErrRevoked) {
		t.Errorf("Reload after a logout: %v", err)
	}
}
