package session_test

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func newMemory(t *testing.T) *session.MemoryStore {
	t.Helper()
	s, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cached(t *testing.T, inner session.Store, opts session.CacheOptions) *session.CachedStore {
	t.Helper()
	s, err := session.NewCachedStore(inner, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sharded(t *testing.T, shards map[string]session.Store, opts session.ShardOptions) *session.ShardedStore {
	t.Helper()
	s, err := session.NewShardedStore(shards, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func replicated(t *testing.T, primary session.Store, replicas ...session.Store) *session.ReplicatedStore {
	t.Helper()
	s, err := session.NewReplicatedStore(primary, replicas)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encrypted(t *testing.T, inner session.Store, keys *session.Keyring) *session.EncryptedStore {
	t.Helper()
	s, err := session.NewEncryptedStore(inner, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSave(t *testing.T, s session.Store, rec session.Record) session.Record {
	t.Helper()
	if err := s.Save(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	rec.Version++
	return rec
}

// down fails every call.
type down struct{}

var errDown = errors.New("down")

func (down) Load(context.Context, session.ID) (session.Record, error) {
	return session.Record{}, errDown
}
func (down) Save(context.Context, session.Record) error                     { return errDown }
func (down) Touch(context.Context, session.ID, time.Time) error             { return errDown }
func (down) Remove(context.Context, session.ID) error                       { return errDown }
func (down) Sweep(context.Context, int) (int, error)                        { return 0, errDown }
func (down) RemoveUser(context.Context, string, ...session.ID) (int, error) { return 0, errDown }
func (down) ListUser(context.Context, string) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) { yield(session.Record{}, errDown) }
}

type counter struct{ N int }

func fileRecord(userID string, ttl time.Duration) session.Record {
	now := time.Now().Truncate(time.Millisecond)
	return session.Record{
		ID: randomID(), UserID: userID, CreatedAt: now, ExpiresAt: now.Add(ttl), Deadline: now.Add(2 * time.Hour), Payload: []byte("payload"),
	}
}

func randomID() (id session.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// from creates records where they were created before the shards were placed anew.
type from struct {
	*session.ShardedStore
	old session.Store
}

func (s from) Save(ctx context.Context, rec session.Record) error {
	if rec.Version == 0 {
		return s.old.Save(ctx, rec)
	}
	return s.ShardedStore.Save(ctx, rec)
}

func three(t *testing.T) map[string]session.Store {
	t.Helper()
	return map[string]session.Store{"a": newMemory(t), "b": newMemory(t), "c": newMemory(t)}
}

// Every store around a store keeps the contract, and so do their compositions.
func TestWrappersKeepTheContract(t *testing.T) {
	for name, build := range map[string]func(t *testing.T) session.Store{
		"cached": func(t *testing.T) session.Store { return cached(t, newMemory(t), session.CacheOptions{}) },
		"cached, tiny": func(t *testing.T) session.Store {
			return cached(t, newMemory(t), session.CacheOptions{MaxEntries: 1, TTL: time.Millisecond})
		},
		"sharded": func(t *testing.T) session.Store { return sharded(t, three(t), session.ShardOptions{}) },
		"sharded, all in the previous place": func(t *testing.T) session.Store {
			shards := three(t)
			return from{sharded(t, shards, session.ShardOptions{
				Locate: func(session.ID) string { return "a" }, Previous: func(session.ID) string { return "b" },
			}), shards["b"]}
		},
		"replicated, no lag":         func(t *testing.T) session.Store { m := newMemory(t); return replicated(t, m, m, m) },
		"replicated, empty replicas": func(t *testing.T) session.Store { return replicated(t, newMemory(t), newMemory(t)) },
		"replicated, dead replicas":  func(t *testing.T) session.Store { return replicated(t, newMemory(t), down{}) },
		"replicated, no replicas":    func(t *testing.T) session.Store { return replicated(t, newMemory(t)) },
		"encrypted":                  func(t *testing.T) session.Store { return encrypted(t, newMemory(t), keyring(t, 'k')) },
		"four methods only": func(t *testing.T) session.Store {
			return encrypted(t, cached(t, replicated(t, sharded(t, map[string]session.Store{"a": plain{newMemory(t)}}, session.ShardOptions{})), session.CacheOptions{}), keyring(t, 'k'))
		},
		"cached over sharded": func(t *testing.T) session.Store {
			return cached(t, sharded(t, three(t), session.ShardOptions{}), session.CacheOptions{})
		},
		"encrypted over sharded": func(t *testing.T) session.Store {
			return encrypted(t, sharded(t, three(t), session.ShardOptions{}), keyring(t, 'k'))
		},
		"all": func(t *testing.T) session.Store {
			shards := map[string]session.Store{}
			for _, name := range []string{"a", "b"} {
				m := newMemory(t)
				shards[name] = replicated(t, m, m)
			}
			return encrypted(t, cached(t, sharded(t, shards, session.ShardOptions{}), session.CacheOptions{}), keyring(t, 'k'))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessiontest.Run(t, func(t *testing.T) session.Store {
				t.Helper()
				return build(t)
			})
		})
	}
}

func TestWrapperArguments(t *testing.T) {
	for want, make := range map[string]func() error{
		"inner is nil": func() error { _, err := session.NewCachedStore(nil, session.CacheOptions{}); return err },
		"TTL -1ns":     func() error { _, err := session.NewCachedStore(down{}, session.CacheOptions{TTL: -1}); return err },
		"TTL 1m0.000000001s": func() error {
			_, err := session.NewCachedStore(down{}, session.CacheOptions{TTL: time.Minute + 1})
			return err
		},
		"MaxEntries -1": func() error {
			_, err := session.NewCachedStore(down{}, session.CacheOptions{MaxEntries: -1})
			return err
		},
		"shards is empty": func() error { _, err := session.NewShardedStore(nil, session.ShardOptions{}); return err },
		`shard "x" is nil`: func() error {
			_, err := session.NewShardedStore(map[string]session.Store{"x": nil}, session.ShardOptions{})
			return err
		},
		"primary is nil":   func() error { _, err := session.NewReplicatedStore(nil, nil); return err },
		"replica 1 is nil": func() error { _, err := session.NewReplicatedStore(down{}, []session.Store{down{}, nil}); return err },
		"inner is nil ":    func() error { _, err := session.NewEncryptedStore(nil, keyring(t, 'k')); return err },
		"keys is nil":      func() error { _, err := session.NewEncryptedStore(down{}, nil); return err },
	} {
		if err := make(); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What the inner store cannot, the wrapper says; it never pretends that there is nothing.
func TestWrappersOfPlainStoresSayUnsupported(t *testing.T) {
	p := plain{newMemory(t)}
	type full interface {
		session.Store
		session.UserIndexer
		session.Sweeper
		session.FreshLoader
	}
	for name, s := range map[string]full{
		"cached": cached(t, p, session.CacheOptions{}), "encrypted": encrypted(t, p, keyring(t, 'k')),
		"sharded": sharded(t, map[string]session.Store{"a": p}, session.ShardOptions{}), "replicated": replicated(t, p),
	} {
		_, err1 := s.RemoveUser(t.Context(), "ann")
		_, err2 := s.Sweep(t.Context(), 1)
		var err3 error
		for _, err := range s.ListUser(t.Context(), "ann") {
			err3 = err
		}
		if _, err := s.LoadAtLeast(t.Context(), session.ID{1}, 1); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: LoadAtLeast: %v", name, err)
		}
		for i, err := range []error{err1, err2, err3} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s, call %d: %v", name, i, err)
			}
		}
		m, err := session.New[counter](s, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.RevokeUser(t.Context(), "ann"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: RevokeUser: %v", name, err)
		}
		if n, err := m.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%s: Manager.Sweep: %d, %v", name, n, err)
		}
	}
}

// A store that embeds another and replaces a method is asked, whatever the inner one could do faster.
func TestEmbeddingStoreIsAsked(t *testing.T) {
	asked := uint64(1)
	m, err := session.New[counter](&versioned{newMemory(t), &asked}, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := m.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Lookup(t.Context(), s.Token()+"0"); err != nil || asked != 36 {
		t.Errorf("%v, asked for version %d", err, asked)
	}
}
