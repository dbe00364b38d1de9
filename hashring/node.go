package hashring

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Node is a member. Its ID alone decides its place on the ring, unless Tokens is given.
type Node[T any] struct {
	// ID is unique and not empty: a stable name, not an address that changes.
	ID string `json:"id"`

	// Weight is the relative capacity; 0 means 1. The node gets max(1, round(Weight·VNodes)) points, at most
	// 1<<20. Weights are absolute: changing one never moves keys between two other nodes.
	Weight float64 `json:"weight,omitempty"`

	// Zone is the failure domain, set on all nodes or on none. Replicas go to distinct zones first.
	Zone string `json:"zone,omitempty"`

	// Tokens are explicit positions; nil means that they are derived from ID. A node handed out has them
	// ascending and without duplicates; that slice is shared and read-only.
	Tokens []uint64 `json:"tokens,omitempty"`

	// Value is yours: a client, a DSN, a queue. It must itself be safe to share.
	Value T `json:"-"`
}

// Nodes is the short form for plain names: the Value of each node equals its ID.
func Nodes(ids ...string) []Node[string] {
	nodes := make([]Node[string], len(ids))
	for i, id := range ids {
		nodes[i] = Node[string]{ID: id, Value: id}
	}
	return nodes
}

// normalise copies nodes, in ascending order of ID and with tidy tokens, and checks each by itself.
func normalise[T any](c *config, nodes []Node[T]) ([]Node[T], error) {
	sorted := slices.Clone(nodes)
	byID := func(a, b Node[T]) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(sorted, byID) {
		slices.SortFunc(sorted, byID)
	}
	for i := range sorted {
		n := &sorted[i]
		if err := checkNode(c, n.ID, n.Weight); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].ID == n.ID {
			return nil, fmt.Errorf("%w: Node.ID %q is given twice", ErrInvalid, n.ID)
		}
		if n.Tokens == nil {
			continue
		}
		if len(n.Tokens) == 0 {
			return nil, fmt.Errorf("%w: Node.Tokens of %q is empty, want nil or at least one token", ErrInvalid, n.ID)
		}
		n.Tokens = slices.Clone(n.Tokens)
		slices.Sort(n.Tokens)
		n.Tokens = slices.Clip(slices.Compact(n.Tokens))
	}
	return sorted, nil
}

func checkNode(c *config, id string, weight float64) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: Node.ID is empty", ErrInvalid)
	case !(weight >= 0) || math.IsInf(weight, 1): // NaN fails the comparison
		return fmt.Errorf("%w: Node.Weight of %q is %v, want a finite number, at least 0", ErrInvalid, id, weight)
	case weight*float64(c.vnodes) > maxPoints:
		return fmt.Errorf("%w: Node.Weight of %q is %v, with %d VNodes at most %v",
			ErrInvalid, id, weight, c.vnodes, float64(maxPoints)/float64(c.vnodes))
	}
	return nil
}

// checkRing checks what concerns the membership as a whole.
func checkRing[T any](c *config, nodes []Node[T]) error {
	var total uint64
	for i := range nodes {
		n := &nodes[i]
		if (n.Zone == "") != (nodes[0].Zone == "") {
			with, without := n.ID, nodes[0].ID
			if n.Zone == "" {
				with, without = without, with
			}
			return fmt.Errorf("%w: Node.Zone is set on %q and not on %q, want all nodes or none", ErrInvalid, with, without)
		}
		if n.Tokens != nil {
			total += uint64(len(n.Tokens))
		} else {
			total += uint64(c.points(n.Weight))
		}
	}
	if total > maxRing {
		return fmt.Errorf("%w: %d points in all, want at most %d; lower Options.VNodes or Node.Weight",
			ErrInvalid, total, uint64(maxRing))
	}
	return nil
}

// samePlace says whether two nodes of one ID occupy the same points, fair share and zone.
func samePlace[T any](c *config, a, b *Node[T]) bool {
	return a.Zone == b.Zone && c.points(a.Weight) == c.points(b.Weight) && slices.Equal(a.Tokens, b.Tokens)
}
