package session_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

func randomIDOf(rng *rand.Rand) (id session.ID) {
	binary.LittleEndian.PutUint64(id[:8], rng.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rng.Uint64())
	return id
}

// A third store comes in while users are logged in, in the three steps of the documentation. Nobody is logged out, no
// record moves, and the new store gets its share of the new sessions.
func TestAddingAShardLogsNobodyOut(t *testing.T) {
	a, b, c := newMemory(t), newMemory(t), newMemory(t)
	two := map[string]session.Store{"a": a, "b": b}
	three := map[string]session.Store{"a": a, "b": b, "c": c}
	old, next := session.Rendezvous("a", "b"), session.Rendezvous("a", "b", "c")
	var tokens []string
	use := func(s session.Store, what string) {
		t.Helper()
		m, err := session.New[counter](s, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, token := range tokens {
			s, err := m.Lookup(t.Context(), token)
			if err == nil {
				if err = s.Update(func(d *counter) error { d.N++; return nil }); err == nil {
					err = s.Save(t.Context())
				}
			}
			if err != nil {
				t.Fatalf("%s: session %d: %v", what, i, err)
			}
		}
		for range 100 {
			s, _ := m.Lookup(t.Context(), "")
			if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, s.Token())
		}
		listed := 0
		for _, err := range m.List(t.Context(), "ann") {
			if err != nil {
				t.Fatal(err)
			}
			listed++
		}
		if listed != len(tokens) {
			t.Errorf("%s: %d of %d sessions listed", what, listed, len(tokens))
		}
	}
	before := sharded(t, two, session.ShardOptions{})
	use(before, "before")
	inA := a.Len()
	prepared := sharded(t, three, session.ShardOptions{Locate: old, Previous: next})
	use(prepared, "prepared")
	use(before, "not yet restarted")
	if c.Len() != 0 {
		t.Errorf("%d sessions in the new store before all servers know it", c.Len())
	}
	adding := sharded(t, three, session.ShardOptions{Previous: old})
	use(adding, "added")
	use(prepared, "not yet restarted with Previous")
	t.Log(a.Len(), b.Len(), c.Len())
	if n := c.Len(); n < 10 {
		t.Errorf("%d of 200 new sessions in the new store", n)
	}
	if a.Len() < inA {
		t.Errorf("records have left a store: %d of %d", a.Len(), inA)
	}
}

// A record in its old place is saved, touched and removed there, and nowhere else.
func TestShardedStoreNeverMovesARecord(t *testing.T) {
	a, b := newMemory(t), newMemory(t)
	s := sharded(t, map[string]session.Store{"a": a, "b": b}, session.ShardOptions{
		Locate: func(session.ID) string { return "a" }, Previous: func(session.ID) string { return "b" },
	})
	rec := mustSave(t, b, fileRecord("ann", time.Hour))
	rec = mustSave(t, s, rec)
	if err := s.Touch(t.Context(), rec.ID, rec.Deadline); err != nil {
		t.Fatal(err)
	}
	got, err := b.Load(t.Context(), rec.ID)
	if err != nil || got.Version != 2 || !got.ExpiresAt.Equal(rec.Deadline) || a.Len() != 0 {
		t.Errorf("version %d until %v, %v; %d in the new place", got.Version, got.ExpiresAt, err, a.Len())
	}
	rec.Version = 1
	if err := s.Save(t.Context(), rec); !errors.Is(err, session.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	mustSave(t, a, fileRecord("ann", time.Hour))
	if err := s.Remove(t.Context(), rec.ID); err != nil || b.Len() != 0 {
		t.Errorf("Remove: %v, %d left", err, b.Len())
	}
	fresh := mustSave(t, s, fileRecord("", time.Hour))
	if _, err := a.Load(t.Context(), fresh.ID); err != nil {
		t.Errorf("a new record is not where Locate says: %v", err)
	}
}

// A shard that is down costs its own sessions only. Queries of users return what the others have, then the error.
func TestShardDown(t *testing.T) {
	a, c := newMemory(t), newMemory(t)
	s := sharded(t, map[string]session.Store{"a": a, "b": down{}, "c": c}, session.ShardOptions{})
	for name, store := range map[string]session.Store{"a": a, "c": c} {
		for i := range 3 {
			rec := fileRecord("ann", time.Hour)
			for session.Rendezvous("a", "b", "c")(rec.ID) != name {
				rec.ID = randomID()
			}
			mustSave(t, s, rec)
			if _, err := store.Load(t.Context(), rec.ID); err != nil {
				t.Errorf("%s %d: %v", name, i, err)
			}
		}
	}
	listed, failed := 0, 0
	for _, err := range s.ListUser(t.Context(), "ann") {
		if err == nil {
			listed++
			if failed > 0 {
				t.Error("a record after an error")
			}
			continue
		}
		failed++
		if !errors.Is(err, errDown) || !strings.Contains(err.Error(), `"b"`) {
			t.Error(err)
		}
	}
	if listed != 6 || failed != 1 {
		t.Errorf("%d records, %d errors", listed, failed)
	}
	for _, err := range s.ListUser(t.Context(), "ann") { // no yield after the end, or the loop panics
		if err != nil {
			t.Error(err)
		}
		break
	}
	if _, err := s.Sweep(t.Context(), 10); !errors.Is(err, errDown) {
		t.Errorf("Sweep: %v", err)
	}
	if n, err := s.RemoveUser(t.Context(), "ann"); n != 6 || !errors.Is(err, errDown) || a.Len()+c.Len() != 0 {
		t.Errorf("RemoveUser: %d, %v, %d left", n, err, a.Len()+c.Len())
	}
}

func TestUnknownShardIsAnErrorAtTheCall(t *testing.T) {
	a := newMemory(t)
	for want, opts := range map[string]session.ShardOptions{
		"Locate":   {Locate: func(session.ID) string { return "x" }},
		"Previous": {Previous: func(session.ID) string { return "x" }},
	} {
		s := sharded(t, map[string]session.Store{"a": a}, opts)
		rec := fileRecord("", time.Hour)
		_, err := s.Load(t.Context(), rec.ID)
		for i, err := range []error{err, s.Save(t.Context(), rec), s.Touch(t.Context(), rec.ID, rec.Deadline), s.Remove(t.Context(), rec.ID)} {
			if !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), want+` names "x"`) {
				t.Errorf("%s, call %d: %v", want, i, err)
			}
		}
	}
}

// Sweep of several shards is bounded as a whole.
func TestShardedSweepIsBounded(t *testing.T) {
	shards := three(t)
	shards["d"] = plain{newMemory(t)} // expires by itself
	counting := map[string]session.Store{}
	for name, s := range shards {
		counting[name] = sessiontest.Faulty(s, nil)
	}
	s := sharded(t, counting, session.ShardOptions{})
	for range 100 {
		mustSave(t, s, fileRecord("", 30*time.Millisecond))
	}
	<-time.After(40 * time.Millisecond)
	for total := 0; ; {
		n, err := s.Sweep(t.Context(), 10)
		if err != nil || n > 10 {
			t.Fatalf("Sweep(10): %d, %v", n, err)
		}
		if total += n; n == 0 {
			if total < 50 {
				t.Errorf("swept %d", total)
			}
			return
		}
	}
}

// The placement is part of the format: it must never change.
func TestRendezvousKnownAnswers(t *testing.T) {
	place := session.Rendezvous("redis-1", "redis-2", "redis-3")
	var got strings.Builder
	for i := range 24 {
		name := place(session.ID{byte(i), 15: byte(i * 7)})
		got.WriteByte(name[len(name)-1])
	}
	if want := "312111232331133211321212"; got.String() != want {
		t.Errorf("%s, want %s", got.String(), want)
	}
	if name := session.Rendezvous()(session.ID{}); name != "" {
		t.Errorf("without names: %q", name)
	}
	swapped := session.Rendezvous("redis-3", "redis-1", "redis-2", "redis-1")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		if id := randomIDOf(rng); place(id) != swapped(id) {
			t.Fatal("the order of the names matters")
		}
	}
}

// Each of n names gets 1/n of the IDs, and a name that comes or goes moves nothing but its own share. Six standard
// deviations: wrong in one run of 500 million.
func TestRendezvousIsFairAndMovesLittle(t *testing.T) {
	const ids = 100_000
	names := []string{"a", "b", "c", "d", "e"}
	five, four := session.Rendezvous(names...), session.Rendezvous(names[:4]...)
	rng := rand.New(rand.NewPCG(rand.Uint64(), 3))
	count := map[string]int{}
	for i := range ids {
		id := randomIDOf(rng)
		if i%2 == 0 { // and for IDs that differ in a few bits
			id = session.ID{}
			binary.BigEndian.PutUint32(id[12:], uint32(i))
		}
		name := five(id)
		count[name]++
		if name != "e" && four(id) != name {
			t.Fatalf("%v moves from %s to %s, because of e", id, four(id), name)
		}
	}
	for _, name := range names {
		if dev := math.Abs(float64(count[name]) - ids/5); dev > 6*math.Sqrt(ids*0.2*0.8) {
			t.Errorf("%s has %d of %d", name, count[name], ids)
		}
	}
}
