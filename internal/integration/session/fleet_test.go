package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// A fleet of three processes serves browsers through a proxy that gives each request to the next process. Processes
// are killed and started again, and one store call in twenty fails, before or after it has happened. Nothing is
// sticky.

const (
	fleetSize     = 3
	fleetFaults   = 0.05
	fleetBrowsers = 6
	fleetLag      = 300 * time.Millisecond // TTL of the cached fleet
	fleetEnv      = "SESSION_FLEET"        // store kind | address or folder
)

// profile is the data of a session: whose it is, and a counter of its updates.
type profile struct {
	Owner string
	N     int
}

// page is what a server answers.
type page struct {
	User, Owner string
	N           int
}

// fleetStore opens the store of a server.
func fleetStore(t *testing.T, kind, where string) session.Store {
	t.Helper()
	overRedis := func(prefix string) session.Store {
		c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: strings.Split(where, ",")})
		t.Cleanup(func() { _ = c.Close() })
		s, err := redissession.New(c.Do, redissession.Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	must := func(s session.Store, err error) session.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	switch kind {
	case "redis", "cluster":
		return overRedis("")
	case "file":
		return must(session.NewFileStore(where, session.FileOptions{NoSync: true}))
	case "cached":
		return must(session.NewCachedStore(overRedis(""), session.CacheOptions{TTL: fleetLag}))
	case "all":
		keys, err := session.NewKeyring([]byte(strings.Repeat("k", 32)))
		if err != nil {
			t.Fatal(err)
		}
		shards := map[string]session.Store{}
		for _, name := range []string{"a", "b"} {
			shards[name] = must(session.NewReplicatedStore(overRedis(name+":"), nil))
		}
		s := must(session.NewShardedStore(shards, session.ShardOptions{}))
		s = must(session.NewCachedStore(s, session.CacheOptions{TTL: fleetLag}))
		return must(session.NewEncryptedStore(s, keys))
	}
	t.Fatalf("no store %q", kind)
	return nil
}

// TestFleetServer is a process of the fleet; it serves until it is killed.
func TestFleetServer(t *testing.T) {
	kind, where, ok := strings.Cut(os.Getenv(fleetEnv), "|")
	if !ok {
		t.Skip("run by TestFleet")
	}
	boom := errors.New("injected")
	faulty := sessiontest.Faulty(fleetStore(t, kind, where), func(sessiontest.Call) sessiontest.Fault {
		switch p := rand.Float64(); {
		case p < fleetFaults/2:
			return sessiontest.Fault{Before: boom}
		case p < fleetFaults:
			return sessiontest.Fault{After: boom}
		}
		return sessiontest.Fault{}
	})
	var store session.Store = faulty
	if kind == "all" {
		// Its stamps must reach the manager, which asks what is in front: the faults go into the middle here.
		store = stampedFaults{faulty, fleetStore(t, kind, where).(session.FreshLoader)}
	}
	m, err := session.New[profile](store, session.Options{Transport: session.Cookie{Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nserving %s\n", l.Addr())
	srv := &http.Server{Handler: fleetHandler(m), ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		_ = srv.Close()
	}()
	_ = srv.Serve(l)
}

// stampedFaults loads by version from a second store of the same kind, whose cache is one of its own: as if this were
// two processes more.
type stampedFaults struct {
	*sessiontest.FaultyStore
	fresh session.FreshLoader
}

func (s stampedFaults) LoadAtLeast(ctx context.Context, id session.ID, version uint64) (session.Record, error) {
	if rand.Float64() < fleetFaults {
		return session.Record{}, errors.New("injected")
	}
	return s.fresh.LoadAtLeast(ctx, id, version)
}

func fleetHandler(m *session.Manager[profile]) http.Handler {
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Get(r.Context())
		user := r.URL.Query().Get("user")
		switch {
		case err != nil:
		case r.URL.Path == "/login":
			err = s.Update(func(p *profile) error { *p = profile{Owner: user}; return nil })
			if err == nil {
				err = s.Login(r.Context(), user, session.LoginOptions{})
			}
		case s.UserID() == "":
			err = session.ErrLoginRequired
		case r.URL.Path == "/add":
			err = s.Update(func(p *profile) error { p.N++; return nil })
		case r.URL.Path == "/logout":
			err = s.Logout(r.Context())
		}
		switch {
		case errors.Is(err, session.ErrLoginRequired):
			http.Error(w, "log in", http.StatusUnauthorized)
		case err != nil:
			http.Error(w, "try again", http.StatusServiceUnavailable)
		default:
			_ = json.NewEncoder(w).Encode(page{s.UserID(), s.Data().Owner, s.Data().N})
		}
	}))
}

// fleet is the servers behind a round-robin proxy.
type fleet struct {
	env     string
	servers [fleetSize]atomic.Pointer[fleetServer]
	next    atomic.Uint32
	served  [fleetSize]atomic.Int64
}

type fleetServer struct {
	cmd   *exec.Cmd
	stdin io.Closer
	proxy *httputil.ReverseProxy
}

func (f *fleet) start(t *testing.T, i int) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestFleetServer$")
	cmd.Env = append(os.Environ(), fleetEnv+"="+f.env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	for addr == "" {
		line := make([]byte, 512)
		n, err := out.Read(line)
		if err != nil {
			t.Fatalf("the server does not start: %v", err)
		}
		if _, after, ok := strings.Cut(string(line[:n]), "serving "); ok {
			addr, _, _ = strings.Cut(after, "\n")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	f.servers[i].Store(&fleetServer{cmd, in, proxy})
}

func (f *fleet) kill(i int) {
	if s := f.servers[i].Load(); s != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		_ = s.stdin.Close()
	}
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := int(f.next.Add(1)) % fleetSize
	f.served[i].Add(1)
	f.servers[i].Load().proxy.ServeHTTP(w, r)
}

func TestFleet(t *testing.T) {
	for kind, lag := range map[string]time.Duration{"redis": 0, "cluster": 0, "file": 0, "cached": fleetLag, "all": fleetLag} {
		t.Run(kind, func(t *testing.T) {
			var where string
			switch kind {
			case "file":
				where = t.TempDir()
			case "cluster":
				nodes := servers.RedisCluster(t, fleetSize)
				where = strings.Join([]string{nodes[0].Addr, nodes[1].Addr, nodes[2].Addr}, ",")
			default:
				where = servers.Redis(t).Addr
			}
			runFleet(t, kind+"|"+where, lag)
		})
	}
}

func runFleet(t *testing.T, env string, lag time.Duration) {
	t.Helper()
	f := &fleet{env: env}
	for i := range fleetSize {
		f.start(t, i)
	}
	t.Cleanup(func() {
		for i := range fleetSize {
			f.kill(i)
		}
	})
	front := httptest.NewServer(f)
	defer front.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	var wg sync.WaitGroup
	var total tally
	for n := range fleetBrowsers {
		wg.Go(func() {
			b := &fleetBrowser{t: t, url: front.URL, user: fmt.Sprint("user-", n), lag: lag, rng: rand.New(rand.NewPCG(rand.Uint64(), 1))}
			for ctx.Err() == nil && !t.Failed() {
				b.visit(ctx, &total)
			}
		})
	}
	kills := 0
	for ctx.Err() == nil {
		<-time.After(rand.N(500 * time.Millisecond))
		i := rand.IntN(fleetSize)
		f.kill(i)
		f.start(t, i)
		kills++
		// On a slow machine it takes longer until enough has happened.
		if time.Since(began) > 4*time.Second && kills >= 3 && total.acked.Load() >= 100 && total.logouts.Load() >= 5 {
			cancel()
		}
	}
	wg.Wait()
	t.Logf("%d kills; %d visits, %d logouts; updates: %d acknowledged, %d unknown; sessions gone: %d; requests by server: %d %d %d", kills,
		total.visits.Load(), total.logouts.Load(), total.acked.Load(), total.unknown.Load(), total.gone.Load(),
		f.served[0].Load(), f.served[1].Load(), f.served[2].Load())
	if total.logouts.Load() < 5 || total.unknown.Load() == 0 {
		t.Error("too little has happened for the test to mean something")
	}
	for i := range fleetSize {
		if f.served[i].Load() == 0 {
			t.Errorf("server %d has served nothing", i)
		}
	}
}

type tally struct{ visits, acked, unknown, logouts, gone atomic.Int64 }

// fleetBrowser visits again and again: log in, update, in parallel too, log out.
type fleetBrowser struct {
	t     *testing.T
	url   string
	user  string
	lag   time.Duration
	rng   *rand.Rand
	mu    sync.Mutex
	token string
}

// get sends one request with a token; the answer is a page if the status is 200.
func (b *fleetBrowser) get(path, token string) (int, page) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Error(err)
		return 0, page{}
	}
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, page{} // a server was killed while it answered
	}
	defer resp.Body.Close()
	var p page
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return 0, page{}
		}
		if path != "/logout" && (p.User != b.user || p.Owner != b.user) {
			b.t.Errorf("%s sees %+v", b.user, p)
		}
	}
	for _, c := range resp.Cookies() {
		if resp.StatusCode >= 500 && c.MaxAge < 0 {
			b.t.Errorf("an outage has cost the cookie: %d %s", resp.StatusCode, c)
		}
		b.mu.Lock()
		b.token = c.Value
		b.mu.Unlock()
	}
	return resp.StatusCode, p
}

func (b *fleetBrowser) cookie() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.token
}

// visit is one session from login to logout.
func (b *fleetBrowser) visit(ctx context.Context, total *tally) {
	b.token = ""
	for status := 0; status != http.StatusOK; {
		if ctx.Err() != nil {
			return
		}
		b.token = ""
		status, _ = b.get("/login?user="+b.user, "")
	}
	total.visits.Add(1)
	acked, unknown := 0, 0
	for range 5 + b.rng.IntN(20) {
		parallel := 1 + b.rng.IntN(3)
		var statuses [3]int
		var wg sync.WaitGroup
		token := b.cookie()
		for i := range parallel {
			wg.Go(func() { statuses[i], _ = b.get("/add", token) })
		}
		wg.Wait()
		for _, status := range statuses[:parallel] {
			switch status {
			case http.StatusOK:
				acked++
			case http.StatusUnauthorized: // looked at below: the session may have gone, the update has not happened
			default:
				unknown++
			}
		}
	}
	total.acked.Add(int64(acked))
	total.unknown.Add(int64(unknown))
	b.settle()
	last := b.cookie()
	status, p := b.certain("/", last)
	switch {
	case status == http.StatusUnauthorized:
		total.gone.Add(1)
		return
	case p.N < acked || p.N > acked+unknown:
		b.t.Errorf("%s: %d updates are stored, %d acknowledged, %d unknown", b.user, p.N, acked, unknown)
	}
	for status = 0; status != http.StatusOK; { // a logout that failed may have happened
		if status, _ = b.get("/logout", last); status == http.StatusUnauthorized {
			break
		}
	}
	total.logouts.Add(1)
	b.settle()
	for range 2 * fleetSize { // each server
		if status, p := b.get("/", last); status == http.StatusOK {
			b.t.Errorf("%s is served after the logout: %+v", b.user, p)
		}
	}
}

// settle waits until the caches of other processes have forgotten.
func (b *fleetBrowser) settle() {
	if b.lag > 0 {
		<-time.After(b.lag)
	}
}

// certain repeats until the answer is no failure.
func (b *fleetBrowser) certain(path, token string) (int, page) {
	for {
		if status, p := b.get(path, token); status == http.StatusOK || status == http.StatusUnauthorized {
			return status, p
		}
	}
}
