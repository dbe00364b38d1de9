package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

type data struct{ N int }

func increment(d *data) error { d.N++; return nil }

// lostUpdates increments one session from several managers and compares the sum.
func lostUpdates(t *testing.T, stores []session.Store) {
	t.Helper()
	var managers []*session.Manager[data]
	for _, st := range stores {
		m, err := session.New[data](st, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		managers = append(managers, m)
	}
	ctx := t.Context()
	first, _ := managers[0].Lookup(ctx, "")
	if err := first.Login(ctx, "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	const workers, each = 6, 15
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			m := managers[w%len(managers)]
			for range each {
				s, err := m.Lookup(ctx, first.Token())
				if err == nil {
					if err = s.Update(increment); err == nil {
						err = s.Save(ctx)
					}
				}
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s, err := managers[0].Lookup(ctx, first.Token())
	if err != nil || s.Data().N != workers*each {
		t.Errorf("n = %d, %v, want %d", s.Data().N, err, workers*each)
	}
	var conflicts uint64
	for _, m := range managers {
		conflicts += m.Stats().Conflicts
	}
	t.Logf("%d updates, %d conflicts", workers*each, conflicts)
}

// The server is killed and restarted under load. Requests fail with 503 meanwhile, no browser loses its cookie, and
// afterwards every acknowledged update is there.
func TestKillAndRestartUnderLoad(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		t.Helper()
		if d.server == nil {
			t.Skip("SQLite has no server to kill")
		}
		m, err := session.New[data](d.store(t, d.open(t, "")), session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := m.Get(r.Context())
			if err == nil {
				err = s.Update(increment)
			}
			if err != nil {
				http.Error(w, "try again", http.StatusServiceUnavailable)
			}
		}))
		const browsers = 4
		var wg sync.WaitGroup
		var mu sync.Mutex
		acknowledged, refused := 0, 0
		ctx, cancel := context.WithCancel(t.Context())
		var starts []chan struct{}
		for range browsers {
			s, _ := m.Lookup(t.Context(), "")
			if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
				t.Fatal(err)
			}
			going := make(chan struct{})
			starts = append(starts, going)
			wg.Go(func() {
				ok, unknown := 0, 0
				for ctx.Err() == nil {
					r := httptest.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "/", nil)
					r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: s.Token()})
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if len(w.Header()["Set-Cookie"]) > 0 {
						t.Errorf("a cookie in an outage: %v", w.Header())
					}
					switch w.Code {
					case http.StatusOK:
						ok++
						if ok == 5 {
							close(going)
						}
					case http.StatusServiceUnavailable:
						unknown++
						<-time.After(10 * time.Millisecond)
					default:
						t.Errorf("status %d", w.Code)
					}
				}
				got, err := m.Lookup(context.WithoutCancel(ctx), s.Token())
				if err != nil || got.Data().N < ok || got.Data().N > ok+unknown {
					t.Errorf("n = %d after %d acknowledged and %d refused updates: %v", got.Data().N, ok, unknown, err)
				}
				mu.Lock()
				defer mu.Unlock()
				acknowledged, refused = acknowledged+ok, refused+unknown
			})
		}
		for _, going := range starts {
			<-going
		}
		d.server.Kill()
		d.server.Restart()
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			s, err := m.Lookup(t.Context(), "")
			if err == nil {
				if err = s.Update(increment); err == nil {
					err = s.Save(t.Context())
				}
			}
			if err == nil {
				break
			}
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%v", err)
			}
			<-time.After(50 * time.Millisecond)
		}
		<-time.After(200 * time.Millisecond)
		cancel()
		wg.Wait()
		t.Logf("%d updates acknowledged, %d refused", acknowledged, refused)
	})
}
