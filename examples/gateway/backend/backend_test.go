package backend

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/session"
)

func store(tb testing.TB) session.Store {
	tb.Helper()
	s, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func machine(tb testing.TB, s session.Store) *Machine {
	tb.Helper()
	m, err := New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// probe is what gateways send; it returns the status of the answer.
func (m *Machine) probe(tb testing.TB, gateway string, inFlight int) int {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, proxy.ReadyPath, nil)
	r.Header.Set(proxy.GatewayHeader, gateway)
	r.Header.Set(proxy.InFlightHeader, strconv.Itoa(inFlight))
	out := httptest.NewRecorder()
	m.server.Handler.ServeHTTP(out, r)
	return out.Code
}

func TestAMachineStopsWhenEveryGatewayHasSaidThatItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := machine(t, store(t))
		if m.probe(t, "gw-1", 0) != 200 || m.probe(t, "gw-2", 3) != 200 {
			t.Error("not ready")
		}
		stopped := false
		go func() {
			if err := m.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			stopped = true
		}()
		step := func(gateway string, inFlight int, want bool) {
			t.Helper()
			synctest.Wait()
			if code := m.probe(t, gateway, inFlight); code != 503 {
				t.Errorf("%s is told %d", gateway, code)
			}
			synctest.Wait()
			if stopped != want {
				t.Fatalf("stopped=%v after %s said %d", stopped, gateway, inFlight)
			}
		}
		step("gw-1", 0, false) // is told only now, and may have sent something meanwhile
		step("gw-2", 2, false)
		step("gw-1", 0, false) // done
		step("gw-2", 1, false)
		step("gw-2", 0, true)
	})
}

func TestNobodyWaitsForAGatewayThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := machine(t, store(t))
		m.probe(t, "gw-1", 3)
		began := time.Now()
		if err := m.Stop(t.Context()); err != nil || time.Since(began) < lost || time.Since(began) > 2*lost {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestPatienceWithABusyGatewayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := machine(t, store(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		ended := make(chan error, 1)
		m.probe(t, "gw-1", 1)
		go func() { ended <- m.Stop(ctx) }()
		for {
			select {
			case err := <-ended:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				return
			case <-tick.C:
				m.probe(t, "gw-1", 1)
			}
		}
	})
}

// TestWorkUnderWayIsFinishedByStopAndCutByKill needs no gateway: it is about clients that come directly.
func TestWorkUnderWayIsFinishedByStopAndCutByKill(t *testing.T) {
	for _, kill := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			network, m := fakenet.New(1), machine(t, store(t))
			defer network.Close()
			listener, err := network.Listen("a")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- m.Serve(listener) }()
			conn, err := network.Dial(t.Context(), "client", "a")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("POST /work?ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			answered := make(chan string, 1)
			go func() {
				buffer := make([]byte, 100)
				n, _ := conn.Read(buffer) // an error shows in what was read
				answered <- string(buffer[:n])
			}()
			synctest.Wait()
			if kill {
				err = m.Kill()
			} else {
				err = m.Stop(t.Context())
			}
			if answer := <-answered; err != nil || strings.HasPrefix(answer, "HTTP/1.1 204") == kill {
				t.Errorf("kill=%v: %v, %q", kill, err, answer)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// visit sends a form with a cookie and returns the answer and the cookie of the next request.
func visit(tb testing.TB, m *Machine, path, cookie string, form ...string) (int, string, string) {
	tb.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	method := http.MethodPost
	if path == "/me" {
		method = http.MethodGet
	}
	r := httptest.NewRequestWithContext(tb.Context(), method, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	out := httptest.NewRecorder()
	m.server.Handler.ServeHTTP(out, r)
	for _, c := range out.Result().Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return out.Code, out.Body.String(), cookie
}

func TestMachinesOfOneStoreAreExchangeable(t *testing.T) {
	shared := store(t)
	a, b, alone := machine(t, shared), machine(t, shared), machine(t, store(t))
	_, body, cookie := visit(t, a, "/login", "", "user", "ada")
	if !strings.Contains(body, `"user":"ada"`) {
		t.Fatal(body)
	}
	visit(t, b, "/cart", cookie, "item", "tea")
	if _, body, _ = visit(t, a, "/cart", cookie, "item", "cup"); !strings.Contains(body, `["tea","cup"]`) {
		t.Errorf("a shows %s", body)
	}
	if _, body, _ := visit(t, alone, "/me", cookie); !strings.Contains(body, `"user":""`) {
		t.Errorf("a machine with a store of its own knows %s", body)
	}
	visit(t, b, "/logout", cookie)
	if _, body, _ := visit(t, a, "/me", cookie); !strings.Contains(body, `"user":""`) {
		t.Errorf("after the logout a shows %s", body)
	}
}

// away is a store that fails.
type away struct{ session.Store }

func (away) Load(context.Context, session.ID) (session.Record, error) {
	return session.Record{}, errors.New("connection refused: 10.0.0.7")
}

func TestAStoreThatIsAwayIs503AndKeepsItsWordsToItself(t *testing.T) {
	shared := store(t)
	_, _, cookie := visit(t, machine(t, shared), "/login", "", "user", "ada")
	status, body, after := visit(t, machine(t, away{shared}), "/me", cookie)
	if status != 503 || strings.Contains(body, "10.0.0.7") || after != cookie {
		t.Errorf("%d %s", status, body)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	m := machine(t, store(t))
	_, _, cookie := visit(t, m, "/login", "", "user", "ada")
	for _, c := range []struct {
		path, name, value string
		status            int
	}{
		{"/login", "user", "", 400},
		{"/login", "user", strings.Repeat("x", 101), 400},
		{"/cart", "item", "", 400},
		{"/cart", "item", strings.Repeat("x", 101), 400},
		{"/work", "ms", "-1", 400},
		{"/work", "ms", "10001", 400},
		{"/work", "ms", "soon", 400},
		{"/work", "ms", "0", 204},
		{"/nothing", "", "", 404},
	} {
		if status, _, _ := visit(t, m, c.path, cookie, c.name, c.value); status != c.status {
			t.Errorf("%s %s=%.20s: %d, want %d", c.path, c.name, c.value, status, c.status)
		}
	}
}
