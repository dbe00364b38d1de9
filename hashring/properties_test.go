package hashring

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// forMemberships runs a property on random memberships of a real size, without and with zones.
func forMemberships(t *testing.T, run func(t *testing.T, rnd *rand.Rand, r *Ring[string], fresh func() Node[string])) {
	t.Helper()
	seed := rand.Uint64()
	for _, zones := range []int{0, 1, 2, 3, 9} {
		t.Run(fmt.Sprintf("zones=%d", zones), func(t *testing.T) {
			t.Logf("seed %d", seed)
			rnd := rand.New(rand.NewPCG(seed, uint64(zones)))
			next := 0
			fresh := func() Node[string] {
				next++
				n := Node[string]{ID: fmt.Sprintf("node-%x", rnd.Uint64()), Weight: []float64{0, 0.5, 1, 2, 0.001}[next%5]}
				if zones > 0 {
					n.Zone = string(rune('a' + rnd.IntN(zones)))
				}
				return n
			}
			for range 5 {
				var nodes []Node[string]
				for range 1 + rnd.IntN(24) {
					nodes = append(nodes, fresh())
				}
				run(t, rnd, mustNew(t, nodes, Options{VNodes: 1 + rnd.IntN(40)}), fresh)
			}
		})
	}
}

func anyOf(rnd *rand.Rand, r *Ring[string]) Node[string] {
	return r.Snapshot().nodes[rnd.IntN(r.Snapshot().Len())]
}

// onlyOne checks that no replica set gains or loses more than one member, and that gained and lost are as wanted.
func onlyOne(t *testing.T, what string, c Change[string], gain, lose func(id string) bool) {
	t.Helper()
	for n := 1; n <= 4; n++ {
		for m := range c.Moves(n) {
			gained, lost := m.Gained(), m.Lost()
			if len(gained) > 1 || len(lost) > 1 {
				t.Fatalf("%s, n = %d: %d gain and %d lose %x", what, n, len(gained), len(lost), m.Range)
			}
			for _, g := range gained {
				if !gain(g.ID) {
					t.Fatalf("%s, n = %d: %s gains %x", what, n, g.ID, m.Range)
				}
			}
			for _, l := range lost {
				if !lose(l.ID) {
					t.Fatalf("%s, n = %d: %s loses %x", what, n, l.ID, m.Range)
				}
			}
		}
	}
}

func TestJoinMovesKeysOnlyToTheJoiner(t *testing.T) {
	forMemberships(t, func(t *testing.T, _ *rand.Rand, r *Ring[string], fresh func() Node[string]) {
		t.Helper()
		joiner := fresh()
		c, err := r.Add(joiner)
		if err != nil {
			t.Fatal(err)
		}
		onlyOne(t, "join", c,
			func(id string) bool { return id == joiner.ID },
			func(id string) bool { return id != joiner.ID })
	})
}

func TestLeaveMovesKeysOnlyFromTheLeaver(t *testing.T) {
	forMemberships(t, func(t *testing.T, rnd *rand.Rand, r *Ring[string], _ func() Node[string]) {
		t.Helper()
		leaver := anyOf(rnd, r)
		onlyOne(t, "leave", r.Remove(leaver.ID),
			func(id string) bool { return id != leaver.ID },
			func(id string) bool { return id == leaver.ID })
	})
}

func TestWeightChangeMovesKeysOnlyToOrFromThatNode(t *testing.T) {
	forMemberships(t, func(t *testing.T, rnd *rand.Rand, r *Ring[string], _ func() Node[string]) {
		t.Helper()
		n := anyOf(rnd, r)
		n.Weight = 5
		c, err := r.Add(n)
		if err != nil {
			t.Fatal(err)
		}
		is := func(id string) bool { return id == n.ID }
		isNot := func(id string) bool { return id != n.ID }
		onlyOne(t, "more weight", c, is, isNot)
		n.Weight = 0.2
		if c, err = r.Add(n); err != nil {
			t.Fatal(err)
		}
		onlyOne(t, "less weight", c, isNot, is)
	})
}

func TestRemoveThenAddRestoresOwners(t *testing.T) {
	forMemberships(t, func(t *testing.T, rnd *rand.Rand, r *Ring[string], fresh func() Node[string]) {
		t.Helper()
		n := anyOf(rnd, r)
		before := r.Snapshot()
		r.Remove(n.ID)
		if _, err := r.Add(fresh()); err != nil {
			t.Fatal(err)
		}
		extra := r.Snapshot().nodes
		if _, err := r.Add(n); err != nil {
			t.Fatal(err)
		}
		for _, e := range extra {
			if _, was := before.Node(e.ID); !was {
				r.Remove(e.ID)
			}
		}
		after := r.Snapshot()
		if before.Fingerprint() != after.Fingerprint() || !slices.Equal(before.Ranges(n.ID, 2), after.Ranges(n.ID, 2)) {
			t.Error("a node that left and came back has other ranges")
		}
	})
}

func TestOrderOfInsertionDoesNotMatter(t *testing.T) {
	forMemberships(t, func(t *testing.T, rnd *rand.Rand, r *Ring[string], _ func() Node[string]) {
		t.Helper()
		s := r.Snapshot()
		nodes := slices.Clone(s.nodes)
		rnd.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		other := mustNew(t, nodes[:1], Options{VNodes: s.vnodes})
		for _, n := range nodes[1:] {
			if _, err := other.Add(n); err != nil {
				t.Fatal(err)
			}
		}
		if other.Snapshot().Fingerprint() != s.Fingerprint() {
			t.Error("fingerprint depends on the order of insertion")
		}
		if !slices.Equal(other.Snapshot().ring.tokens, s.ring.tokens) || !slices.Equal(other.Snapshot().ring.owners, s.ring.owners) {
			t.Error("tables depend on the order of insertion")
		}
	})
}

func TestReplicasAreDistinctAndPrefixed(t *testing.T) {
	forMemberships(t, func(t *testing.T, rnd *rand.Rand, r *Ring[string], _ func() Node[string]) {
		t.Helper()
		s := r.Snapshot()
		size := map[string]int{}
		for _, n := range s.nodes {
			size[n.Zone]++
		}
		for range 50 {
			token := rnd.Uint64()
			var order []Node[string]
			used := map[string]int{}
			for n := range s.WalkToken(token) {
				if slices.ContainsFunc(order, func(m Node[string]) bool { return m.ID == n.ID }) {
					t.Fatalf("%s comes twice", n.ID)
				}
				// While another zone lasts, it is not more than one behind.
				for z := range size {
					if n.Zone != "" && used[z] < size[z] && used[z] < used[n.Zone] {
						t.Fatalf("zone %s has %d, takes another while %s has %d of %d", n.Zone, used[n.Zone], z, used[z], size[z])
					}
				}
				used[n.Zone]++
				order = append(order, n)
			}
			if len(order) != s.Len() {
				t.Fatalf("walk has %d of %d nodes", len(order), s.Len())
			}
		}
		all := r.GetN("some key", s.Len()+5)
		for n := range s.Len() {
			if got := r.GetN("some key", n); !slices.Equal(got, all[:n]) {
				t.Fatalf("GetN(%d) is no prefix", n)
			}
		}
	})
}

func TestRangesAgreeWithOwnerAtTheirEnds(t *testing.T) {
	forMemberships(t, func(t *testing.T, _ *rand.Rand, r *Ring[string], _ func() Node[string]) {
		t.Helper()
		s := r.Snapshot()
		sum := new(big.Int)
		for n := range s.All() {
			for _, g := range s.Ranges(n.ID, 1) {
				sum.Add(sum, new(big.Int).SetUint64(g.Last-g.First)).Add(sum, big.NewInt(1))
				for _, token := range []uint64{g.First, g.Last} {
					if o, _ := s.Owner(token); o.ID != n.ID {
						t.Fatalf("%s has %x, but %s owns %x", n.ID, g, o.ID, token)
					}
				}
				for _, outside := range []uint64{g.First - 1, g.Last + 1} {
					wraps := outside == 0 || outside+1 == 0
					if o, _ := s.Owner(outside); o.ID == n.ID && !wraps {
						t.Fatalf("range %x of %s is not maximal", g, n.ID)
					}
				}
			}
		}
		if sum.Cmp(twoTo64) != 0 {
			t.Fatalf("ranges cover %v tokens", sum)
		}
	})
}

// TestBoundHoldsExactly checks the shares in integers, for hard shapes: few points, wide weights, tight bounds.
func TestBoundHoldsExactly(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		o := Options{VNodes: 1 + rnd.IntN(20), LoadFactor: []float64{1.01, 1.02, 1.1, 1.5, 3, 100}[rnd.IntN(6)]}
		nodes := named("n", 1+rnd.IntN(40))
		for i := range nodes {
			nodes[i].Weight = []float64{0, 0.001, 1, 7, 30}[rnd.IntN(5)]
		}
		s := mustNew(t, nodes, o).Snapshot()
		rooms := newOracle(nodes[:0], o).roomsOf(nodes)
		sum := 0.0
		for n := range s.All() {
			owned := new(big.Int)
			for _, g := range s.Ranges(n.ID, 1) {
				owned.Add(owned, new(big.Int).SetUint64(g.Last-g.First)).Add(owned, big.NewInt(1))
			}
			if owned.Cmp(rooms[n.ID]) > 0 {
				t.Fatalf("%+v: %s owns %v of %v", o, n.ID, owned, rooms[n.ID])
			}
			sum += s.Stats().Share[n.ID]
		}
		if sum < 1-1e-9 || sum > 1+1e-9 {
			t.Fatalf("%+v: shares sum to %v", o, sum)
		}
	}
}

// roomsOf is rooms for other nodes.
func (o *oracle) roomsOf(nodes []Node[string]) map[string]*big.Int {
	return (&oracle{o: o.o, nodes: nodes}).rooms()
}
