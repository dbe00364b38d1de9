package local

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// TestIncrementsAreCountedOnceThroughKillsAndAJoin lets four clients add to one number.
func TestIncrementsAreCountedOnceThroughKillsAndAJoin(t *testing.T) {
	c, client := startIn(t, cluster.Linear, t.TempDir())
	set := replicas(t, c, "n")
	var acked, unknown atomic.Int64
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			own := c.Client()
			defer own.Close()
			for i := range 60 {
				if err := own.Add(t.Context(), "n", 1); err != nil {
					unknown.Add(1)
				} else {
					acked.Add(1)
				}
				if worker == 0 {
					switch i {
					case 10:
						ok(t, c.Kill(set[0]))
					case 25:
						ok(t, c.Restart(set[0]), c.Join(t.Context(), Names(6)[5]))
					case 40:
						ok(t, c.Kill(set[1]))
					}
				}
			}
		})
	}
	all.Wait()
	e, _, err := client.Get(t.Context(), "n")
	ok(t, err)
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil || n < acked.Load() || n > acked.Load()+unknown.Load() {
		t.Errorf("%d after %d acknowledged and %d unknown increments, %v", n, acked.Load(), unknown.Load(), err)
	}
}

func TestOfTwoConditionalPutsOneWins(t *testing.T) {
	c, client := startIn(t, cluster.Linear, t.TempDir())
	var version storage.Stamp
	for round := range 30 {
		var won, lost atomic.Int64
		made := make([]storage.Stamp, 4)
		var all sync.WaitGroup
		for i := range made {
			all.Go(func() {
				own := c.Client()
				defer own.Close()
				var err error
				made[i], err = own.PutIf(t.Context(), "k", fmt.Append(nil, round, i), version)
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, wire.ErrConflict):
					lost.Add(1)
					made[i] = storage.Stamp{}
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		e, _, err := client.Get(t.Context(), "k")
		ok(t, err)
		if won.Load() != 1 || lost.Load() != 3 || !slices.Contains(made, e.Stamp) {
			t.Fatalf("round %d: %d won, %d lost; made %v, found %v", round, won.Load(), lost.Load(), made, e.Stamp)
		}
		version = e.Stamp
	}
}

func TestALinearClusterRemembersAfterAllNodesHaveRestarted(t *testing.T) {
	dir := t.TempDir()
	c, client := startIn(t, cluster.Linear, dir)
	ok(t, client.Put(t.Context(), "k", []byte("v")), client.Add(t.Context(), "n", 3))
	e, _, err := client.Get(t.Context(), "k")
	ok(t, err, c.Close())
	_, client = startIn(t, cluster.Linear, dir)
	want(t, client, "k", "v")
	want(t, client, "n", "3")
	_, err = client.PutIf(t.Context(), "k", []byte("w"), e.Stamp)
	ok(t, err)
}

// TestGuestsComeHome writes while two of three replicas are away. Their copies lie on other nodes, which may restart, and go home.
func TestGuestsComeHome(t *testing.T) {
	c, client := startIn(t, cluster.Available, t.TempDir())
	set := replicas(t, c, "k")
	ok(t, c.Kill(set[0]), c.Kill(set[1]), client.Put(t.Context(), "k", []byte("v")))
	want(t, client, "k", "v")
	guest := ""
	for id, n := range c.Up() {
		if !slices.Contains(set, id) && n.Holds("k") {
			guest = id
		}
	}
	if guest == "" {
		t.Fatal("nobody stands in")
	}
	ok(t, c.Kill(guest), c.Restart(guest))
	if c.Up()[guest].Pending() != 1 {
		t.Error("a guest is forgotten in a restart")
	}
	ok(t, c.Restart(set[0]), c.Restart(set[1]), c.Settle(t.Context()))
	eventually(t, "every replica has it, and the guest is gone", func() bool {
		for _, id := range set {
			if !c.Up()[id].Holds("k") {
				return false
			}
		}
		return !c.Up()[guest].Holds("k")
	})
	want(t, client, "k", "v")
}

func TestAvailableRefusesOnlyWhenTooFewNodesAreThere(t *testing.T) {
	c, client := startIn(t, cluster.Available, t.TempDir())
	ok(t, client.Put(t.Context(), "k", []byte("1")))
	for _, id := range []string{"n1", "n2", "n3"} {
		ok(t, c.Kill(id))
	}
	for i := range 20 { // whoever the replicas are
		ok(t, client.Put(t.Context(), fmt.Sprint("k", i), []byte("2")))
	}
	ok(t, c.Kill("n4"))
	if err := client.Put(t.Context(), "k", []byte("3")); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("one node alone: %v", err)
	}
	if err := client.Add(t.Context(), "k", 1); err == nil {
		t.Error("an increment where there may be siblings")
	}
}

func TestSiblingsSurviveAJoin(t *testing.T) {
	c, client := startIn(t, cluster.Available, t.TempDir())
	const keys = 100
	for i := range keys {
		for _, value := range []string{"a", "b"} { // neither has seen the other
			_, err := client.PutIf(t.Context(), fmt.Sprint("k", i), []byte(value), storage.Stamp{})
			ok(t, err)
		}
	}
	ok(t, c.Join(t.Context(), Names(6)[5]))
	for i := range keys {
		versions, err := client.Versions(t.Context(), fmt.Sprint("k", i))
		ok(t, err)
		if len(versions) != 2 {
			t.Errorf("k%d has %d versions", i, len(versions))
			continue
		}
		_, err = client.PutIf(t.Context(), fmt.Sprint("k", i), []byte("ab"), versions[0].Stamp)
		ok(t, err)
		want(t, client, fmt.Sprint("k", i), "ab")
	}
}

func TestAFolderKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	c, client := startIn(t, cluster.Linear, dir)
	ok(t, client.Put(t.Context(), "k", []byte("v")), c.Close())
	for _, mode := range []cluster.Mode{"", cluster.Newest, cluster.Available} {
		if _, err := Run(dir, cluster.Quorum{N: 3, W: 2, R: 2, Mode: mode}, Names(5), 1); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("mode %q: %v", mode, err)
		}
	}
}
