package process

import (
	"net"
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
)

func TestPeersAreChecked(t *testing.T) {
	for _, bad := range []string{"", "a", "a=", "a=host", "=h:1", "a=h:1,a=h:2", "../a=h:1", "a=h:1,"} {
		if peers, err := ParsePeers(bad); err == nil {
			t.Errorf("%q: %v", bad, peers)
		}
	}
	peers, err := ParsePeers("b=h:2,a=[::1]:1")
	if err != nil || len(peers) != 2 || peers["a"] != "[::1]:1" || peers.members()[0].ID != "a" {
		t.Errorf("%v, %v", peers, err)
	}
}

func TestNodesOverTCPAgreeInEveryMode(t *testing.T) {
	for _, mode := range []cluster.Mode{cluster.Newest, cluster.Linear, cluster.Available} {
		t.Run(string(mode), func(t *testing.T) {
			peers := Peers{"a": "", "b": "", "c": ""}
			for id := range peers {
				l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				peers[id] = l.Addr().String()
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			all := make(map[string]*Process)
			for id := range peers {
				p, err := Start(t.Context(), t.TempDir(), id, cluster.Quorum{N: 3, W: 2, R: 2, Mode: mode}, peers)
				if err != nil {
					t.Fatal(err)
				}
				all[id] = p
			}
			client := all["a"].Client()
			defer client.Close()
			if err := client.Put(t.Context(), "k", []byte("v")); err != nil {
				t.Error(err)
			}
			if err := all["b"].Close(); err != nil {
				t.Error(err)
			}
			for range 3 { // through every node, also the one that is away
				if e, _, err := client.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
					t.Errorf("got %q, %v", e.Value, err)
				}
			}
			for _, id := range []string{"a", "c"} {
				if err := all[id].Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if p, err := Start(t.Context(), t.TempDir(), "z", cluster.Quorum{N: 1, W: 1, R: 1}, Peers{"a": "127.0.0.1:1"}); err == nil {
		t.Errorf("a node that nobody knows: %v", p)
	}
}
