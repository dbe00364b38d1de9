package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// redisClient connects to a single server, or to a cluster.
func redisClient(t *testing.T, nodes ...*servers.Server) redis.UniversalClient {
	t.Helper()
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr)
	}
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func redisStore(t *testing.T, c redis.UniversalClient) *redissession.Store {
	t.Helper()
	s, err := redissession.New(c.Do, redissession.Options{Prefix: fmt.Sprintf("s%d:", tables.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eachNode calls f with a client of each master.
func eachNode(t *testing.T, nodes []*servers.Server, f func(c *redis.Client)) {
	t.Helper()
	for _, n := range nodes {
		c := redis.NewClient(&redis.Options{Addr: n.Addr})
		f(c)
		_ = c.Close()
	}
}

// wantMortal checks that every key of the servers has a TTL.
func wantMortal(t *testing.T, nodes []*servers.Server) {
	t.Helper()
	n := 0
	eachNode(t, nodes, func(c *redis.Client) {
		keys, err := c.Keys(context.Background(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			n++
			if ttl, err := c.PTTL(context.Background(), key).Result(); err != nil || ttl <= 0 && ttl != -2 { // -2: gone meanwhile
				t.Errorf("%s lives for %v, %v", key, ttl, err)
			}
		}
	})
	if n == 0 {
		t.Error("no keys to look at")
	}
}

func TestRedisStoreKeepsTheContract(t *testing.T) {
	for name, nodes := range map[string][]*servers.Server{"single": {servers.Redis(t)}, "cluster": servers.RedisCluster(t, 3)} {
		t.Run(name, func(t *testing.T) {
			c := redisClient(t, nodes...)
			sessiontest.Run(t, func(t *testing.T) session.Store {
				t.Helper()
				return redisStore(t, c)
			})
			wantMortal(t, nodes)
			lostUpdates(t, []session.Store{redisStore(t, c)})
		})
	}
}

// The script cache is flushed before one command in four.
func TestRedisScriptCacheFlushed(t *testing.T) {
	c := redisClient(t, servers.Redis(t))
	var n atomic.Uint32
	flushing := func(ctx context.Context, args ...any) *redis.Cmd {
		if n.Add(1)%4 == 0 {
			if err := c.ScriptFlush(context.Background()).Err(); err != nil {
				t.Error(err)
			}
		}
		return c.Do(ctx, args...)
	}
	sessiontest.Run(t, func(t *testing.T) session.Store {
		t.Helper()
		s, err := redissession.New(flushing, redissession.Options{Prefix: fmt.Sprintf("s%d:", tables.Add(1))})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// The index is empty when all its sessions have expired, without anybody having looked.
func TestRedisIndexIsEmptyAfterExpiry(t *testing.T) {
	node := servers.Redis(t)
	c := redisClient(t, node)
	s := redisStore(t, c)
	now := time.Now()
	for i := range 20 {
		rec := session.Record{ID: session.ID{byte(i + 1)}, UserID: "ann", CreatedAt: now, ExpiresAt: now.Add(time.Hour), Deadline: now.Add(300 * time.Millisecond)}
		if err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	wantMortal(t, []*servers.Server{node})
	for end := time.Now().Add(10 * time.Second); ; {
		n, err := c.DBSize(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d keys are left", n)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestRedisIndexHealsItself(t *testing.T) {
	nodes := servers.RedisCluster(t, 3)
	c := redisClient(t, nodes...)
	m, err := session.New[data](redisStore(t, c), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		s, _ := m.Lookup(t.Context(), "")
		if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// Half of the sessions vanish, as by eviction.
	left := 6
	eachNode(t, nodes, func(c *redis.Client) {
		keys, err := c.Keys(t.Context(), "*:{*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if !strings.Contains(key, "user:") && left > 3 {
				left--
				c.Del(t.Context(), key)
			}
		}
	})
	entries := func() (n int64) {
		eachNode(t, nodes, func(c *redis.Client) {
			keys, err := c.Keys(t.Context(), "*user:*").Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				n += c.ZCard(t.Context(), key).Val()
			}
		})
		return n
	}
	if n := entries(); n != 6 || left != 3 {
		t.Fatalf("%d entries, %d sessions", n, left)
	}
	listed := 0
	for _, err := range m.List(t.Context(), "ann") {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if n := entries(); listed != 3 || n != 3 {
		t.Errorf("%d sessions listed, %d entries, want 3", listed, n)
	}
	if n, err := m.RevokeUser(t.Context(), "ann"); n != 3 || err != nil || entries() != 0 {
		t.Errorf("revoked %d, %v; %d entries", n, err, entries())
	}
}

// Whoever reads the database can use no session: neither token nor secret is in it.
func TestNoSecretInRedis(t *testing.T) {
	node := servers.Redis(t)
	c := redisClient(t, node)
	m, err := session.New[data](redisStore(t, c), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := m.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{Device: "phone"}); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(s.Token())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	var dump strings.Builder
	for _, key := range keys {
		fmt.Fprintln(&dump, key, c.HGetAll(t.Context(), key).Val(), c.ZRange(t.Context(), key, 0, -1).Val())
	}
	for _, secret := range []string{s.Token(), s.Token()[24:], string(raw[16:]), string(raw[16:24])} {
		if strings.Contains(dump.String(), secret) {
			t.Error("a secret in the database")
		}
	}
}

// A replica takes over. The client is pointed at it, as by a sentinel; its script cache is empty.
func TestRedisFailOver(t *testing.T) {
	primary, replica := servers.Redis(t), servers.Redis(t)
	var current atomic.Pointer[redis.Client]
	connect := func(s *servers.Server) *redis.Client {
		c := redis.NewClient(&redis.Options{Addr: s.Addr, DialTimeout: time.Second, MaxRetries: -1})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	first, second := connect(primary), connect(replica)
	current.Store(first)
	do := func(ctx context.Context, args ...any) *redis.Cmd { return current.Load().Do(ctx, args...) }
	host, port, _ := strings.Cut(primary.Addr, ":")
	if err := second.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	store, err := redissession.New(do, redissession.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.New[data](store, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := m.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	gone, _ := m.Lookup(t.Context(), "")
	if err := errors.Join(gone.Login(t.Context(), "bob", session.LoginOptions{}), s.Update(increment), s.Save(t.Context())); err != nil {
		t.Fatal(err)
	}
	goneToken := gone.Token()
	if err := gone.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		n, err := first.Wait(t.Context(), 1, 500*time.Millisecond).Result()
		if n == 1 && err == nil && strings.Contains(second.Info(t.Context(), "replication").Val(), "master_link_status:up") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the replica does not follow: %d, %v", n, err)
		}
	}
	primary.Kill()
	if _, err := m.Lookup(t.Context(), s.Token()); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("without a server: %v", err)
	}
	if err := second.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	current.Store(second)
	got, err := m.Lookup(t.Context(), s.Token())
	if err != nil || got.Data().N != 1 {
		t.Fatalf("after the fail-over: n = %d, %v", got.Data().N, err)
	}
	if err := errors.Join(got.Update(increment), got.Save(t.Context())); err != nil {
		t.Errorf("an update after the fail-over: %v", err)
	}
	if _, err := m.Lookup(t.Context(), goneToken); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a session that was logged out: %v", err)
	}
	if n, err := m.RevokeUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Errorf("RevokeUser: %d, %v", n, err)
	}
}

// A server that hangs costs no browser its cookie. The handler chooses: closed (503) or degraded (a page for nobody).
func TestRedisHangs(t *testing.T) {
	node := servers.Redis(t)
	c := redis.NewClient(&redis.Options{Addr: node.Addr, ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	store, err := redissession.New(c.Do, redissession.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.New[data](store, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := m.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	closed := m.Handler(m.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "yours") })))
	degraded := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Get(r.Context())
		fmt.Fprintf(w, "user %q, down %v", s.UserID(), errors.Is(err, session.ErrUnavailable))
	}))
	ask := func(h http.Handler, status int, body string) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: s.Token()})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status || !strings.Contains(w.Body.String(), body) || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("%d %q %v, want %d %q and no cookie", w.Code, w.Body, w.Header(), status, body)
		}
	}
	ask(closed, http.StatusOK, "yours")
	node.Pause()
	ask(closed, http.StatusServiceUnavailable, "Service Unavailable")
	ask(degraded, http.StatusOK, `user "", down true`)
	node.Resume()
	ask(closed, http.StatusOK, "yours")
	ask(degraded, http.StatusOK, `user "ann", down false`)
}

// What the model in the package's own tests cannot show of the scripts: a command that is sent twice, the TTL after a
// touch, an index whose last entry is not its latest, and the score that each login raises.
func TestRedisScriptsInDetail(t *testing.T) {
	c := redisClient(t, servers.Redis(t))
	var twice atomic.Bool
	do := func(ctx context.Context, args ...any) *redis.Cmd {
		if twice.Load() {
			c.Do(ctx, args...)
		}
		return c.Do(ctx, args...)
	}
	s, err := redissession.New(do, redissession.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	record := func(n byte, deadline time.Duration) session.Record {
		return session.Record{ID: session.ID{n}, UserID: "ann", CreatedAt: now, ExpiresAt: now.Add(time.Minute), Deadline: now.Add(deadline)}
	}
	long, short := record(1, 3*time.Hour), record(2, time.Hour)
	if err := errors.Join(s.Save(t.Context(), long), s.Save(t.Context(), short), s.Touch(t.Context(), long.ID, now.Add(2*time.Hour))); err != nil {
		t.Fatal(err)
	}
	ttl := func(pattern string) time.Duration {
		t.Helper()
		keys, err := c.Keys(t.Context(), pattern).Result()
		if err != nil || len(keys) != 1 {
			t.Fatalf("%s: %q, %v", pattern, keys, err)
		}
		d, err := c.PTTL(t.Context(), keys[0]).Result()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if got < want-time.Minute || got > want+time.Minute {
			t.Errorf("%s lives for %v, want %v", what, got, want)
		}
	}
	near("a touched session", ttl("session:{"+long.ID.String()+"}"), 2*time.Hour)
	near("the index", ttl("session:user:*"), 3*time.Hour)
	longer := record(3, 5*time.Hour)
	if err := s.Save(t.Context(), longer); err != nil {
		t.Fatal(err)
	}
	near("the index with a later entry", ttl("session:user:*"), 5*time.Hour)

	twice.Store(true)
	for version := uint64(1); version < 4; version++ {
		short.Version = version
		if err := s.Save(t.Context(), short); err != nil {
			t.Errorf("a save that was sent twice: %v", err)
		}
	}
	twice.Store(false)

	keys := c.Keys(t.Context(), "session:user:*").Val()
	before := c.ZScore(t.Context(), keys[0], short.ID.String()).Val()
	short.Version, short.UserID = 4, ""
	err = s.Save(t.Context(), short)
	short.Version, short.UserID = 5, "ann"
	if err := errors.Join(err, s.Save(t.Context(), short)); err != nil {
		t.Fatal(err)
	}
	if after := c.ZScore(t.Context(), keys[0], short.ID.String()).Val(); after <= before {
		t.Errorf("a login leaves the score at %.0f", after)
	}

	// The entry that a change of users leaves behind is no licence to end the other's session.
	short.Version, short.UserID = 6, "bob"
	if err := s.Save(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	if n, err := s.RemoveUser(t.Context(), "ann"); n != 2 || err != nil {
		t.Errorf("RemoveUser: %d, %v, want 2", n, err)
	}
	if got, err := s.Load(t.Context(), short.ID); err != nil || got.UserID != "bob" {
		t.Errorf("the session of another user: %v", err)
	}
}
