package hashring

import "fmt"

// Spec is a snapshot as plain data, for JSON: without values and without a custom Hash. Seed and Fingerprint
// are strings in JSON, since many readers of JSON round 64-bit numbers; Tokens are numbers.
type Spec struct {
	VNodes      int              `json:"vnodes"`
	LoadFactor  float64          `json:"load_factor,omitempty"`
	Seed        uint64           `json:"seed,omitempty,string"`
	HashTags    bool             `json:"hash_tags,omitempty"`
	Nodes       []Node[struct{}] `json:"nodes"`
	Fingerprint uint64           `json:"fingerprint,omitempty,string"`
}

// Spec returns the snapshot as plain data, with its fingerprint. It contains the seed.
func (s *Snapshot[T]) Spec() Spec {
	nodes := make([]Node[struct{}], len(s.nodes))
	for i := range s.nodes {
		n := &s.nodes[i]
		nodes[i] = Node[struct{}]{ID: n.ID, Weight: n.Weight, Zone: n.Zone, Tokens: n.Tokens}
	}
	return Spec{
		VNodes:      s.vnodes,
		LoadFactor:  s.factor,
		Seed:        s.seed,
		HashTags:    s.tags,
		Nodes:       nodes,
		Fingerprint: s.Fingerprint(),
	}
}

// FromSpec builds the ring of a spec and, when the fingerprint is not 0, checks that this process places keys
// as the writer of the spec did; if not, it is ErrIncomparable. hash is Options.Hash, nil for XXH64. value
// supplies the Value of each node; nil leaves them zero, and its error ends the call.
func FromSpec[T any](spec Spec, hash func(string) uint64, value func(id string) (T, error)) (*Ring[T], error) {
	nodes := make([]Node[T], len(spec.Nodes))
	for i, n := range spec.Nodes {
		nodes[i] = Node[T]{ID: n.ID, Weight: n.Weight, Zone: n.Zone, Tokens: n.Tokens}
		if value == nil {
			continue
		}
		v, err := value(n.ID)
		if err != nil {
			return nil, fmt.Errorf("hashring: value of node %q: %w", n.ID, err)
		}
		nodes[i].Value = v
	}
	r, err := New(nodes, Options{
		VNodes: spec.VNodes, LoadFactor: spec.LoadFactor, Seed: spec.Seed, HashTags: spec.HashTags, Hash: hash,
	})
	if err != nil {
		return nil, err
	}
	if got := r.Snapshot().Fingerprint(); spec.Fingerprint != 0 && got != spec.Fingerprint {
		return nil, fmt.Errorf("%w: fingerprint of the spec is %d, of the ring built from it %d",
			ErrIncomparable, spec.Fingerprint, got)
	}
	return r, nil
}
