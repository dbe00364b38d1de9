package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

func benchRecord() session.Record {
	rec := session.Record{UserID: "user-of-16-bytes", Payload: make([]byte, 200)}
	rec.CreatedAt = time.Now()
	rec.ExpiresAt, rec.Deadline = rec.CreatedAt.Add(time.Hour), rec.CreatedAt.Add(2*time.Hour)
	rec.ID = session.ID{1}
	return rec
}

func BenchmarkFileStore(b *testing.B) {
	for _, sync := range []bool{false, true} {
		store, err := session.NewFileStore(b.TempDir(), session.FileOptions{NoSync: !sync})
		if err != nil {
			b.Skip(err)
		}
		rec := benchRecord()
		if err := store.Save(b.Context(), rec); err != nil {
			b.Fatal(err)
		}
		rec.Version++
		b.Run(fmt.Sprintf("op=save/sync=%t", sync), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := store.Save(b.Context(), rec); err != nil {
					b.Fatal(err)
				}
				rec.Version++
			}
		})
		b.Run(fmt.Sprintf("op=load/sync=%t", sync), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Load(b.Context(), rec.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
		if err := store.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrappedLoad(b *testing.B) {
	memory, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		b.Fatal(err)
	}
	keys, err := session.NewKeyring(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	stores := map[string]session.Store{"memory": memory}
	stores["cached"], _ = session.NewCachedStore(memory, session.CacheOptions{TTL: time.Minute})
	stores["sharded"], _ = session.NewShardedStore(map[string]session.Store{"a": memory, "b": memory, "c": memory}, session.ShardOptions{})
	stores["replicated"], _ = session.NewReplicatedStore(memory, []session.Store{memory})
	stores["encrypted"], _ = session.NewEncryptedStore(memory, keys)
	for name, store := range stores {
		b.Run("store="+name, func(b *testing.B) {
			rec := benchRecord()
			_ = store.Remove(b.Context(), rec.ID)
			if err := store.Save(b.Context(), rec); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Load(b.Context(), rec.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
