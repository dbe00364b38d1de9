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
