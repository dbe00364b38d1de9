package session

import (
	"testing"
	"time"
)

func fillShard(t *testing.T, s *MemoryStore, shard byte, n int, expires time.Time) (last ID) {
	t.Helper()
	for range n {
		last = newID()
		last[0] = shard
		if err := s.Save(t.Context(), Record{ID: last, UserID: "u", ExpiresAt: expires, Deadline: expires}); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// The bound of S11: a sweep holds the lock of a shard for expireChunk records and takes that of another shard next.
func TestSweepTurnsToTheNextShard(t *testing.T) {
	s, err := NewMemoryStore(MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(500 * time.Millisecond)
	const dead = 10 * expireChunk
	for shard := range byte(2) {
		fillShard(t, s, shard, dead, soon)
	}
	<-time.After(time.Until(soon))
	if n, err := s.Sweep(t.Context(), 2*expireChunk); n != 2*expireChunk || err != nil {
		t.Fatalf("%d swept, %v, want %d", n, err, 2*expireChunk)
	}
	for shard := range 2 {
		if live := s.shards[shard].live; live != dead-expireChunk {
			t.Errorf("shard %d has %d records, want %d", shard, live, dead-expireChunk)
		}
	}
	if n, err := s.Sweep(t.Context(), 2*dead); n != 2*(dead-expireChunk) || err != nil {
		t.Errorf("%d swept, %v, want the rest, %d", n, err, 2*(dead-expireChunk))
	}
}

// Loads and touches go on while the lock of their shard is held, by a sweep for example.
func TestReadsTakeNoLock(t *testing.T) {
	s, err := NewMemoryStore(MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	id := fillShard(t, s, 7, 100, later)
	s.shards[7].mu.Lock()
	defer s.shards[7].mu.Unlock()
	done := make(chan error, 2)
	go func() {
		_, err := s.Load(t.Context(), id)
		done <- err
		done <- s.Touch(t.Context(), id, later)
	}()
	for range 2 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a read waits for the lock of its shard")
		}
	}
}

// What the manager stores without a copy is what Save would have stored of the record, and what it is lent is what
// Load would have returned.
func TestLentAndPutAreLoadAndSave(t *testing.T) {
	s, err := NewMemoryStore(MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t0 := now()
	for name, st := range map[string]state{
		"anonymous": {id: newID(), created: t0, expires: t0 + 1000, deadline: t0 + 2000, data: "{}"},
		"login": {
			id: newID(), version: 3, userID: "ann", created: 1, expires: t0 + 9000, deadline: t0 + 5000,
			env: goldenEnvelopes()["previous"], data: string(make([]byte, 2000)),
		},
	} {
		a, b := st.entry(), newEntry(st.record())
		if a.expires.Load() != b.expires.Load() || a.id != b.id || a.version != b.version || a.created != b.created ||
			a.deadline != b.deadline || a.blob != b.blob || a.userLen != b.userLen {
			t.Errorf("%s: %+v, want %+v", name, a, b)
		}
	}
	st := state{id: newID(), userID: "u", created: t0, expires: t0 + 1000, deadline: t0 + 2000, data: "{}"}
	if err := s.put(&st, t0); err != nil {
		t.Fatal(err)
	}
	_, e := s.shards[st.id[0]].find(st.id)
	var got state
	if payload, err := s.lend(t.Context(), st.id, t0+999, &got); err != nil || !got.decode(payload) || got.userID != "u" || got.data != "{}" {
		t.Errorf("lent %+v, %v", got, err)
	}
	if e.used.Load() != 1 {
		t.Error("the use is not noted: eviction would take it first")
	}
	if _, err := s.lend(t.Context(), st.id, t0+1000, &got); err != ErrNotFound { //nolint:errorlint // the bare one
		t.Errorf("lent at its expiry: %v", err)
	}
}
