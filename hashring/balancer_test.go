package hashring

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func mustBalance[T any](tb testing.TB, r *Ring[T], factor float64) *Balancer[T] {
	tb.Helper()
	b, err := NewBalancer(r, BalancerOptions{LoadFactor: factor})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// capOf is ceil(F/2³²·total·q/Q) in big integers.
func capOf(s *Snapshot[string], factor float64, n Node[string], total int) int {
	sum := 0
	for m := range s.All() {
		sum += s.points(m.Weight)
	}
	num := new(big.Int).SetUint64(uint64(factor * factorOne))
	num.Mul(num, big.NewInt(int64(total))).Mul(num, big.NewInt(int64(s.points(n.Weight))))
	den := new(big.Int).Lsh(big.NewInt(int64(sum)), 32)
	num.Add(num, den).Sub(num, big.NewInt(1)).Div(num, den)
	return int(num.Int64())
}

func TestBalancerRefusesBadFactor(t *testing.T) {
	r := mustNew(t, Nodes("a"), Options{})
	for _, f := range []float64{1, -1, 101, math.NaN(), math.Inf(1)} {
		if _, err := NewBalancer(r, BalancerOptions{LoadFactor: f}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", f, err)
		}
	}
	if _, err := NewBalancer[string](nil, BalancerOptions{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("nil ring: %v", err)
	}
}

// TestBalancerEqualsTheNaiveModel runs random leases, releases, and membership changes against plain counters.
func TestBalancerEqualsTheNaiveModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 30 {
		factor := []float64{1.01, 1.25, 2}[rnd.IntN(3)]
		nodes := named("n", 1+rnd.IntN(6))
		for i := range nodes {
			nodes[i].Weight = float64(rnd.IntN(4))
		}
		r := mustNew(t, nodes, Options{VNodes: 8})
		b := mustBalance(t, r, factor)
		load, total := map[string]int{}, 0
		var spilled, forced uint64
		var leases []*Lease[string]
		for step := range 400 {
			switch op := rnd.IntN(10); {
			case op == 0:
				r.Remove(nodes[rnd.IntN(len(nodes))].ID)
			case op == 1:
				if _, err := r.Add(nodes[rnd.IntN(len(nodes))]); err != nil {
					t.Fatal(err)
				}
			case op < 5 && len(leases) > 0:
				i := rnd.IntN(len(leases))
				leases[i].Release()
				leases[i].Release() // does nothing
				if load[leases[i].Node.ID]--; load[leases[i].Node.ID] == 0 {
					delete(load, leases[i].Node.ID)
				}
				total--
				leases = slices.Delete(leases, i, i+1)
			default:
				key, banned := strconv.Itoa(step), ""
				if op > 7 {
					banned = nodes[rnd.IntN(len(nodes))].ID
				}
				var want *Node[string]
				var least *Node[string]
				rank := 0
				s := r.Snapshot()
				for n := range s.Walk(key) {
					if n.ID == banned {
						continue
					}
					if load[n.ID] < capOf(s, factor, n, total+1) {
						want = &n
						if rank > 0 {
							spilled++
						}
						break
					}
					if least == nil || load[n.ID]*s.points(least.Weight) < load[least.ID]*s.points(n.Weight) {
						least = &n
					}
					rank++
				}
				if want == nil && least != nil {
					want = least
					forced++
				}
				lease, ok := b.AcquireFunc(key, func(n Node[string]) bool { return n.ID != banned })
				if ok != (want != nil) || ok && lease.Node.ID != want.ID {
					t.Fatalf("step %d: lease on %v, %v, want %+v; load %v", step, lease.Node.ID, ok, want, load)
				}
				if ok {
					load[want.ID]++
					total++
					leases = append(leases, &lease)
				}
			}
			st := b.Stats()
			if st.Total != total || !mapsEqual(st.Load, load) || st.Spilled != spilled || st.Forced != forced {
				t.Fatalf("step %d: %+v, want total %d, load %v, spilled %d, forced %d", step, st, total, load, spilled, forced)
			}
		}
	}
}

func mapsEqual(a, b map[string]int) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// TestAcquireNeverExceedsTheBound has more workers than the bound lets one node hold, all after one key. With at
// most `workers` leases and attempts in all, no load may exceed the cap for that total.
func TestAcquireNeverExceedsTheBound(t *testing.T) {
	const workers, rounds = 16, 3000
	r := mustNew(t, []Node[string]{{ID: "a"}, {ID: "b", Weight: 2}, {ID: "c"}, {ID: "d", Weight: 0.5}}, Options{})
	b := mustBalance(t, r, 1.01)
	s := r.Snapshot()
	var held [4]atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				lease, ok := b.Acquire("hot")
				if !ok {
					t.Error("refused")
					return
				}
				i, _ := s.number(lease.Node.ID)
				if got, most := held[i].Add(1), capOf(s, 1.01, lease.Node, workers); int(got) > most {
					t.Errorf("%s holds %d, bound %d", lease.Node.ID, got, most)
				}
				runtime.Gosched()
				held[i].Add(-1)
				lease.Release()
			}
		})
	}
	wg.Wait()
	if st := b.Stats(); st.Total != 0 || len(st.Load) != 0 || st.Forced != 0 || st.Spilled == 0 {
		t.Errorf("after all is released: %+v", st)
	}
}

// TestTakeIsExclusive lets workers fight for the only place of one counter for a while.
func TestTakeIsExclusive(t *testing.T) {
	var l load
	var inside atomic.Int64
	var wg sync.WaitGroup
	deadline := time.Now().Add(300 * time.Millisecond)
	for range 4 {
		wg.Go(func() {
			for i := 0; i%1024 != 0 || time.Now().Before(deadline); i++ {
				if !l.take(1) {
					continue
				}
				if got := inside.Add(1); got != 1 {
					t.Errorf("%d leases in one place", got)
				}
				inside.Add(-1)
				l.n.Add(-1)
			}
		})
	}
	wg.Wait()
	if l.n.Load() != 0 {
		t.Errorf("%d leases are left", l.n.Load())
	}
	l.n.Store(retired)
	if l.take(math.MaxInt64) {
		t.Error("a lease from a retired counter")
	}
}

// TestLimitRoundsUpExactly compares with big integers, above all where the quotient is a hair over a whole number.
func TestLimitRoundsUpExactly(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	for range 10_000 {
		q := 1 + rnd.Uint64N(1<<30)
		want := 1 + rnd.Uint64N(100)
		total := 1 + rnd.Uint64N(4)
		part := (want*q<<32)/total + rnd.Uint64N(3) - 1
		if want*q > 1<<30 {
			part = rnd.Uint64N(1 << 59)
		}
		num := new(big.Int).SetUint64(part)
		num.Mul(num, new(big.Int).SetUint64(total))
		den := new(big.Int).Lsh(new(big.Int).SetUint64(q), 32)
		num.Add(num, den).Sub(num, big.NewInt(1)).Div(num, den)
		r := roster[string]{parts: []uint64{part}, total: q}
		if got := r.limit(0, int64(total)); num.IsInt64() && got != num.Int64() && got != math.MaxInt64 {
			t.Fatalf("limit(%d·%d/%d) = %d, want %v", part, total, q, got, num)
		}
	}
}

// TestBalancerSurvivesChurn changes the membership under load; at the end nothing is left, not even a counter
// of a departed node.
func TestBalancerSurvivesChurn(t *testing.T) {
	r := mustNew(t, named("n", 6), Options{VNodes: 10})
	b := mustBalance(t, r, 1.25)
	stop := make(chan struct{})
	var wg, churn sync.WaitGroup
	churn.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			id := fmt.Sprintf("n-%03d", i%5)
			r.Remove(id)
			runtime.Gosched()
			if _, err := r.Add(Node[string]{ID: id}, Node[string]{ID: fmt.Sprint("passing", i)}); err != nil {
				t.Error(err)
			}
			r.Remove(fmt.Sprint("passing", i))
		}
	})
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				lease, ok := b.AcquireFunc(fmt.Sprint(g, i), func(n Node[string]) bool { return n.ID != "n-001" })
				if !ok {
					t.Error("refused")
				}
				other, _ := b.Acquire("hot")
				lease.Release()
				runtime.Gosched()
				other.Release()
			}
		})
	}
	wg.Wait()
	close(stop)
	churn.Wait()
	st := b.Stats()
	if st.Total != 0 || len(st.Load) != 0 {
		t.Errorf("after all is released: %+v", st)
	}
	if len(b.byID) != r.Snapshot().Len() {
		t.Errorf("%d counters for %d nodes", len(b.byID), r.Snapshot().Len())
	}
}

func TestDepartedNodeKeepsItsCounterUntilZero(t *testing.T) {
	r := mustNew(t, Nodes("a"), Options{})
	b := mustBalance(t, r, 0)
	lease, _ := b.Acquire("key")
	r.Remove("a")
	if _, ok := b.Acquire("key"); ok {
		t.Error("a lease on an empty ring")
	}
	if st := b.Stats(); st.Total != 1 || st.Load["a"] != 1 {
		t.Errorf("departed with a lease: %+v", st)
	}
	if _, err := r.Add(Nodes("a")...); err != nil {
		t.Fatal(err)
	}
	if st := b.Stats(); st.Load["a"] != 1 {
		t.Errorf("back again: %+v", st)
	}
	r.Remove("a")
	b.Stats()
	lease.Release()
	if st := b.Stats(); st.Total != 0 || len(st.Load) != 0 || len(b.byID) != 0 {
		t.Errorf("released after it left: %+v", st)
	}
}

func TestUnhealthyNodesDegradeSoftly(t *testing.T) {
	r := mustNew(t, Nodes("a", "b", "c", "d"), Options{})
	b := mustBalance(t, r, 1.25)
	healthy := func(n Node[string]) bool { return n.ID == "a" }
	for range 100 { // three of four are down: the last takes all, over its bound
		if lease, ok := b.AcquireFunc("key", healthy); !ok || lease.Node.ID != "a" {
			t.Fatalf("lease on %q, %v", lease.Node.ID, ok)
		}
	}
	st := b.Stats()
	if st.Load["a"] != 100 || st.Forced == 0 {
		t.Errorf("%+v", st)
	}
	if _, ok := b.AcquireFunc("key", func(Node[string]) bool { return false }); ok {
		t.Error("a lease though no node is allowed")
	}
	func() {
		defer func() { _ = recover() }()
		b.AcquireFunc("key", func(Node[string]) bool { panic("health check") })
	}()
	if got := b.Stats().Total; got != 100 {
		t.Errorf("total is %d after a refusal and a panic, want 100", got)
	}
}
