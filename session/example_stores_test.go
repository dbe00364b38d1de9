package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// A near cache spares the database the reads of a busy page; its TTL is how long another process's logout may go
// unnoticed.
func ExampleNewCachedStore() {
	database, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.NewCachedStore(database, session.CacheOptions{TTL: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	rec := session.Record{ID: session.ID{1}, ExpiresAt: time.Now().Add(time.Hour), Deadline: time.Now().Add(time.Hour)}
	if err := store.Save(ctx, rec); err != nil {
		fmt.Println(err)
		return
	}
	_ = database.Remove(ctx, rec.ID) // another process ends the session
	_, err = store.Load(ctx, rec.ID)
	fmt.Println("within the TTL:", err)
	_ = store.Remove(ctx, rec.ID) // this process does
	_, err = store.Load(ctx, rec.ID)
	fmt.Println("ended here:", err)
	// Output:
	// within the TTL: <nil>
	// ended here: session: no such session
}

// A third store is added. Previous says where the sessions from before are: nobody is logged out.
func ExampleNewShardedStore() {
	shards := map[string]session.Store{}
	for _, name := range []string{"a", "b", "c"} {
		store, err := session.NewMemoryStore(session.MemoryOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}
		shards[name] = store
	}
	two := map[string]session.Store{"a": shards["a"], "b": shards["b"]}
	before, err := session.NewShardedStore(two, session.ShardOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := session.NewShardedStore(shards, session.ShardOptions{Previous: session.Rendezvous("a", "b")})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, found, moved := context.Background(), 0, 0
	for i := range 100 {
		id := session.ID{byte(i), 1}
		rec := session.Record{ID: id, ExpiresAt: time.Now().Add(time.Hour), Deadline: time.Now().Add(time.Hour)}
		if err := before.Save(ctx, rec); err != nil {
			fmt.Println(err)
			return
		}
		if _, err := after.Load(ctx, id); err == nil {
			found++
		}
		if session.Rendezvous("a", "b", "c")(id) == "c" {
			moved++
		}
	}
	fmt.Println(found, "of 100 are found;", moved, "of them would be placed in c today")
	// Output: 100 of 100 are found; 40 of them would be placed in c today
}

// The replica lags behind. The version in the browser's token says which answers are new enough for it.
func ExampleNewReplicatedStore() {
	primary, err1 := session.NewMemoryStore(session.MemoryOptions{})
	replica, err2 := session.NewMemoryStore(session.MemoryOptions{})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.NewReplicatedStore(primary, []session.Store{replica})
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions, err := session.New[Data](store, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	s, err := sessions.Lookup(ctx, "")
	if err == nil {
		err = s.Login(ctx, "ann", session.LoginOptions{})
	}
	_, stamp, _ := strings.Cut(s.Token(), ".")
	again, _ := sessions.Lookup(ctx, s.Token())
	fmt.Printf("stamp %s, %q %v\n", stamp, again.UserID(), err)
	// Output: stamp 1, "ann" <nil>
}

// Who reads the database sees users and times, no data.
func ExampleNewEncryptedStore() {
	database, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := session.NewKeyring([]byte("32 bytes from a secret manager !"))
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.NewEncryptedStore(database, keys)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	rec := session.Record{
		ID: session.ID{1}, UserID: "ann", ExpiresAt: time.Now().Add(time.Hour), Deadline: time.Now().Add(time.Hour),
		Payload: []byte("attack at dawn"),
	}
	if err := store.Save(ctx, rec); err != nil {
		fmt.Println(err)
		return
	}
	sealed, _ := database.Load(ctx, rec.ID)
	opened, _ := store.Load(ctx, rec.ID)
	fmt.Println(strings.Contains(string(sealed.Payload), "dawn"), string(opened.Payload))
	// Output: false attack at dawn
}

// Adding a name moves only what goes to it.
func ExampleRendezvous() {
	two, three := session.Rendezvous("a", "b"), session.Rendezvous("a", "b", "c")
	moved, elsewhere := 0, 0
	for i := range 1000 {
		id := session.ID{byte(i), byte(i >> 8)}
		if from, to := two(id), three(id); to == "c" {
			moved++
		} else if from != to {
			elsewhere++
		}
	}
	fmt.Println(moved, elsewhere)
	// Output: 339 0
}
