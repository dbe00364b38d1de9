package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

func standard() cluster.Quorum { return cluster.Quorum{N: 3, W: 2, R: 2} }

func start(t *testing.T, dir string) (*Cluster, *wire.Client) {
	t.Helper()
	return startIn(t, cluster.Newest, dir)
}

func startIn(t *testing.T, mode cluster.Mode, dir string) (*Cluster, *wire.Client) {
	t.Helper()
	q := standard()
	q.Mode = mode
	c, err := Run(dir, q, Names(5), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, c.Client()
}

// ok fails the test at the first error.
func ok(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, client *wire.Client, key, value string) {
	t.Helper()
	e, found, err := client.Get(t.Context(), key)
	if err != nil || found != (value != "") || string(e.Value) != value {
		t.Errorf("%s: got %q, found %v, err %v; want %q", key, e.Value, found, err, value)
	}
}

// eventually waits for a condition that background work brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for every := time.NewTicker(2 * time.Millisecond); !condition(); {
		select {
		case <-every.C:
		case <-deadline:
			t.Fatalf("never came about: %s", what)
		}
	}
}

// replicas of a key, first the owner.
func replicas(t *testing.T, c *Cluster, key string) []string {
	t.Helper()
	ring, err := c.Ring()
	ok(t, err)
	return ring.GetN(key, 3)
}

// tell sends one request to one node, as a coordinator of this epoch would.
func tell(t *testing.T, c *Cluster, id string, k wire.Kind, epoch uint64, body []byte) wire.Message {
	t.Helper()
	peers := wire.NewPeers(c.dial("test"))
	defer peers.Close()
	m, err := peers.Call(t.Context(), id, wire.Message{Kind: k, Epoch: epoch, Body: body})
	ok(t, err)
	return m
}

func entry(key string, time uint64, value string) []byte {
	return storage.Entry{Key: key, Stamp: storage.Stamp{Time: time, Node: "test"}, Value: []byte(value)}.AppendTo(nil)
}

func TestAKeyLiesOnItsReplicasAndNowhereElse(t *testing.T) {
	c, client := start(t, t.TempDir())
	for i := range 200 {
		key := fmt.Sprint("k", i)
		ok(t, client.Put(t.Context(), key, []byte("v")))
		want(t, client, key, "v")
		set := replicas(t, c, key)
		eventually(t, "three copies", func() bool {
			held := 0
			for id, n := range c.Up() {
				if n.Holds(key) {
					held++
					if !slices.Contains(set, id) {
						t.Fatalf("%s is on %s, replicas are %v", key, id, set)
					}
				}
			}
			return held == 3
		})
	}
}

func TestOneNodeMayBeAwayTwoMayNot(t *testing.T) {
	c, client := start(t, t.TempDir())
	ok(t, client.Put(t.Context(), "k", []byte("1")))
	set := replicas(t, c, "k")
	ok(t, c.Kill(set[0]), client.Put(t.Context(), "k", []byte("2")))
	want(t, client, "k", "2")
	ok(t, c.Kill(set[1]))
	if err := client.Put(t.Context(), "k", []byte("3")); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("write with one of three replicas: %v", err)
	}
	if _, _, err := client.Get(t.Context(), "k"); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("read with one of three replicas: %v", err)
	}
	ok(t, c.Restart(set[1]))
	eventually(t, "available again", func() bool { return client.Put(t.Context(), "k", []byte("4")) == nil })
	want(t, client, "k", "4")
}

func TestANodeComesBackFromItsLogAndGetsWhatItMissed(t *testing.T) {
	c, client := start(t, t.TempDir())
	ok(t, client.Put(t.Context(), "before", []byte("1")))
	id := replicas(t, c, "before")[0]
	eventually(t, "three copies", func() bool { return c.Up()[id].Holds("before") })
	ok(t, c.Kill(id))
	var missed string
	for i := 0; ; i++ {
		missed = fmt.Sprint("missed", i)
		if slices.Contains(replicas(t, c, missed), id) {
			break
		}
	}
	ok(t, client.Put(t.Context(), missed, []byte("2")))
	ok(t, c.Restart(id))
	node := c.Up()[id]
	if !node.Holds("before") || node.Stats().Replayed == 0 {
		t.Error("the log was not replayed")
	}
	eventually(t, "the hint was delivered", func() bool { return node.Holds(missed) })
	ok(t, c.Settle(t.Context()))
}

func TestAReadMendsReplicasThatAreBehind(t *testing.T) {
	c, client := start(t, t.TempDir())
	set := replicas(t, c, "k")
	for i, id := range set { // as if two writes had reached different replicas
		if i < 2 {
			_, err := tell(t, c, id, wire.Put, 1, entry("k", 1, "old")).Result()
			ok(t, err)
		}
	}
	_, err := tell(t, c, set[1], wire.Put, 1, entry("k", 2, "new")).Result()
	ok(t, err)
	for range 20 { // some of them ask replicas 0 and 2 first; those may answer with the old value
		_, _, err := client.Get(t.Context(), "k")
		ok(t, err)
	}
	for _, id := range set {
		eventually(t, id+" has the new value", func() bool {
			entries, err := tell(t, c, id, wire.Get, 1, []byte("k")).Result()
			return err == nil && len(entries) == 1 && string(entries[0].Value) == "new"
		})
	}
	want(t, client, "k", "new")
	var repaired int64
	for _, n := range c.Up() {
		repaired += n.Stats().Repaired
	}
	if repaired < 2 { // one had the old value, one had none
		t.Errorf("%d repairs counted", repaired)
	}
}

func TestADeletedKeyDoesNotComeBackWithANode(t *testing.T) {
	c, client := start(t, t.TempDir())
	ok(t, client.Put(t.Context(), "k", []byte("1")))
	id := replicas(t, c, "k")[0]
	eventually(t, "three copies", func() bool { return c.Up()[id].Holds("k") })
	ok(t, c.Kill(id), client.Delete(t.Context(), "k"), c.Restart(id))
	for range 10 {
		want(t, client, "k", "")
	}
	if keys, _, err := client.Keys(t.Context(), "", "", wire.PageSize); err != nil || len(keys) > 0 {
		t.Errorf("listed %v, %v", keys, err)
	}
}

func TestAnOlderEpochIsFenced(t *testing.T) {
	c, client := start(t, t.TempDir())
	ok(t, client.Put(t.Context(), "k", []byte("1")), c.Join(t.Context(), Names(6)[5]))
	for _, k := range []wire.Kind{wire.Put, wire.Get, wire.Keys, wire.Pull} {
		for _, epoch := range []uint64{1, 2, 4} {
			if m := tell(t, c, "n1", k, epoch, entry("k", 1, "stale")); m.Kind != wire.Stale || m.Epoch != 3 {
				t.Errorf("request %d of epoch %d: got %+v", k, epoch, m)
			}
		}
	}
	want(t, client, "k", "1")
}

// TestAJoinCopiesFromAQuorum stores keys on only two of three replicas, as a write does whose third copy was lost. Whatever single
// replica a joiner copied from, some of these keys would then be on one node only.
func TestAJoinCopiesFromAQuorum(t *testing.T) {
	c, _ := start(t, t.TempDir())
	var keys []string
	for i := range 300 {
		key := fmt.Sprint("k", i)
		keys = append(keys, key)
		set := replicas(t, c, key)
		for r, id := range set {
			if r != i%3 {
				_, err := tell(t, c, id, wire.Put, 1, entry(key, 1, "v")).Result()
				ok(t, err)
			}
		}
	}
	ok(t, c.Join(t.Context(), Names(6)[5]))
	copied := 0
	for _, key := range keys {
		held := 0
		for _, id := range replicas(t, c, key) {
			if c.Up()[id].Holds(key) {
				held++
				if id == "n6" {
					copied++
				}
			}
		}
		if held < 2 {
			t.Errorf("%s is on %d of its replicas", key, held)
		}
	}
	if copied == 0 {
		t.Error("nothing was copied")
	}
}

// TestAJoinFencesSmallReadQuorums has R=1: a single replica that missed the join must not answer reads of the old epoch.
func TestAJoinFencesSmallReadQuorums(t *testing.T) {
	c, err := Run(t.TempDir(), cluster.Quorum{N: 3, W: 3, R: 1}, Names(5), 1)
	ok(t, err)
	defer func() { ok(t, c.Close()) }()
	client := c.Client()
	ok(t, client.Put(t.Context(), "k", []byte("1")), c.Kill("n3"))
	if err := c.Join(t.Context(), Names(6)[5]); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("joined without n3, which could answer alone: %v", err)
	}
	ok(t, c.Restart("n3"))
	eventually(t, "n3 is asked again", func() bool { return c.Join(t.Context(), Names(6)[5]) == nil })
	ok(t, client.Put(t.Context(), "k", []byte("2")))
	want(t, client, "k", "2")
}

func TestANodeThatWasAwayDuringAJoinLearnsOfItAndDrops(t *testing.T) {
	c, client := start(t, t.TempDir())
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprint("k", i))
		ok(t, client.Put(t.Context(), keys[i], []byte("v")))
	}
	eventually(t, "n3 has its share", func() bool { return c.Up()["n3"].Stats().Entries == 300 }) // the only one in its zone
	ok(t, c.Kill("n3"), c.Join(t.Context(), Names(6)[5]), c.Restart("n3"))
	behind := wire.NewClient([]string{"n3"}, c.dial("client")) // it coordinates by its old view, and has to learn on the way
	defer behind.Close()
	ok(t, behind.Put(t.Context(), "k0", []byte("v")))
	for _, key := range keys {
		want(t, client, key, "v")
	}
	eventually(t, "n3 is at the new epoch", func() bool { return c.Up()["n3"].View().Epoch == 3 })
	for _, key := range keys {
		if c.Up()["n3"].Holds(key) && !slices.Contains(replicas(t, c, key), "n3") {
			t.Errorf("n3 still has %s", key)
		}
	}
}

func TestAJoinSurvivesTheDeathOfASourceAndIsContinuedAfterTheJoiners(t *testing.T) {
	c, client := start(t, t.TempDir())
	for i := range 500 {
		ok(t, client.Put(t.Context(), fmt.Sprint("k", i), make([]byte, 10_000)))
	}
	six := Names(6)[5]
	ctx, cancel := context.WithCancel(t.Context())
	joined := make(chan error, 1)
	go func() { joined <- c.Join(ctx, six) }()
	eventually(t, "the first page has arrived", func() bool { n := c.Up()["n6"]; return n != nil && n.Stats().Pulled > 0 })
	cancel() // and with it the streaming
	if err := <-joined; err == nil {
		t.Log("the join was faster than its end")
	}
	if c.View().Moving() {
		want(t, client, "k1", string(make([]byte, 10_000))) // both sets serve meanwhile
		if err := c.Join(t.Context(), member.Node{ID: "n7", Zone: "a"}); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("a second join meanwhile: %v", err)
		}
		ok(t, c.Kill("n6"))
		go func() { joined <- c.Join(t.Context(), six) }()
		eventually(t, "streaming again", func() bool { n := c.Up()["n6"]; return n != nil && n.Stats().Pulled > 0 })
		ok(t, c.Kill("n1"), <-joined)
	}
	if v := c.View(); v.Moving() || len(v.New) != 6 {
		t.Fatalf("view %+v", v)
	}
	for i := range 500 {
		if _, found, err := client.Get(t.Context(), fmt.Sprint("k", i)); err != nil || !found {
			t.Errorf("k%d: found %v, err %v", i, found, err)
		}
	}
}

func TestAFolderIsContinuedWithTheNodesThatHaveJoined(t *testing.T) {
	dir := t.TempDir()
	c, client := start(t, dir)
	ok(t, client.Put(t.Context(), "k", []byte("v")), c.Join(t.Context(), Names(6)[5]), c.Close())
	c, client = start(t, dir)
	if n := len(c.Up()); n != 6 || c.View().Epoch != 3 {
		t.Errorf("%d nodes, epoch %d", n, c.View().Epoch)
	}
	want(t, client, "k", "v")
	ok(t, client.Put(t.Context(), "k", []byte("w"))) // must win over the stamps of the former process
	want(t, client, "k", "w")
}

func TestListingIsCompleteAndOrderedWithANodeAway(t *testing.T) {
	c, client := start(t, t.TempDir())
	const n = 2500
	for i := range n {
		ok(t, client.Put(t.Context(), fmt.Sprintf("p/%04d", i), nil))
	}
	ok(t, client.Put(t.Context(), "q", nil), client.Delete(t.Context(), "p/0007"), c.Kill("n3"))
	var got []string
	for after := ""; ; {
		keys, next, err := client.Keys(t.Context(), "p/", after, wire.PageSize)
		ok(t, err)
		got = append(got, keys...)
		if after = next; next == "" {
			break
		}
	}
	if len(got) != n-1 || !slices.IsSorted(got) || slices.Contains(got, "p/0007") {
		t.Errorf("listed %d keys, sorted %v", len(got), slices.IsSorted(got))
	}
}

// TestRandomFaultsNeverShowAnOlderValue runs one client against kills, restarts and a join. At most one node is away, so every
// operation succeeds, and a read gives exactly the last value written.
func TestRandomFaultsNeverShowAnOlderValue(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		mode := cluster.Newest
		if seed%2 == 1 {
			mode = cluster.Linear
		}
		c, client := startIn(t, mode, t.TempDir())
		away := ""
		var joined chan error
		written := map[string]uint64{}
		for step := range uint64(1500) {
			key := fmt.Sprint("k", rng.IntN(40))
			switch op := rng.IntN(100); {
			case op < 45:
				ok(t, client.Put(t.Context(), key, binary.BigEndian.AppendUint64(nil, step)))
				written[key] = step
			case op < 95:
				e, found, err := client.Get(t.Context(), key)
				ok(t, err)
				last, was := written[key]
				if found != was || found && binary.BigEndian.Uint64(e.Value) != last {
					t.Fatalf("seed %d, step %d, %s: got %v %x, want %v %d", seed, step, key, found, e.Value, was, last)
				}
			case op < 97 && away == "":
				away = Names(5)[rng.IntN(5)].ID
				ok(t, c.Kill(away))
			case op < 99 && away != "":
				ok(t, c.Restart(away), c.Settle(t.Context()))
				away = ""
			case step > 400 && joined == nil:
				joined = make(chan error, 1)
				go func() { joined <- c.Join(t.Context(), Names(6)[5]) }()
			}
		}
		if joined != nil {
			ok(t, <-joined)
		}
	}
}

func TestBadQuorumsAndNamesAreRefused(t *testing.T) {
	for _, q := range []cluster.Quorum{{}, {N: 6, W: 1, R: 1}, {N: 3, W: 4, R: 1}, {N: 3, W: 1, R: 0}} {
		if _, err := Run(t.TempDir(), q, Names(5), 1); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("%+v: got %v", q, err)
		}
	}
	c, _ := start(t, t.TempDir())
	for _, id := range []string{"", "n1", "../n9", "a/b", ".", ".."} {
		if err := c.Join(t.Context(), member.Node{ID: id, Zone: "a"}); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("join of %q: %v", id, err)
		}
	}
	if err := errors.Join(c.Kill("n9"), c.Restart("n9")); !errors.Is(err, wire.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestTheSameNodesRunOverTCP starts three nodes by hand, on real sockets.
func TestTheSameNodesRunOverTCP(t *testing.T) {
	members := Names(3)
	addresses := map[string]string{}
	listeners := map[string]net.Listener{}
	for _, m := range members {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		ok(t, err)
		addresses[m.ID], listeners[m.ID] = l.Addr().String(), l
	}
	dial := func(ctx context.Context, to string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addresses[to])
	}
	first := member.View{Epoch: 1, Old: members, New: members}
	nodes := map[string]*cluster.Node{}
	for id, l := range listeners {
		n, err := cluster.Start(cluster.Config{ID: id, Dir: t.TempDir(), Quorum: standard(), First: first, Dial: dial}, l)
		ok(t, err)
		nodes[id] = n
	}
	client := wire.NewClient([]string{"n1", "n2", "n3"}, dial)
	defer client.Close()
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 50 {
				key := fmt.Sprint("k", w, "-", i)
				if err := client.Put(t.Context(), key, []byte(key)); err != nil {
					t.Error(err)
				}
				want(t, client, key, key)
			}
		})
	}
	all.Wait()
	ok(t, nodes["n2"].Stop())
	ok(t, client.Put(t.Context(), "k", []byte("still")))
	want(t, client, "k", "still")
	ok(t, nodes["n1"].Stop(), nodes["n3"].Stop())
}
