package session_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// The stated bound: what another process has done is seen after TTL, counted from the beginning of the load, to the
// nanosecond; before that, the inner store is not asked.
func TestCachedStoreBoundsTheLag(t *testing.T) {
	for name, elsewhere := range map[string]func(s session.Store, rec session.Record) error{
		"logout": func(s session.Store, rec session.Record) error { return s.Remove(context.Background(), rec.ID) },
		"update": func(s session.Store, rec session.Record) error {
			rec.Payload = []byte("newer")
			return s.Save(context.Background(), rec)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const delay = 300 * time.Millisecond
				inner := newMemory(t)
				slow := sessiontest.Faulty(inner, func(c sessiontest.Call) sessiontest.Fault {
					if c.Op == "Load" && c.N == 1 {
						return sessiontest.Fault{Delay: delay}
					}
					return sessiontest.Fault{}
				})
				s := cached(t, slow, session.CacheOptions{})
				rec := mustSave(t, inner, fileRecord("ann", time.Hour))
				began := time.Now()
				if _, err := s.Load(t.Context(), rec.ID); err != nil {
					t.Fatal(err)
				}
				if err := elsewhere(inner, rec); err != nil {
					t.Fatal(err)
				}
				<-time.After(2*time.Second - delay - 1)
				if got, err := s.Load(t.Context(), rec.ID); err != nil || string(got.Payload) != "payload" || slow.Calls("Load") != 1 {
					t.Errorf("after %v: %v, %d loads", time.Since(began), err, slow.Calls("Load"))
				}
				<-time.After(1)
				got, err := s.Load(t.Context(), rec.ID)
				if name == "logout" && !errors.Is(err, session.ErrNotFound) || name == "update" && string(got.Payload) != "newer" {
					t.Errorf("after %v: %q, %v", time.Since(began), got.Payload, err)
				}
			})
		})
	}
}

// Own writes are seen at once, and cost no load.
func TestCachedStoreSeesOwnWrites(t *testing.T) {
	inner := sessiontest.Faulty(newMemory(t), nil)
	s := cached(t, inner, session.CacheOptions{})
	rec := mustSave(t, s, fileRecord("ann", time.Hour))
	for i := range 5 {
		rec.Payload = []byte(strconv.Itoa(i))
		rec = mustSave(t, s, rec)
		got, err := s.Load(t.Context(), rec.ID)
		if err != nil || string(got.Payload) != strconv.Itoa(i) || got.Version != rec.Version {
			t.Errorf("%d: %q version %d, %v", i, got.Payload, got.Version, err)
		}
	}
	later := rec.ExpiresAt.Add(time.Minute)
	if err := s.Touch(t.Context(), rec.ID, later); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context(), rec.ID); err != nil || !got.ExpiresAt.Equal(later) {
		t.Errorf("after Touch: %v, want %v, %v", got.ExpiresAt, later, err)
	}
	if n := inner.Calls("Load"); n != 0 {
		t.Errorf("%d loads", n)
	}
	other := mustSave(t, s, fileRecord("ann", time.Hour))
	if n, err := s.RemoveUser(t.Context(), "ann", other.ID); n != 1 || err != nil {
		t.Fatalf("RemoveUser: %d, %v", n, err)
	}
	if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after RemoveUser: %v", err)
	}
	if err := s.Remove(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), other.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after Remove: %v", err)
	}
}

// A conflict, or a session that is gone, shows that the entry is out of date; a failed write leaves nothing to rely on.
func TestCachedStoreDropsWhatFailed(t *testing.T) {
	memory := newMemory(t)
	var fault sessiontest.Fault
	inner := sessiontest.Faulty(memory, func(c sessiontest.Call) sessiontest.Fault {
		if c.Op == "Load" {
			return sessiontest.Fault{}
		}
		return fault
	})
	s := cached(t, inner, session.CacheOptions{})
	rec := mustSave(t, s, fileRecord("", time.Hour))
	newer := mustSave(t, memory, rec)
	if err := s.Save(t.Context(), rec); !errors.Is(err, session.ErrConflict) {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context(), rec.ID); err != nil || got.Version != newer.Version {
		t.Errorf("after a conflict: version %d, %v", got.Version, err)
	}
	fault.After = errDown // it happens, and the answer is lost
	newer.Payload = []byte("unknown")
	if err := s.Save(t.Context(), newer); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context(), rec.ID); err != nil || string(got.Payload) != "unknown" {
		t.Errorf("after a lost answer: %q, %v", got.Payload, err)
	}
	if err := s.Remove(t.Context(), rec.ID); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after a removal with a lost answer: %v", err)
	}
}

func TestCachedStoreKeepsNoMissesAndNoErrors(t *testing.T) {
	broken := true
	inner := sessiontest.Faulty(newMemory(t), func(sessiontest.Call) sessiontest.Fault {
		if broken {
			return sessiontest.Fault{Before: errDown}
		}
		return sessiontest.Fault{}
	})
	s := cached(t, inner, session.CacheOptions{})
	rec := fileRecord("", time.Hour)
	if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	broken = false
	if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
		t.Fatal(err)
	}
	mustSave(t, inner, rec)
	if _, err := s.Load(t.Context(), rec.ID); err != nil {
		t.Errorf("a miss was kept: %v", err)
	}
}

// An entry that has expired is asked for again: another process may have moved the expiry.
func TestCachedStoreAsksAgainAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newMemory(t)
		s := cached(t, inner, session.CacheOptions{})
		rec := mustSave(t, s, fileRecord("", time.Second))
		if err := inner.Touch(t.Context(), rec.ID, rec.Deadline); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second + time.Millisecond)
		if _, err := s.Load(t.Context(), rec.ID); err != nil {
			t.Error(err)
		}
	})
}

// Six parallel requests of a page are one load. One of them that gives up takes only itself along, even if the load
// was his.
func TestCachedBurstIsOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := sessiontest.Faulty(newMemory(t), func(c sessiontest.Call) sessiontest.Fault {
			if c.Op == "Load" {
				return sessiontest.Fault{Delay: time.Second}
			}
			return sessiontest.Fault{}
		})
		rec := mustSave(t, inner, fileRecord("", time.Hour))
		s := cached(t, inner, session.CacheOptions{})
		burst := func(ctx func(i int) context.Context) (failed int) {
			var wg sync.WaitGroup
			var n atomic.Int32
			for i := range 6 {
				c := ctx(i)
				wg.Go(func() {
					if _, err := s.Load(c, rec.ID); err != nil {
						n.Add(1)
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			return int(n.Load())
		}
		if failed := burst(func(int) context.Context { return t.Context() }); failed != 0 || inner.Calls("Load") != 1 {
			t.Errorf("%d failed, %d loads, want 1", failed, inner.Calls("Load"))
		}
		<-time.After(time.Minute)
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		failed := burst(func(i int) context.Context {
			if i == 0 || i == 3 {
				return impatient
			}
			return t.Context()
		})
		if failed != 2 || inner.Calls("Load") != 3 {
			t.Errorf("%d failed, want 2; %d loads, want 3", failed, inner.Calls("Load"))
		}
	})
}

// A load that began before a write ended is neither kept nor joined after it.
func TestCachedStoreForgetsLoadsThatAWriteOvertook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		hold := make(chan struct{})
		inner := sessiontest.Faulty(store, nil)
		gate := &gated{inner, hold}
		s := cached(t, gate, session.CacheOptions{})
		rec := mustSave(t, store, fileRecord("ann", time.Hour))
		for name, write := range map[string]func() error{
			"remove": func() error { return s.Remove(t.Context(), rec.ID) },
			"remove user": func() error {
				_, err := s.RemoveUser(t.Context(), "ann")
				return err
			},
		} {
			rec = mustSave(t, store, fileRecord("ann", time.Hour))
			slow := make(chan error)
			go func() {
				_, err := s.Load(t.Context(), rec.ID) // has its answer and is held on the way back
				slow <- err
			}()
			synctest.Wait()
			if err := write(); err != nil {
				t.Fatal(err)
			}
			fast := make(chan error)
			go func() {
				_, err := s.Load(t.Context(), rec.ID)
				fast <- err
			}()
			synctest.Wait()
			hold <- struct{}{}
			hold <- struct{}{}
			if err := <-slow; err != nil {
				t.Errorf("%s: a load that began before it: %v", name, err)
			}
			if err := <-fast; !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s: a load after it joined one before it: %v", name, err)
			}
			go func() { hold <- struct{}{} }()
			if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s: a load before it was kept: %v", name, err)
			}
			synctest.Wait()
			select {
			case <-hold:
			default:
			}
		}
	})
}

// gated holds the answers of loads.
type gated struct {
	*sessiontest.FaultyStore
	hold chan struct{}
}

func (g *gated) Load(ctx context.Context, id session.ID) (session.Record, error) {
	hold := g.hold
	rec, err := g.FaultyStore.Load(ctx, id)
	<-hold
	return rec, err
}

func TestCachedStoreIsBounded(t *testing.T) {
	for _, limit := range []int{1, 7, 2000} {
		inner := sessiontest.Faulty(newMemory(t), nil)
		s := cached(t, inner, session.CacheOptions{MaxEntries: limit})
		var recs []session.Record
		for range limit + 500 {
			recs = append(recs, mustSave(t, inner, fileRecord("", time.Hour)))
		}
		for _, rec := range recs {
			if _, err := s.Load(t.Context(), rec.ID); err != nil {
				t.Fatal(err)
			}
		}
		before := inner.Calls("Load")
		for i := range recs { // the newest first, so that a miss evicts none that is still to come
			if _, err := s.Load(t.Context(), recs[len(recs)-1-i].ID); err != nil {
				t.Fatal(err)
			}
		}
		hits := len(recs) - (inner.Calls("Load") - before)
		if hits > limit || hits < limit/2 {
			t.Errorf("MaxEntries %d: %d entries", limit, hits)
		}
	}
}

// Random operations of two processes with a cache each: nobody reads what is older than TTL, or older than what he
// has written or read himself.
func TestCachedStoreModel(t *testing.T) {
	seed := rand.Uint64()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 1))
		inner := newMemory(t)
		caches := []*session.CachedStore{cached(t, inner, session.CacheOptions{}), cached(t, inner, session.CacheOptions{})}
		rec := mustSave(t, inner, fileRecord("", time.Hour))
		written := map[uint64]time.Time{1: time.Now()} // when each version was replaced: zero = it is the newest
		var seen [2]uint64
		for range 3000 {
			i := rng.IntN(2)
			switch p := rng.IntN(10); {
			case p < 2:
				if err := caches[i].Save(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
				written[rec.Version] = time.Now()
				rec.Version++
				seen[i] = rec.Version
			case p < 7:
				got, err := caches[i].Load(t.Context(), rec.ID)
				if err != nil {
					t.Fatal(err)
				}
				if replaced, old := written[got.Version], got.Version < rec.Version; old && time.Since(replaced) >= 2*time.Second {
					t.Fatalf("seed %d: version %d is read %v after it was replaced", seed, got.Version, time.Since(replaced))
				}
				if got.Version < seen[i] {
					t.Fatalf("seed %d: version %d is read after %d", seed, got.Version, seen[i])
				}
				seen[i] = got.Version
			default:
				<-time.After(time.Duration(rng.IntN(1500)) * time.Millisecond)
			}
			if time.Until(rec.ExpiresAt) < time.Minute {
				rec.ExpiresAt = time.Now().Add(time.Hour).Truncate(time.Millisecond)
				rec.Deadline = rec.ExpiresAt
			}
		}
	})
}

// A login or a renewal through one process is good at once in another that still has the record from before. The old
// secret ends there with the cache.
func TestCachedStoreKnowsTheNewSecretAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newMemory(t)
		var managers []*session.Manager[counter]
		for range 2 {
			m, err := session.New[counter](cached(t, inner, session.CacheOptions{}), session.Options{})
			if err != nil {
				t.Fatal(err)
			}
			managers = append(managers, m)
		}
		s, _ := managers[0].Lookup(t.Context(), "")
		if err := errors.Join(s.Update(func(d *counter) error { d.N = 1; return nil }), s.Save(t.Context())); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func() error{
			"login": func() error { return s.Login(t.Context(), "ann", session.LoginOptions{}) },
			"renew": func() error { return s.Renew(t.Context()) },
		} {
			before := s.Token()
			if _, err := managers[1].Lookup(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if got, err := managers[1].Lookup(t.Context(), s.Token()); err != nil || got.UserID() != s.UserID() {
				t.Errorf("%s: user %q, %v", name, got.UserID(), err)
			}
			if _, err := managers[0].Lookup(t.Context(), before); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s: the old secret where it was replaced: %v", name, err)
			}
			<-time.After(2 * time.Second)
			if _, err := managers[1].Lookup(t.Context(), before); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s: the old secret after the TTL: %v", name, err)
			}
		}
	})
}

// lateSave holds the answers of saves, which have happened.
type lateSave struct {
	*session.MemoryStore
	hold chan struct{}
}

func (s lateSave) Save(ctx context.Context, rec session.Record) error {
	err := s.MemoryStore.Save(ctx, rec)
	<-s.hold
	return err
}

// A save whose answer comes after that of a later removal must not put the session back into the cache.
func TestCachedStoreKeepsNothingOfOverlappingWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := lateSave{newMemory(t), make(chan struct{})}
		s := cached(t, inner, session.CacheOptions{})
		rec := fileRecord("ann", time.Hour)
		saved := make(chan error)
		go func() { saved <- s.Save(t.Context(), rec) }()
		synctest.Wait()
		if err := s.Remove(t.Context(), rec.ID); err != nil {
			t.Fatal(err)
		}
		inner.hold <- struct{}{}
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), rec.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("a removed session is served from the cache: %v", err)
		}
	})
}

// Of two loads under way, the one that was asked for a newer record comes back first. The older answer does not replace it.
func TestCachedStoreKeepsTheNewerOfTwoLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		counted := sessiontest.Faulty(store, nil)
		first := &gated{counted, make(chan struct{})}
		s := cached(t, first, session.CacheOptions{TTL: time.Minute})
		rec := mustSave(t, store, fileRecord("ann", time.Hour))
		slow := make(chan error)
		go func() {
			_, err := s.Load(t.Context(), rec.ID)
			slow <- err
		}()
		synctest.Wait() // it has read version 1
		rec = mustSave(t, store, rec)
		hold := first.hold
		first.hold = make(chan struct{}, 1)
		first.hold <- struct{}{} // lets the next load through
		if got, err := s.LoadAtLeast(t.Context(), rec.ID, 2); err != nil || got.Version != 2 {
			t.Fatalf("version %d, %v", got.Version, err)
		}
		hold <- struct{}{}
		if err := <-slow; err != nil {
			t.Fatal(err)
		}
		if got, err := s.Load(t.Context(), rec.ID); err != nil || got.Version != 2 || counted.Calls("Load") != 2 {
			t.Errorf("version %d, %v after %d loads", got.Version, err, counted.Calls("Load"))
		}
	})
}
