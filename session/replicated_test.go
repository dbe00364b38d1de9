package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// lagging is a replica that follows when the test says so.
type laggingReplica struct {
	session.Store // what it has
	primary       *session.MemoryStore
}

func newReplica(t *testing.T, primary *session.MemoryStore) *laggingReplica {
	t.Helper()
	return &laggingReplica{newMemory(t), primary}
}

// follow brings one record to the state of the primary.
func (r *laggingReplica) follow(t *testing.T, id session.ID) {
	t.Helper()
	if err := r.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	rec, err := r.primary.Load(t.Context(), id)
	if errors.Is(err, session.ErrNotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	version := rec.Version
	for rec.Version = 0; rec.Version < version; rec.Version++ {
		if err := r.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
}

// agent is a browser with one cookie.
type agent struct {
	h     http.Handler
	token string
}

func (b *agent) get(t *testing.T, path string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if b.token != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: b.token})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.token = c.Value
		if c.MaxAge < 0 {
			b.token = ""
		}
	}
	return strings.TrimSpace(w.Body.String())
}

// counting serves /login, /add, /logout and anything else, and answers user and count.
func counting(t *testing.T, store session.Store) (http.Handler, *session.Manager[counter]) {
	t.Helper()
	m, err := session.New[counter](store, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Get(r.Context())
		switch {
		case err != nil:
		case r.URL.Path == "/login":
			err = s.Login(r.Context(), "ann", session.LoginOptions{})
		case r.URL.Path == "/logout":
			err = s.Logout(r.Context())
		case r.URL.Path == "/add":
			err = s.Update(func(d *counter) error { d.N++; return nil })
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(s.UserID() + " " + strings.Repeat("+", s.Data().N)))
	})), m
}

// A replica that never follows: the user reads his own writes, each time, because his cookie says how new.
func TestReadYourOwnWrites(t *testing.T) {
	primary := newMemory(t)
	replica := newReplica(t, primary)
	counted := sessiontest.Faulty(replica, nil)
	h, _ := counting(t, replicated(t, primary, counted))
	b := &agent{h: h}
	b.get(t, "/login")
	for i := 1; i < 5; i++ {
		b.get(t, "/add")
		if got, want := b.get(t, "/"), "ann "+strings.Repeat("+", i); got != want {
			t.Errorf("after %d writes: %q, want %q", i, got, want)
		}
	}
	if _, stamp, ok := strings.Cut(b.token, "."); !ok || stamp != "5" {
		t.Errorf("stamp %q", stamp)
	}
	// As soon as the replica has followed, it is the only one that is asked.
	id, err := session.ParseID(idOf(t, b.token))
	if err != nil {
		t.Fatal(err)
	}
	replica.follow(t, id)
	primaryDown := &agent{token: b.token}
	primaryDown.h, _ = counting(t, replicated(t, down{}, counted))
	if got := primaryDown.get(t, "/"); got != "ann ++++" {
		t.Errorf("from the replica: %q", got)
	}
	// Without a stamp, any age will do.
	bare, _, _ := strings.Cut(b.token, ".")
	b.get(t, "/add")
	other := &agent{h: h, token: bare}
	if got := other.get(t, "/"); got != "ann ++++" {
		t.Errorf("without a stamp: %q", got)
	}
}

// idOf is the ID in a token: the first 16 of its bytes. 22 characters hold 132 bits; the ID has zeros in the last four.
func idOf(t *testing.T, token string) string {
	t.Helper()
	text := []byte(token[:22])
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	text[21] = alphabet[strings.IndexByte(alphabet, text[21])&^15]
	return string(text)
}

// A conflict on data from a replica is resolved on the primary's, at once.
func TestReplayReadsThePrimary(t *testing.T) {
	primary := newMemory(t)
	replica := newReplica(t, primary)
	h, m := counting(t, replicated(t, primary, replica))
	b := &agent{h: h}
	b.get(t, "/login")
	id, err := session.ParseID(idOf(t, b.token))
	if err != nil {
		t.Fatal(err)
	}
	replica.follow(t, id)
	stale := *b
	stale.token, _, _ = strings.Cut(b.token, ".")
	for range 3 {
		b.get(t, "/add")
	}
	if got := stale.get(t, "/add"); got != "ann +" { // what it saw; the commit then runs it again
		t.Errorf("%q", got)
	}
	if got := b.get(t, "/"); got != "ann +++" && got != "ann ++++" {
		t.Errorf("%q", got)
	}
	b.token = stale.token
	if got := b.get(t, "/"); got != "ann ++++" || m.Stats().Conflicts != 1 {
		t.Errorf("%q after %d conflicts", got, m.Stats().Conflicts)
	}
}

// What the replica has not heard of yet, it serves: the lag is the bound on revocation, and no longer.
func TestReplicaLagBoundsRevocation(t *testing.T) {
	primary := newMemory(t)
	replica := newReplica(t, primary)
	h, m := counting(t, replicated(t, primary, replica))
	b := &agent{h: h}
	b.get(t, "/login")
	id, err := session.ParseID(idOf(t, b.token))
	if err != nil {
		t.Fatal(err)
	}
	replica.follow(t, id)
	if err := m.Revoke(t.Context(), "ann", id); err != nil {
		t.Fatal(err)
	}
	if got := b.get(t, "/"); got != "ann" {
		t.Errorf("before the replica has heard: %q", got)
	}
	if got := b.get(t, "/add"); got != "Unauthorized" {
		t.Errorf("an update: %q", got)
	}
	if primary.Len() != 0 {
		t.Error("an update has brought the session back")
	}
	replica.follow(t, id)
	if got := b.get(t, "/"); got != "" {
		t.Errorf("after it: %q", got)
	}
}

func TestStamps(t *testing.T) {
	primary := newMemory(t)
	asked := uint64(0)
	h, _ := counting(t, &versioned{primary, &asked})
	b := &agent{h: h}
	b.get(t, "/login")
	bare, _, _ := strings.Cut(b.token, ".")
	for stamp, want := range map[string]string{
		"": "ann", ".1": "ann", ".z": "ann", ".3w5e11264sgsf": "ann", // any number, up to 2^64-1
		".": "", ".0": "", ".01": "", ".Z": "", ".-1": "", ".+1": "", ".1.1": "", ".3w5e11264sgsg": "", ".1!": "",
	} {
		one := &agent{h: h, token: bare + stamp}
		if got := one.get(t, "/"); got != want {
			t.Errorf("stamp %q: %q, want %q", stamp, got, want)
		}
	}
	(&agent{h: h, token: bare + ".1f"}).get(t, "/")
	if asked != 51 {
		t.Errorf("asked for version %d, want 51", asked)
	}
	// Replicas go: stamped tokens stay good, new ones are bare.
	h, _ = counting(t, primary)
	b.h = h
	if got := b.get(t, "/add"); got != "ann +" {
		t.Errorf("without replicas: %q", got)
	}
	fresh := &agent{h: h}
	fresh.get(t, "/login")
	if strings.Contains(fresh.token, ".") {
		t.Errorf("a stamp without replicas: %d characters", len(fresh.token))
	}
}

type versioned struct {
	*session.MemoryStore
	asked *uint64
}

func (v *versioned) LoadAtLeast(ctx context.Context, id session.ID, version uint64) (session.Record, error) {
	*v.asked = version
	return v.Load(ctx, id)
}

// Around a replicated store without replicas, caches of several processes let a browser read what it has just written
// through another one.
func TestStampsReachThroughWrappers(t *testing.T) {
	primary := newMemory(t)
	var handlers []http.Handler
	for range 3 {
		shard := replicated(t, primary)
		h, _ := counting(t, encrypted(t, cached(t, sharded(t, map[string]session.Store{"a": shard}, session.ShardOptions{}), session.CacheOptions{TTL: time.Minute}), keyring(t, 'k')))
		handlers = append(handlers, h)
	}
	b := &agent{h: handlers[0]}
	b.get(t, "/login")
	for i := 1; i < 10; i++ {
		b.h = handlers[i%3]
		b.get(t, "/add")
		b.h = handlers[(i+1)%3]
		if got, want := b.get(t, "/"), "ann "+strings.Repeat("+", i); got != want {
			t.Fatalf("after %d writes: %q, want %q", i, got, want)
		}
	}
}

func TestReplicatedStoreAsksInTurnAndPrefersThePrimaryToErrors(t *testing.T) {
	primary := newMemory(t)
	rec := mustSave(t, primary, fileRecord("ann", time.Hour))
	one, two := sessiontest.Faulty(primary, nil), sessiontest.Faulty(primary, nil)
	s := replicated(t, sessiontest.Faulty(primary, nil), one, two)
	for range 10 {
		if _, err := s.Load(t.Context(), rec.ID); err != nil {
			t.Fatal(err)
		}
	}
	if one.Calls("Load") != 5 || two.Calls("Load") != 5 {
		t.Errorf("%d and %d loads", one.Calls("Load"), two.Calls("Load"))
	}
	if _, err := replicated(t, primary, down{}).Load(t.Context(), rec.ID); err != nil {
		t.Errorf("a dead replica: %v", err)
	}
	// An old record is no substitute for the primary's.
	if _, err := replicated(t, down{}, primary).LoadAtLeast(t.Context(), rec.ID, 2); !errors.Is(err, errDown) {
		t.Errorf("a dead primary: %v", err)
	}
}
