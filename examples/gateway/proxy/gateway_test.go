package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/ratelimit"
)

// world is a network with machines that a test writes, and the gateway before them, inside a synctest bubble.
type world struct {
	*Gateway
	t       *testing.T
	network *fakenet.Network
	servers map[string]*http.Server
}

func newWorld(t *testing.T, o Options, machines map[string]http.HandlerFunc) *world {
	t.Helper()
	w := &world{t: t, network: fakenet.New(1), servers: map[string]*http.Server{}}
	for name, handler := range machines {
		o.Machines = append(o.Machines, Machine{Name: name, URL: "http://" + name})
		if handler != nil {
			w.start(name, handler)
		}
	}
	ids, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.IDs = "gw", ids
	if o.Policy == "" {
		o.Policy = "round"
	}
	if o.Limit.Backend == nil {
		o.Limit.Backend = table(t, ratelimit.PerSecond(1_000_000))
	}
	o.Dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return w.network.Dial(ctx, "gw", host)
	}
	if w.Gateway, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		for name := range w.servers {
			w.kill(name)
		}
		w.network.Close()
		if err := ids.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return w
}

func table(tb testing.TB, l ratelimit.Limit) ratelimit.Backend {
	tb.Helper()
	k, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{l}, ratelimit.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return ratelimit.Local(k)
}

func (w *world) start(name string, handler http.HandlerFunc) {
	w.t.Helper()
	listener, err := w.network.Listen(name)
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	w.servers[name] = server
	go func() { _ = server.Serve(listener) }() // ends when the test closes it
}

func (w *world) kill(name string) {
	w.network.Kill(name)
	_ = w.servers[name].Close() // its listener is closed already
}

func (w *world) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "http://shop.example"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	out := httptest.NewRecorder()
	w.ServeHTTP(out, r)
	return out
}

// echo answers with what it got, and with 200 to probes.
func echo(out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	out.Header().Set("X-Seen-Host", r.Host)
	out.Header().Set("X-Seen-For", r.Header.Get("X-Forwarded-For"))
	out.Header().Set("X-Seen-Id", r.Header.Get(RequestHeader))
	out.Header().Set("X-Seen-Probe", r.Header.Get(GatewayHeader)+r.Header.Get(InFlightHeader))
	_, _ = out.Write(body)
}

func TestARequestThatCouldNotBeSentGoesElsewhereBodyAndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{}, map[string]http.HandlerFunc{"a": echo, "b": echo})
		w.kill("a")
		for range 4 {
			got := w.do("POST", "/", "two teapots")
			if got.Code != 200 || got.Body.String() != "two teapots" || got.Header().Get(MachineHeader) != "b" {
				t.Fatalf("%d %s from %s", got.Code, got.Body, got.Header().Get(MachineHeader))
			}
		}
		w.kill("b")
		synctest.Wait() // the gateway has seen that its idle connections broke
		if got := w.do("POST", "/", "two teapots"); got.Code != 503 || got.Header().Get("Retry-After") != "1" {
			t.Errorf("nobody is there, yet %d", got.Code)
		}
		w.start("a", echo)
		<-time.After(time.Second) // virtual time: the next probe
		if got := w.do("GET", "/", ""); got.Code != 200 || got.Header().Get(MachineHeader) != "a" {
			t.Errorf("a is back, yet %d", got.Code)
		}
	})
}

func TestARequestThatBrokeOffIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var orders atomic.Int64
		var w *world
		w = newWorld(t, Options{}, map[string]http.HandlerFunc{"b": echo, "a": func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				orders.Add(1)
				w.network.Kill("a")
			}
		}})
		got := [2]*httptest.ResponseRecorder{w.do("POST", "/", "one teapot"), w.do("POST", "/", "one teapot")}
		if got[0].Code != 502 || got[1].Code != 200 || orders.Load() != 1 {
			t.Errorf("%d, %d, %d orders", got[0].Code, got[1].Code, orders.Load())
		}
		for _, s := range w.Pool.Status() {
			if s.InFlight != 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestMachinesSeeWhereARequestComesFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{}, map[string]http.HandlerFunc{"a": echo})
		first := w.do("GET", "/", "", "X-Forwarded-For", "6.6.6.6", RequestHeader, "forged").Header()
		second := w.do("GET", "/", "").Header()
		if forged := w.do("GET", ReadyPath, "", GatewayHeader, "gw", InFlightHeader, "0").Header().Get("X-Seen-Probe"); forged != "" {
			t.Errorf("a client speaks for a gateway: %s", forged)
		}
		if first.Get("X-Seen-Host") != "shop.example" || first.Get("X-Seen-For") != "192.0.2.1" {
			t.Errorf("%v", first)
		}
		if id := first.Get(RequestHeader); id == "forged" || id == "" || id != first.Get("X-Seen-Id") || id == second.Get(RequestHeader) {
			t.Errorf("numbers %q and %q", id, second.Get(RequestHeader))
		}
	})
}

func TestRequestsHaveNumbersAlsoWhenTheGeneratorFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{}, map[string]http.HandlerFunc{"a": echo})
		w.ids = broken{}
		if got := w.do("GET", "/", ""); got.Code != 200 || len(got.Header().Get(RequestHeader)) < 20 {
			t.Errorf("%d, number %q", got.Code, got.Header().Get(RequestHeader))
		}
	})
}

type broken struct{ idgen.Generator }

func (broken) Next(context.Context) (idgen.ID, error) { return 0, errors.New("the lease is lost") }

// TestProbesTellStateAndRequestsInFlight also shows that the number which follows the answer "draining" is final.
func TestProbesTellStateAndRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		status.Store(200)
		release, said := make(chan struct{}), make(chan string, 100)
		machine := func(out http.ResponseWriter, r *http.Request) {
			if r.URL.Path == ReadyPath {
				said <- r.Header.Get(GatewayHeader) + " " + r.Header.Get(InFlightHeader)
				out.WriteHeader(int(status.Load()))
				return
			}
			<-release
		}
		w := newWorld(t, Options{Probe: time.Second}, map[string]http.HandlerFunc{"a": machine})
		go w.do("POST", "/work", "")
		expect := func(want string) {
			t.Helper()
			<-time.After(time.Second) // virtual time: a probe
			synctest.Wait()
			if got := <-said; got != want {
				t.Errorf("a probe said %q, want %q", got, want)
			}
		}
		<-said // that of Open
		synctest.Wait()
		expect("gw 1")
		status.Store(503)
		expect("gw 1") // and is told
		if got := w.do("GET", "/", ""); got.Code != 503 {
			t.Errorf("a draining machine got a request: %d", got.Code)
		}
		expect("gw 1")
		close(release)
		expect("gw 0")
		status.Store(500)
		expect("gw 0")
		if s := w.Pool.status("a"); s.State != Down {
			t.Errorf("%+v", s)
		}
		status.Store(200)
		expect("gw 0")
		if err := w.Pool.Await(t.Context(), "a", Ready); err != nil {
			t.Error(err)
		}
	})
}

func TestAMachineThatHangsIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := newWorld(t, Options{}, map[string]http.HandlerFunc{"b": echo, "a": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
		if s := w.Pool.status("a"); s.State != Down || time.Since(began) != probeTime {
			t.Errorf("%+v after %v", s, time.Since(began))
		}
		if got := w.do("GET", "/", ""); got.Code != 200 {
			t.Errorf("got %d", got.Code)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Pool.Await(ctx, "a", Ready); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAffinityIsACookieOrAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Policy: "hash"}, map[string]http.HandlerFunc{"a": echo, "b": echo, "c": echo})
		for range 10 {
			first := w.do("GET", "/", "")
			cookie, _, _ := strings.Cut(first.Header().Get("Set-Cookie"), ";")
			if !strings.HasPrefix(cookie, affinityCookie+"=") {
				t.Fatalf("no cookie: %v", first.Header())
			}
			for range 5 {
				next := w.do("GET", "/", "", "Cookie", cookie)
				if next.Header().Get(MachineHeader) != first.Header().Get(MachineHeader) || next.Header().Get("Set-Cookie") != "" {
					t.Errorf("%v after %v", next.Header(), first.Header())
				}
			}
		}
		if got := w.do("GET", "/", "", "Authorization", "Bearer ada"); got.Header().Get("Set-Cookie") != "" {
			t.Errorf("a client with a name needs no cookie: %v", got.Header())
		}
		if got := newWorld(t, Options{}, map[string]http.HandlerFunc{"a": echo}).do("GET", "/", ""); got.Header().Get("Set-Cookie") != "" {
			t.Errorf("round needs no cookie: %v", got.Header())
		}
	})
}

// silent is a store that takes requests and never answers.
type silent struct{ ratelimit.Backend }

func (silent) Take(ctx context.Context, _ string, _ int) (ratelimit.Decision, error) {
	<-ctx.Done()
	return ratelimit.Decision{}, ctx.Err()
}

func TestASilentStoreCostsItsDeadline(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := Limit{Backend: Within(50*time.Millisecond, silent{table(t, ratelimit.PerSecond(1))}), Closed: closed}
			w := newWorld(t, Options{Limit: l}, map[string]http.HandlerFunc{"a": echo})
			began := time.Now()
			got := w.do("GET", "/", "")
			if took := time.Since(began); took != 50*time.Millisecond || got.Header().Get(UnlimitedHeader) != "unavailable" {
				t.Errorf("closed=%v: %v, %v", closed, took, got.Header())
			}
			if want := map[bool]int{false: 200, true: 503}[closed]; got.Code != want || closed != (got.Header().Get("Retry-After") == "1") {
				t.Errorf("closed=%v: %d", closed, got.Code)
			}
		})
	}
}

func TestALimitIsForAUserOrAnAddressAndWorkCostsTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Limit: Limit{Backend: table(t, ratelimit.PerSecond(1).WithBurst(20))}}, map[string]http.HandlerFunc{"a": echo})
		for _, step := range []struct{ method, path, user, left string }{
			{"POST", "/work", "ada", "10"},
			{"GET", "/work", "ada", "9"},
			{"GET", "/me", "eve", "19"},
			{"GET", "/me", "", "19"},
			{"POST", "/me", "", "18"},
			{"POST", "/work", "ada", "9"}, // denied, and charges nothing
		} {
			var header []string
			if step.user != "" {
				header = []string{"Authorization", "Bearer " + step.user}
			}
			got := w.do(step.method, step.path, "", header...)
			if denied := step.left == "9" && step.method == "POST"; got.Header().Get("X-RateLimit-Remaining") != step.left || (got.Code == 429) != denied {
				t.Errorf("%+v: %d %v", step, got.Code, got.Header())
			}
		}
		if got := w.do("GET", StatusPath, ""); got.Code != 200 || got.Header().Get("X-RateLimit-Limit") != "" || !strings.Contains(got.Body.String(), `"state":"ready"`) {
			t.Errorf("status: %d %s", got.Code, got.Body)
		}
	})
}

func TestABadURLIsRefused(t *testing.T) {
	for _, u := range []string{"", "a:1", "https://a", "http://", "http://%"} {
		if _, err := Open(t.Context(), Options{Policy: "round", Machines: []Machine{{Name: "a", URL: u}}}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", u, err)
		}
	}
}
