package session_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// The defects of other session packages, by the numbers of the design.

func TestRegressionS01LogoutIsNotUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, session.Options{}, nil)
		b := s.browser()
		b.login("ann")
		thief := b.clone()
		<-time.After(10 * time.Minute) // a touch is due
		reader := b.clone().start(nothing, nothing)
		writer := b.clone().start(func(s *session.Session[Data], _ *http.Request) { b.must(s.Update(increment)) }, nothing)
		b.logout()
		wantCookies(t, reader(), 0)
		answer := writer()
		wantStatus(t, answer, http.StatusUnauthorized)
		wantCookies(t, answer, 0)
		thief.wantState("", 0)
		for _, err := range s.List(t.Context(), "ann") {
			t.Errorf("the session is back: %v", err)
		}
	})
}

func TestRegressionS02RenewalIsNotUndone(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.login("ann")
	old := b.clone()
	slow := b.clone().start(func(s *session.Session[Data], _ *http.Request) { b.must(s.Update(increment)) }, nothing)
	b.get(func(s *session.Session[Data], r *http.Request) { b.must(s.Renew(r.Context())) })
	answer := slow()
	wantStatus(t, answer, http.StatusUnauthorized)
	wantCookies(t, answer, 0)
	old.wantState("", 0) // the old secret is dead
	b.wantState("ann", 0)
}

func TestRegressionS03NoUpdateIsLost(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.increment()
	var wg sync.WaitGroup
	for range 401 {
		wg.Go(func() { wantStatus(t, b.clone().increment(), http.StatusOK) })
	}
	wg.Wait()
	b.wantState("", 402)
	// Nine requests, nine keys, all loaded before any saves.
	var finish []func() *answer
	for i := range 9 {
		finish = append(finish, b.clone().start(func(s *session.Session[Data], _ *http.Request) {
			b.must(s.Update(func(d *Data) error {
				if d.Keys == nil {
					d.Keys = map[string]int{}
				}
				d.Keys[strconv.Itoa(i)] = i
				return nil
			}))
		}, nothing))
	}
	for _, f := range finish {
		wg.Go(func() { f() })
	}
	wg.Wait()
	b.get(func(s *session.Session[Data], _ *http.Request) {
		if n := len(s.Data().Keys); n != 9 {
			t.Errorf("%d of 9 keys", n)
		}
	})
	if st := s.Stats(); st.Conflicts < 8 || st.Replays < 8 {
		t.Errorf("%d conflicts, %d replays: the schedule did not happen", st.Conflicts, st.Replays)
	}
}

func TestRegressionS04FlushSendsTheCookie(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	answer := b.do(func(w http.ResponseWriter, r *http.Request) {
		s.must(s.session(r).Update(increment))
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "data: x\n\n")
	})
	wantCookies(t, answer, 1)
	b.wantState("", 1)
}

func TestRegressionS05EarlyHintsAreNotTheHeader(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	server := httptest.NewServer(s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		s.must(s.session(r).Update(increment))
		w.WriteHeader(http.StatusAccepted)
	})))
	defer server.Close()
	hints := 0
	ctx := httptraceGot1xx(t.Context(), func(_ int, header textproto.MIMEHeader) {
		hints++
		if len(header["Set-Cookie"]) > 0 {
			t.Error("cookie in the early hints")
		}
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer := readAnswer(response)
	wantStatus(t, answer, http.StatusAccepted)
	wantCookies(t, answer, 1)
	if hints != 1 {
		t.Errorf("%d early hints arrived", hints)
	}
}

func TestRegressionS06LateChangeIsKeptOrRefused(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	answer := b.do(func(w http.ResponseWriter, r *http.Request) {
		got := s.session(r)
		_, _ = io.WriteString(w, "page")
		if err := got.Update(increment); !errors.Is(err, session.ErrCommitted) {
			t.Errorf("an update that needs a cookie after the header: %v, want ErrCommitted", err)
		}
		if err := got.Login(r.Context(), "ann", session.LoginOptions{}); !errors.Is(err, session.ErrCommitted) {
			t.Errorf("a login after the header: %v, want ErrCommitted", err)
		}
	})
	wantCookies(t, answer, 0)
	b.wantState("", 0)
	b.increment()
	b.do(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "page")
		got := s.session(r) // Get after the header, too
		s.must(got.Update(increment))
		if err := got.Renew(r.Context()); !errors.Is(err, session.ErrCommitted) {
			t.Errorf("a renewal after the header: %v, want ErrCommitted", err)
		}
	})
	b.wantState("", 2)
}

func TestRegressionS07FailedCommitReplacesThePage(t *testing.T) {
	broken := errors.New("disk on fire")
	var fail bool
	s := newSite(t, session.Options{}, func(c sessiontest.Call) sessiontest.Fault {
		if fail && c.Op == "Save" {
			return sessiontest.Fault{Before: broken}
		}
		return sessiontest.Fault{}
	})
	b := s.browser()
	b.increment()
	fail = true
	answer := b.do(func(w http.ResponseWriter, r *http.Request) {
		s.must(s.session(r).Update(increment))
		h := w.Header()
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "ETag", "Last-Modified", "Cache-Control", "Location"} {
			h.Set(name, "x")
		}
		h.Set("X-Mine", "stays")
		w.WriteHeader(http.StatusCreated)
		for range 2 {
			if _, err := io.WriteString(w, "welcome"); !errors.Is(err, broken) {
				t.Errorf("Write after a failed commit: %v", err)
			}
		}
	})
	wantStatus(t, answer, http.StatusServiceUnavailable)
	wantCookies(t, answer, 0)
	if got := answer.Body; got != "Service Unavailable\n" {
		t.Errorf("body %q", got)
	}
	for name, want := range map[string]string{"X-Mine": "stays", "Etag": "", "Location": "", "Content-Encoding": "", "Cache-Control": "no-store", "Retry-After": "1"} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if st := s.Stats(); st.CommitErrors != 1 || st.StoreErrors != 1 || st.Replays != 0 {
		t.Errorf("%+v", st)
	}
	fail = false
	b.wantState("", 1)
}

func TestRegressionS08ChangedTypeLogsNobodyOut(t *testing.T) {
	var events []session.Event
	opts := session.Options{OnEvent: func(_ context.Context, e session.Event) { events = append(events, e) }}
	s := newSite(t, opts, nil)
	b := s.browser()
	b.increment()
	b.login("ann")
	// The next release has another type.
	next, err := session.New[struct{ N []string }](s.store, opts)
	if err != nil {
		t.Fatal(err)
	}
	events = nil
	for range 2 {
		h := next.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, err := next.Get(r.Context())
			if err != nil || got.UserID() != "ann" {
				t.Errorf("user %q, %v", got.UserID(), err)
			}
			for range 2 {
				if got.Data().N != nil {
					t.Error("data of another type")
				}
			}
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, b.request(http.MethodGet))
		wantStatus(t, answerOf(w), http.StatusOK)
	}
	if len(events) != 2 || events[0].Kind != session.EventDataReset || events[0].Err == nil || next.Stats().DataResets != 2 {
		t.Errorf("events %v", events)
	}
	b.wantState("ann", 1) // the bytes stay until an update
}

func TestRegressionS09ReaderFromIsKept(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	w := &sendfile{ResponseRecorder: httptest.NewRecorder()}
	r := s.browser().request(http.MethodGet)
	s.h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), funcKey{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.must(s.session(r).Update(increment))
		_, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("file")})
		s.must(err)
	}))))
	if w.calls != 1 {
		t.Errorf("ReadFrom of the wrapped writer called %d times", w.calls)
	}
	wantCookies(t, answerOf(w.ResponseRecorder), 1)
}

type sendfile struct {
	*httptest.ResponseRecorder
	calls int
}

func (w *sendfile) ReadFrom(r io.Reader) (int64, error) {
	w.calls++
	return io.Copy(struct{ io.Writer }{w.ResponseRecorder}, r)
}

func TestRegressionS11SweepDoesNotStopTraffic(t *testing.T) {
	store := memory(t, session.MemoryOptions{MaxSessions: 400_000, MaxBytes: 1 << 30})
	n := 200_000
	if testing.Short() || raceEnabled {
		n = 20_000
	}
	dead := make([]session.Record, n)
	expiry := time.Now()
	for i := range dead {
		dead[i] = record("u", time.Hour, 1)
		dead[i].ExpiresAt = expiry
	}
	for _, rec := range dead {
		_ = store.Save(t.Context(), rec)
	}
	held := store.Len()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := store.Sweep(t.Context(), n); err != nil {
			t.Error(err)
		}
	}()
	saves := 0
	for running := true; running; saves++ {
		select {
		case <-done:
			running = false
		default:
			if err := store.Save(t.Context(), record("v", time.Hour, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d saves while %d records were swept", saves, held)
	if left := store.Len(); left > saves+1 {
		t.Errorf("%d records left after %d saves", left, saves)
	}
}

func TestRegressionS13DisconnectedClientKeepsItsUpdate(t *testing.T) {
	s := newSite(t, session.Options{}, nil)
	b := s.browser()
	b.increment()
	ctx, cancel := context.WithCancel(t.Context())
	b.send(b.request(http.MethodGet).WithContext(ctx), func(_ http.ResponseWriter, r *http.Request) {
		s.must(s.session(r).Update(increment))
		cancel()
	})
	b.wantState("", 2)
}

func TestRegressionS14SecureByDefault(t *testing.T) {
	store := memory(t, session.MemoryOptions{})
	m, err := session.New[Data](store, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Manager: m, t: t, h: m.Handler(runNamed{})}
	b := s.browser()
	var token string
	var id session.ID
	answer := b.get(func(s *session.Session[Data], r *http.Request) {
		b.must(s.Login(r.Context(), "ann", session.LoginOptions{}))
		token, id = s.Token(), s.ID()
	})
	want := "__Host-Http-session=" + token + "; Path=/; HttpOnly; Secure; SameSite=Lax"
	if got := setCookies(answer); len(got) != 1 || got[0] != want {
		t.Errorf("Set-Cookie %q,\nwant %q", got, want)
	}
	if len(token) != 64 {
		t.Errorf("token of %d characters, want 64: 128 bits of ID and 256 of secret", len(token))
	}
	rec, err := store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	raw := decodeBase64(t, token)
	if strings.Contains(string(rec.Payload), string(raw[16:])) || strings.Contains(string(rec.Payload), token) {
		t.Error("the secret is stored")
	}
}
