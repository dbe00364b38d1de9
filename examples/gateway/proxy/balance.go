package proxy

import (
	"math/rand/v2"

	"github.com/sysblocks/sysblocks/hashring"
)

// LoadFactor is how much more than its fair share of the requests in flight the policy bounded lets a machine have.
const LoadFactor = 1.25

// Policies are the names of all policies.
func Policies() []string { return []string{"round", "weighted", "least", "two", "hash", "bounded"} }

// policy chooses a machine. The pool calls it under its lock, so a policy needs none of its own.
type policy interface {
	join(m *member) error
	leave(m *member)
	// pick returns one of the ready members, of which there is at least one, and what to call when the request has ended.
	pick(key string, ready []*member) (m *member, release func())
}

// chooser is a policy that needs to know nothing but the members that are ready.
type chooser func(ready []*member) *member

func (chooser) join(*member) error { return nil }
func (chooser) leave(*member)      {}

func (c chooser) pick(_ string, ready []*member) (*member, func()) { return c(ready), func() {} }

// newPolicy makes a policy by its name, nil for an unknown one.
func newPolicy(name string, seed uint64) policy {
	switch name {
	case "round":
		return round()
	case "weighted":
		return chooser(weighted)
	case "least":
		return least()
	case "two":
		return two(rand.New(rand.NewPCG(seed, 2)))
	case "hash", "bounded":
		return newHashed(name == "bounded")
	}
	return nil
}

// round is round robin: each in turn. It has three problems: it takes no notice of what a request costs, of what a machine can do,
// and of what is under way there already.
func round() chooser {
	turn := -1
	return func(ready []*member) *member {
		turn = (turn + 1) % len(ready)
		return ready[turn]
	}
}

// weighted is smooth weighted round robin: every machine earns its weight at each turn, the richest is chosen and pays for all.
// Weights 2 and 1 give a b a, not a a b: a strong machine gets no bursts.
func weighted(ready []*member) *member {
	total, best := 0.0, ready[0]
	for _, m := range ready {
		m.credit += m.Weight
		total += m.Weight
		if m.credit > best.credit {
			best = m
		}
	}
	best.credit -= total
	return best
}

// least takes the machine with the fewest requests in flight for its weight. Equals take turns, or else the first one would
// get all of a light load.
func least() chooser {
	turn := 0
	return func(ready []*member) *member {
		turn = (turn + 1) % len(ready)
		best := ready[turn]
		for i := range ready {
			if m := ready[(turn+i)%len(ready)]; m.loadWithOneMore() < best.loadWithOneMore() {
				best = m
			}
		}
		return best
	}
}

// two draws two machines, now and then the same twice, and takes the less loaded. That is nearly as good as looking at all of them, and better when what is
// known of the load is old: not everybody runs to the same machine.
func two(rng *rand.Rand) chooser {
	return func(ready []*member) *member {
		a := ready[rng.IntN(len(ready))]
		b := ready[rng.IntN(len(ready))]
		if b.loadWithOneMore() < a.loadWithOneMore() {
			return b
		}
		return a
	}
}

// hashed sends equal keys to equal machines, which find what they need in their caches. A machine that is not ready stays on
// the ring: its keys go to the next on their way, and come back with it.
//
// A key can be hot. Then the balancer bounds what each machine has in flight, and what is too much spills to the next.
type hashed struct {
	ring  *hashring.Ring[*member]
	bound *hashring.Balancer[*member] // nil: plain
}

// newHashed returns nil if the package refuses its defaults, which it does not.
func newHashed(bounded bool) policy {
	ring, err := hashring.New[*member](nil, hashring.Options{})
	if err != nil {
		return nil
	}
	h := &hashed{ring: ring}
	if bounded {
		if h.bound, err = hashring.NewBalancer(ring, hashring.BalancerOptions{LoadFactor: LoadFactor}); err != nil {
			return nil
		}
	}
	return h
}

func (h *hashed) join(m *member) error {
	_, err := h.ring.Add(hashring.Node[*member]{ID: m.Name, Weight: m.Weight, Value: m})
	return err
}

func (h *hashed) leave(m *member) { h.ring.Remove(m.Name) }

func (h *hashed) pick(key string, ready []*member) (*member, func()) {
	if h.bound != nil {
		if lease, ok := h.bound.AcquireFunc(key, func(n hashring.Node[*member]) bool { return n.Value.state == Ready }); ok {
			return lease.Node.Value, lease.Release
		}
	}
	for node := range h.ring.Walk(key) {
		if node.Value.state == Ready {
			return node.Value, func() {}
		}
	}
	return ready[0], func() {} // not reached: every ready member is on the ring
}
