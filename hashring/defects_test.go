package hashring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"
)

// The tests of this file are named after defects of other packages. Each names the report.

// within fails the test if run does not come back: the defect was an endless loop.
func within(t *testing.T, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("endless loop")
	}
}

// stathat/consistent#10: CRC32 of similar names spreads poorly.
func TestSimilarNamesSpreadEvenly(t *testing.T) {
	for name, form := range map[string]string{"numbers": "%d", "hosts": "10.0.0.%d:6379", "bytes": "%c"} {
		var ids []string
		for i := range 200 {
			ids = append(ids, fmt.Sprintf(form, i+1))
		}
		st := mustNew(t, Nodes(ids...), Options{}).Snapshot().Stats()
		// Theory 0.0624; the estimate from 200 nodes deviates by 5 %, five times that is the band.
		if st.StdDev > 0.0624*1.25 || st.Peak > 1.4 {
			t.Errorf("%s: deviation %.4f, peak %.3f", name, st.StdDev, st.Peak)
		}
	}
}

// stathat/consistent, zeromicro/go-zero#5595: a colliding point is overwritten, and removal deletes it for both.
func TestCollidingPointSurvivesRemovalOfItsTwin(t *testing.T) {
	for _, o := range []Options{{Hash: func(string) uint64 { return 1 }}, {VNodes: 3, Hash: func(string) uint64 { return 0 }}} {
		r := mustNew(t, Nodes("a", "b"), o)
		r.Remove("a")
		if got := r.Snapshot().Stats().Points; got != defaultOr(o.VNodes) {
			t.Errorf("%d points are left of %d", got, defaultOr(o.VNodes))
		}
		if v, ok := r.Get("key"); !ok || v != "b" {
			t.Errorf("owner is %q, %v", v, ok)
		}
	}
	shared := []Node[string]{{ID: "a", Tokens: []uint64{5, 9}}, {ID: "b", Tokens: []uint64{5}}}
	r := mustNew(t, shared, Options{})
	if n, _ := r.Snapshot().Owner(5); n.ID != "a" {
		t.Errorf("the lower ID owns an equal point, not %s", n.ID)
	}
	r.Remove("a")
	if n, _ := r.Snapshot().Owner(5); n.ID != "b" {
		t.Errorf("the shadowed point did not come up: %s", n.ID)
	}
}

func defaultOr(v int) int {
	if v == 0 {
		return 256
	}
	return v
}

// stathat/consistent: a second Add, or a Remove of an unknown node, makes the count drift; GetN then never ends.
func TestRepeatedAddAndUnknownRemoveKeepTheCount(t *testing.T) {
	r := mustNew(t, Nodes("a", "b"), Options{})
	before := r.Snapshot().Fingerprint()
	for range 3 {
		c, err := r.Add(Nodes("a")...)
		if err != nil {
			t.Fatal(err)
		}
		for range c.Moves(2) {
			t.Error("a repeated Add moves keys")
		}
		r.Remove("unknown", "", "unknown")
	}
	within(t, func() {
		if got := r.GetN("key", 5); len(got) != 2 || r.Snapshot().Len() != 2 || r.Snapshot().Fingerprint() != before {
			t.Errorf("GetN %v, Len %d", got, r.Snapshot().Len())
		}
	})
}

// buraksezer/consistent#13, #28, Tochemey/goakt#1009: panic when the load cap leaves no room.
func TestBoundAlwaysFindsRoom(t *testing.T) {
	for nodes := 1; nodes <= 60; nodes++ {
		for _, points := range []int{1, 2, 23} {
			for _, f := range []float64{1.01, 1.0101, 1.25, 100} {
				members := named("n", nodes)
				members[0].Weight = 40
				s := mustNew(t, members, Options{VNodes: points, LoadFactor: f}).Snapshot()
				if peak := s.Stats().Peak; peak > f+1e-9 {
					t.Fatalf("%d nodes, %d points, bound %v: peak %v", nodes, points, f, peak)
				}
			}
		}
	}
}

// buraksezer/consistent: the second replica of a node's keys is the same neighbour for all of them.
func TestSecondReplicasOfOneNodeSpread(t *testing.T) {
	s := mustNew(t, named("node", 20), Options{}).Snapshot()
	heirs := map[string]float64{}
	for r, list := range s.AllRanges(2) {
		if list[0].ID == "node-007" {
			heirs[list[1].ID] += r.Fraction()
		}
	}
	for id, part := range heirs {
		if part > 0.05/3 { // the node owns about 0.05 of the ring
			t.Errorf("%s backs %.0f%% of node-007", id, 100*part/0.05)
		}
	}
	if len(heirs) != 19 {
		t.Errorf("%d of 19 nodes back node-007", len(heirs))
	}
}

// lafikl/consistent: division by zero on an empty ring, negative counters after an extra Done.
func TestBalancerOnEmptyRingAndDoubleRelease(t *testing.T) {
	var empty Ring[string]
	b := mustBalance(t, &empty, 0)
	if _, ok := b.Acquire("key"); ok {
		t.Error("a lease on an empty ring")
	}
	if _, ok := b.AcquireFunc("key", func(Node[string]) bool { return true }); ok {
		t.Error("a lease on an empty ring")
	}
	if _, err := empty.Add(Nodes("a")...); err != nil {
		t.Fatal(err)
	}
	lease, _ := b.Acquire("key")
	lease.Release()
	lease.Release()
	new(Lease[string]).Release()
	if st := b.Stats(); st.Total != 0 || len(st.Load) != 0 {
		t.Errorf("%+v", st)
	}
}

// serialx/hashring#27: one point a node splits two nodes 97 to 3. golang/groupcache#29: three by default.
func TestTwoNodesSplitEvenlyByDefault(t *testing.T) {
	for i := range 200 {
		st := mustNew(t, Nodes(fmt.Sprint("a", i), fmt.Sprint("b", i)), Options{}).Snapshot().Stats()
		// The share is Beta(256, 256): deviation 0.022; 0.39 … 0.61 are five of these.
		for id, share := range st.Share {
			if share < 0.39 || share > 0.61 {
				t.Errorf("%s owns %.3f", id, share)
			}
		}
	}
}

// serialx/hashring#16: placement came to depend on the order of the input.
func TestInputOrderDoesNotChangePlacement(t *testing.T) {
	a := mustNew(t, Nodes("a", "b", "c"), Options{}).Snapshot()
	b := mustNew(t, Nodes("c", "a", "b"), Options{}).Snapshot()
	if a.Fingerprint() != b.Fingerprint() || !slices.Equal(a.ring.tokens, b.ring.tokens) {
		t.Error("placement depends on the order of the input")
	}
}

// serialx/hashring#22, Kong/kong#14957: nodes missing from the list, skipped by the failover walk.
func TestWalkReachesEveryNodeWhateverItsWeight(t *testing.T) {
	nodes := named("n", 300)
	for i := range nodes {
		nodes[i].Weight = math.Pow(2, float64(i%20)-16)
	}
	s := mustNew(t, nodes, Options{}).Snapshot()
	for i := range 50 {
		met := map[string]bool{}
		for n := range s.Walk(strconv.Itoa(i)) {
			met[n.ID] = true
		}
		if len(met) != 300 {
			t.Fatalf("the walk meets %d of 300 nodes", len(met))
		}
	}
}

// gobwas/hashring: a weight of zero or less panics. dgryski/go-rendezvous: Remove panics.
func TestBadWeightAndUnknownRemovalDoNotPanic(t *testing.T) {
	r := mustNew(t, Nodes("a"), Options{})
	if _, err := r.Add(Node[string]{ID: "b", Weight: -1}); !errors.Is(err, ErrInvalid) {
		t.Errorf("negative weight: %v", err)
	}
	if _, err := r.Add(Node[string]{ID: "b", Weight: 0}); err != nil {
		t.Errorf("zero weight means 1: %v", err)
	}
	r.Remove("c")
	r.Remove()
}

// grafana/dskit#438: processes disagree about a token that two nodes claim.
func TestTokenConflictIsSettledAlikeEverywhere(t *testing.T) {
	nodes := []Node[string]{{ID: "b", Tokens: []uint64{1, 7}}, {ID: "a", Tokens: []uint64{7, 3}}, {ID: "c", Tokens: []uint64{7}}}
	first := mustNew(t, nodes, Options{})
	slices.Reverse(nodes)
	second := mustNew(t, nodes[:1], Options{})
	for _, n := range nodes[1:] {
		if _, err := second.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	for token := range uint64(10) {
		a, _ := first.Snapshot().Owner(token)
		b, _ := second.Snapshot().Owner(token)
		if a.ID != b.ID || token == 7 && a.ID != "a" {
			t.Errorf("token %d: %s and %s", token, a.ID, b.ID)
		}
	}
}

// thanos-io/thanos#5639: endless loop when there are fewer nodes than replicas; #5604: the same node twice;
// #7054: an empty ring is refused.
func TestFewerNodesThanReplicas(t *testing.T) {
	for zones := range 3 {
		nodes := named("n", 2)
		for i := range nodes {
			if zones > 0 {
				nodes[i].Zone = strconv.Itoa(i % zones)
			}
		}
		r := mustNew(t, nodes, Options{})
		within(t, func() {
			got := r.GetN("key", 5)
			if len(got) != 2 || got[0] == got[1] {
				t.Errorf("GetN gave %v", got)
			}
		})
	}
	if _, err := New([]Node[string]{}, Options{}); err != nil {
		t.Errorf("an empty ring is refused: %v", err)
	}
}

// uber/ringpop-go#196: host:2100 with 1 and host:210 with 01 name one point.
func TestPointNamesAreNotAmbiguous(t *testing.T) {
	points := map[uint64]string{}
	s := mustNew(t, Nodes("host:210", "host:2100", "host:21000", "a", "a1", "a11"), Options{VNodes: 200}).Snapshot()
	for i, token := range s.ring.tokens[:s.ring.len()] {
		if other, ok := points[token]; ok {
			t.Errorf("%s and %s share the point %x", other, s.nodes[s.ring.owners[i]].ID, token)
		}
		points[token] = s.nodes[s.ring.owners[i]].ID
	}
	a := mustNew(t, Nodes("ab", "c"), Options{}).Snapshot()
	b := mustNew(t, Nodes("a", "bc"), Options{}).Snapshot()
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("fingerprints of other names are equal")
	}
}

// zalando/skipper#1803: a jump hash lets only the last bucket go; golang/groupcache#115: nothing can go.
func TestAnyNodeMayLeave(t *testing.T) {
	for i := range 10 {
		r := mustNew(t, named("n", 10), Options{})
		leaver := fmt.Sprintf("n-%03d", i)
		for m := range r.Remove(leaver).Moves(1) {
			if m.Old[0].ID != leaver {
				t.Fatalf("%s left, and %s lost keys", leaver, m.Old[0].ID)
			}
		}
	}
}

// coreos/torus#246: a small weight gets no points at all.
func TestTinyWeightHasAPoint(t *testing.T) {
	r := mustNew(t, []Node[string]{{ID: "a", Weight: math.SmallestNonzeroFloat64}, {ID: "b"}}, Options{VNodes: 1})
	if got := r.Snapshot().Stats().Points; got != 2 {
		t.Errorf("%d points, want one each", got)
	}
}

// grafana/agent#3924: the number of points changed under a running cluster, unseen.
func TestFingerprintCoversAllThatPlacesKeys(t *testing.T) {
	base := []Node[string]{{ID: "a", Zone: "x"}, {ID: "b", Zone: "y"}}
	prints := map[uint64]string{}
	see := func(what string, nodes []Node[string], o Options) {
		fp := mustNew(t, nodes, o).Snapshot().Fingerprint()
		if other, ok := prints[fp]; ok {
			t.Errorf("%s and %s have one fingerprint", what, other)
		}
		prints[fp] = what
	}
	see("base", base, Options{})
	see("points", base, Options{VNodes: 255})
	see("bound", base, Options{LoadFactor: 1.25})
	see("seed", base, Options{Seed: 1})
	see("tags", base, Options{HashTags: true})
	see("hash", base, Options{Hash: func(s string) uint64 { return Hash(s) ^ 1 }})
	see("zone", []Node[string]{{ID: "a", Zone: "x"}, {ID: "b", Zone: "z"}}, Options{})
	see("weight", []Node[string]{{ID: "a", Zone: "x", Weight: 2}, {ID: "b", Zone: "y"}}, Options{})
	see("tokens", []Node[string]{{ID: "a", Zone: "x", Tokens: []uint64{1}}, {ID: "b", Zone: "y"}}, Options{})
	see("member", base[:1], Options{})
	if got := mustNew(t, base, Options{VNodes: 256}).Snapshot().Fingerprint(); prints[got] != "base" {
		t.Error("the default of VNodes is not 256")
	}
}
