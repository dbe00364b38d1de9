package hashring

import (
	"fmt"
	"math"
	"testing"
)

// TestSharesSpreadAsTheorySays compares the deviation of the shares with that of random points. The share of a
// node of V points out of nV is Beta(V, (n-1)V), so share/fair has the variance (n-1)/(nV+1), about 1/V. The
// estimate from n nodes has a relative error of about 1/√(2n); bands are 5 of these, a false alarm below 10⁻⁶.
func TestSharesSpreadAsTheorySays(t *testing.T) {
	for _, c := range []struct{ nodes, points int }{{2000, 1}, {2000, 16}, {1000, 100}, {1000, 256}, {200, 1024}} {
		s := mustNew(t, named("node", c.nodes), Options{VNodes: c.points}).Snapshot()
		st := s.Stats()
		n, v := float64(c.nodes), float64(c.points)
		want := math.Sqrt((n - 1) / (n*v + 1))
		// With one point a share is exponential, whose fourth moment widens the error of the deviation: the
		// kurtosis excess of a gamma variable with V is 6/V.
		band := 5 * math.Sqrt((2+6/v)/(4*n))
		if math.Abs(st.StdDev/want-1) > band {
			t.Errorf("%d nodes, %d points: deviation %.4f, theory %.4f ± %.0f%%", c.nodes, c.points, st.StdDev, want, 100*band)
		}
		// P(share/fair > x) for a gamma variable with mean 1 is below exp(-V·(x-1-ln x)) (Chernoff); over n
		// nodes the chance to pass the peak below is under 10⁻⁶.
		peak := 1.0
		for v*(peak-1-math.Log(peak)) < math.Log(n*1e6) {
			peak += 0.001
		}
		if st.Peak > peak || st.Peak < 1+want {
			t.Errorf("%d nodes, %d points: peak %.3f, want %.3f … %.3f", c.nodes, c.points, st.Peak, 1+want, peak)
		}
	}
}

// TestKeysFollowTheExactShares is a chi-square test of keys per node against Stats.Share. With k-1 = 49 degrees
// of freedom the value exceeds 111.5 with a chance of 10⁻⁶ (Wilson and Hilferty), and falls below 11.5 likewise.
func TestKeysFollowTheExactShares(t *testing.T) {
	const keys, low, high = 200_000, 11.5, 111.5
	for name, o := range map[string]Options{"plain": {}, "seed": {Seed: 42}, "bound": {LoadFactor: 1.02}, "rough": {VNodes: 2}} {
		r := mustNew(t, named("node", 50), o)
		count := map[string]int{}
		for i := range keys {
			id, _ := r.Get(fmt.Sprintf("user:%d", i))
			count[id]++
		}
		chi := 0.0
		for id, share := range r.Snapshot().Stats().Share {
			want := share * keys
			chi += (float64(count[id]) - want) * (float64(count[id]) - want) / want
		}
		if chi < low || chi > high {
			t.Errorf("%s: chi-square %.1f, want %v … %v", name, chi, low, high)
		}
	}
}

// TestRemovedNodesKeysSpreadOverAll shows that the keys of a leaver do not fall on one neighbour: each of the 99
// others inherits part of its 256 arcs, and none more than a tenth (mean 0.01, deviation below 0.008).
func TestRemovedNodesKeysSpreadOverAll(t *testing.T) {
	r := mustNew(t, named("node", 100), Options{})
	heirs, total := map[string]float64{}, 0.0
	for m := range r.Remove("node-042").Moves(1) {
		heirs[m.New[0].ID] += m.Range.Fraction()
		total += m.Range.Fraction()
	}
	for id, part := range heirs {
		if part > total/10 {
			t.Errorf("%s inherits %.1f%% of the leaver", id, 100*part/total)
		}
	}
	if len(heirs) < 80 { // 256 arcs to 99 heirs leave out e^-2.6, seven of them; 5 sigma is twelve more
		t.Errorf("only %d nodes inherit", len(heirs))
	}
}

// TestBoundCostsLittleMovement prints what a join moves under a bound, against the ideal share of the joiner,
// and holds it to the figures of the documentation with a margin.
func TestBoundCostsLittleMovement(t *testing.T) {
	if testing.Short() {
		t.Skip("a few hundred rings")
	}
	for _, c := range []struct{ bound, most float64 }{{0, 1.1}, {1.25, 1.1}, {1.10, 1.2}, {1.05, 1.6}, {1.02, 2.2}} {
		sum := 0.0
		const joins = 20
		for i := range joins {
			r := mustNew(t, named(fmt.Sprintf("run%d", i), 100), Options{LoadFactor: c.bound})
			change, err := r.Add(Nodes("joiner")...)
			if err != nil {
				t.Fatal(err)
			}
			for m := range change.Moves(1) {
				sum += m.Range.Fraction() * 101
			}
		}
		t.Logf("bound %.2f: a join moves %.2f times the ideal", c.bound, sum/joins)
		if sum/joins > c.most || sum/joins < 0.8 {
			t.Errorf("bound %.2f: a join moves %.2f times the ideal, want at most %.2f", c.bound, sum/joins, c.most)
		}
	}
}

// TestModuloMovesNearlyAllKeysAndTheRingFew is the reason for the package: n/(n+1) of the keys against 1/(n+1).
func TestModuloMovesNearlyAllKeysAndTheRingFew(t *testing.T) {
	const keys, n = 100_000, 9
	r := mustNew(t, named("node", n), Options{})
	c, err := r.Add(Nodes("joiner")...)
	if err != nil {
		t.Fatal(err)
	}
	var modulo, jump, ring int
	for i := range keys {
		key := fmt.Sprint("key", i)
		token := Hash(key)
		if Modulo(token, n) != Modulo(token, n+1) {
			modulo++
		}
		if Jump(token, n) != Jump(token, n+1) {
			jump++
		}
		a, _ := c.Old.Get(key)
		if b, _ := c.New.Get(key); a != b {
			ring++
		}
	}
	near := func(got int, want float64, sd float64) bool { return math.Abs(float64(got)/keys-want) < 5*sd }
	binomial := math.Sqrt(0.09 / keys)
	// The joiner's share itself deviates by a sixteenth of a tenth.
	if !near(modulo, 0.9, binomial) || !near(jump, 0.1, binomial) || !near(ring, 0.1, binomial+0.1/16) {
		t.Errorf("moved: modulo %d, jump %d, ring %d of %d", modulo, jump, ring, keys)
	}
}
