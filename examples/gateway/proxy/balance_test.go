package proxy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pool makes machines a, b, c, … of the given weights, all ready.
func pool(tb testing.TB, policy string, weights ...float64) *Pool {
	tb.Helper()
	var machines []Machine
	for i, w := range weights {
		machines = append(machines, Machine{Name: string(rune('a' + i)), Weight: w})
	}
	p, err := NewPool(policy, 1, machines...)
	if err != nil {
		tb.Fatal(err)
	}
	for _, m := range machines {
		p.Set(m.Name, Ready)
	}
	return p
}

func acquire(tb testing.TB, p *Pool, key string) *Lease {
	tb.Helper()
	l, err := p.Acquire(key)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// choices acquires and releases n times and returns the names.
func choices(tb testing.TB, p *Pool, n int) string {
	tb.Helper()
	var names strings.Builder
	for range n {
		l := acquire(tb, p, "key")
		names.WriteString(l.Machine.Name)
		l.Release()
	}
	return names.String()
}

func TestRoundRobinIsInTurnAndSkipsWhoIsNotReady(t *testing.T) {
	p := pool(t, "round", 1, 1, 1)
	if got := choices(t, p, 6); got != "abcabc" {
		t.Errorf("got %s", got)
	}
	p.Set("b", Draining)
	if got := choices(t, p, 4); got != "caca" {
		t.Errorf("without b %s", got)
	}
}

func TestWeightedIsSmooth(t *testing.T) {
	if got := choices(t, pool(t, "weighted", 5, 1, 1), 14); got != "aabacaaaabacaa" {
		t.Errorf("got %s", got)
	}
}

func TestLeastLooksAtLoadForTheWeight(t *testing.T) {
	p := pool(t, "least", 1, 3)
	count := map[string]int{}
	for range 40 {
		count[acquire(t, p, "").Machine.Name]++
	}
	if count["a"] != 10 || count["b"] != 30 {
		t.Errorf("got %v", count)
	}
	if got := choices(t, pool(t, "least", 1, 1, 1), 6); got != "bcabca" {
		t.Errorf("equals do not take turns: %s", got)
	}
}

func TestTwoAvoidsTheLoadedMachine(t *testing.T) {
	p := pool(t, "two", 1, 1, 1, 1)
	for range 4000 {
		acquire(t, p, "")
	}
	for _, s := range p.Status() {
		if math.Abs(float64(s.InFlight)-1000) > 20 { // one draw instead of two would be off by 27 on average
			t.Errorf("%+v", s)
		}
	}
}

func TestHashKeepsAUserWhereHeIs(t *testing.T) {
	for _, policy := range []string{"hash", "bounded"} {
		p, home := pool(t, policy, 1, 1, 1), map[string]string{}
		at := func(user string) string {
			l := acquire(t, p, user)
			defer l.Release()
			return l.Machine.Name
		}
		for i := range 300 {
			user := fmt.Sprint("user-", i)
			home[user] = at(user)
		}
		p.Set("b", Down)
		for user, was := range home {
			if now := at(user); now == "b" || was != "b" && now != was {
				t.Errorf("%s: %s moved from %s to %s", policy, user, was, now)
			}
		}
		p.Set("b", Ready)
		for user, was := range home {
			if at(user) != was {
				t.Errorf("%s: %s does not come back to %s", policy, user, was)
			}
		}
	}
}

// TestBoundedNeverPassesItsBound runs random programs; the bound is computed here, of all machines that are ready.
func TestBoundedNeverPassesItsBound(t *testing.T) {
	for seed := range uint64(20) {
		rng, p, weights := rand.New(rand.NewPCG(seed, 0)), pool(t, "bounded", 1, 1, 2, 4), []float64{1, 1, 2, 4}
		var leases []*Lease
		load := map[string]int{}
		for range 2000 {
			if len(leases) > 0 && rng.IntN(3) == 0 {
				i := rng.IntN(len(leases))
				load[leases[i].Machine.Name]--
				leases[i].Release()
				leases = slices.Delete(leases, i, i+1)
				continue
			}
			l := acquire(t, p, []string{"hot", strconv.Itoa(rng.IntN(50))}[rng.IntN(2)])
			leases = append(leases, l)
			load[l.Machine.Name]++
			bound := math.Ceil(LoadFactor * float64(len(leases)) * weights[l.Machine.Name[0]-'a'] / 8)
			if float64(load[l.Machine.Name]) > bound {
				t.Fatalf("seed %d: %s has %d of %d, bound %v", seed, l.Machine.Name, load[l.Machine.Name], len(leases), bound)
			}
		}
	}
}

func TestABoundMustNotTurnAPartialFailureIntoAFullOne(t *testing.T) {
	p := pool(t, "bounded", 1, 1, 1)
	p.Set("a", Down)
	p.Set("b", Draining)
	for range 10 { // more than the bound of c alone
		if l := acquire(t, p, "key"); l.Machine.Name != "c" {
			t.Errorf("got %s", l.Machine.Name)
		}
	}
}

func TestReleaseTwiceCountsOnceWithEveryPolicy(t *testing.T) {
	for _, policy := range Policies() {
		p := pool(t, policy, 1, 2)
		l := acquire(t, p, "key")
		l.Release()
		l.Release()
		for _, s := range p.Status() {
			if s.InFlight != 0 || s.State != Ready {
				t.Errorf("%s: %+v", policy, s)
			}
		}
	}
}

func TestNobodyIsReady(t *testing.T) {
	for _, policy := range Policies() {
		p := pool(t, policy, 1)
		p.Set("a", Draining)
		p.Set("nobody", Ready)
		if _, err := p.Acquire("key"); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %v", policy, err)
		}
	}
}

func TestBadMachinesAndPoliciesAreRefused(t *testing.T) {
	for _, machines := range [][]Machine{{{}}, {{Name: "a"}, {Name: "a"}}, {{Name: "a", Weight: -1}}, {{Name: "a", Weight: math.NaN()}}} {
		if _, err := NewPool("least", 1, machines...); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", machines, err)
		}
	}
	if _, err := NewPool("random", 1); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestAMachineThatHasLeftGetsNothing(t *testing.T) {
	for _, policy := range Policies() {
		p := pool(t, policy, 1, 1, 1)
		held := acquire(t, p, "key")
		p.Remove(held.Machine.Name)
		p.Remove("nobody")
		held.Release()
		for i := range 50 {
			l := acquire(t, p, strconv.Itoa(i))
			if l.Machine.Name == held.Machine.Name {
				t.Errorf("%s: %s has left", policy, l.Machine.Name)
			}
			l.Release()
		}
		if s := p.status(held.Machine.Name); s.State != Down || len(p.Status()) != 2 {
			t.Errorf("%s: %+v", policy, s)
		}
	}
}
