package hashring

import (
	"cmp"
	"iter"
	"slices"
)

// Snapshot is one immutable version of a ring: several answers of one snapshot belong together.
// It is safe for concurrent use and stays valid for ever.
type Snapshot[T any] struct {
	config
	placement
	nodes []Node[T] // ascending by ID
}

// Get returns the value of the node that owns the key; false only on an empty ring.
func (s *Snapshot[T]) Get(key string) (T, bool) {
	if len(s.nodes) == 0 {
		var none T
		return none, false
	}
	return s.nodes[s.own.owner(s.token(key))].Value, true
}

// GetN returns the values of the first min(n, nodes) nodes of the key's preference order, each node once.
// n below 1 gives none.
func (s *Snapshot[T]) GetN(key string, n int) []T {
	if n = min(n, len(s.nodes)); n <= 0 {
		return nil
	}
	return s.AppendN(make([]T, 0, n), key, n)
}

// AppendN appends what GetN returns to dst. With room in dst it does not allocate up to 16 nodes and 8 zones.
func (s *Snapshot[T]) AppendN(dst []T, key string, n int) []T {
	if n = min(n, len(s.nodes)); n <= 0 {
		return dst
	}
	token := s.token(key)
	var list short
	if s.zones == nil && n <= len(list) { // few, but each value goes to dst at once
		pos, owner := s.locate(token)
		list[0] = owner
		dst = append(dst, s.nodes[owner].Value)
		for k := 1; k < n; k++ {
			pos = s.ring.next(pos, list[:k])
			list[k] = s.ring.owners[pos]
			dst = append(dst, s.nodes[list[k]].Value)
		}
		return dst
	}
	if s.few(&list, n, token) {
		for _, i := range list[:n] {
			dst = append(dst, s.nodes[i].Value)
		}
		return dst
	}
	left := n
	s.walk(len(s.nodes), token, func(i uint32) bool {
		dst = append(dst, s.nodes[i].Value)
		left--
		return left > 0
	})
	return dst
}

// Walk yields all nodes in the preference order of the key, lazily, each node once: the owner first, then the
// node that would own the key without it, and so on; with zones, distinct zones first.
func (s *Snapshot[T]) Walk(key string) iter.Seq[Node[T]] {
	return func(yield func(Node[T]) bool) { s.walkKey(key, yield) }
}

// Token returns the position of a key on the ring, which may be stored beside the row.
func (s *Snapshot[T]) Token(key string) uint64 { return s.token(key) }

// TokenBytes is Token without a copy of the key.
func (s *Snapshot[T]) TokenBytes(key []byte) uint64 { return s.tokenBytes(key) }

// Owner returns the node that owns a token; false only on an empty ring.
func (s *Snapshot[T]) Owner(token uint64) (Node[T], bool) {
	if len(s.nodes) == 0 {
		return Node[T]{}, false
	}
	return s.nodes[s.own.owner(token)], true
}

// WalkToken is Walk for a token.
func (s *Snapshot[T]) WalkToken(token uint64) iter.Seq[Node[T]] {
	return func(yield func(Node[T]) bool) { s.walkToken(token, yield) }
}

// The walks are functions and not the bodies of the iterators, so that those stay small enough to be inlined:
// then a loop over Walk does not allocate. For the same reason walkKey takes a nil snapshot, of a zero Ring.

func (s *Snapshot[T]) walkKey(key string, yield func(Node[T]) bool) {
	if s != nil {
		s.walkToken(s.token(key), yield)
	}
}

func (s *Snapshot[T]) walkToken(token uint64, yield func(Node[T]) bool) {
	if len(s.nodes) > 0 {
		s.walk(len(s.nodes), token, func(i uint32) bool { return yield(s.nodes[i]) })
	}
}

// Node returns the node with that ID.
func (s *Snapshot[T]) Node(id string) (Node[T], bool) {
	if i, ok := s.number(id); ok {
		return s.nodes[i], true
	}
	return Node[T]{}, false
}

func (s *Snapshot[T]) number(id string) (int, bool) {
	return slices.BinarySearchFunc(s.nodes, id, func(n Node[T], id string) int { return cmp.Compare(n.ID, id) })
}

// All yields the nodes in ascending order of ID.
func (s *Snapshot[T]) All() iter.Seq[Node[T]] { return slices.Values(s.nodes) }

// Len returns the number of nodes.
func (s *Snapshot[T]) Len() int { return len(s.nodes) }

// With returns what Ring.Add would give, without changing anything: a what-if.
func (s *Snapshot[T]) With(nodes ...Node[T]) (*Snapshot[T], error) {
	added, err := normalise(&s.config, nodes)
	if err != nil {
		return nil, err
	}
	after := make([]Node[T], 0, len(s.nodes)+len(added))
	i := 0
	for _, n := range added {
		for ; i < len(s.nodes) && s.nodes[i].ID < n.ID; i++ {
			after = append(after, s.nodes[i])
		}
		if i < len(s.nodes) && s.nodes[i].ID == n.ID {
			i++
		}
		after = append(after, n)
	}
	after = append(after, s.nodes[i:]...)
	return s.replaced(after)
}

// Without returns what Ring.Remove would give, without changing anything.
func (s *Snapshot[T]) Without(ids ...string) *Snapshot[T] {
	leaving := make(map[string]bool, len(ids))
	for _, id := range ids {
		leaving[id] = true
	}
	after := make([]Node[T], 0, len(s.nodes))
	for _, n := range s.nodes {
		if !leaving[n.ID] {
			after = append(after, n)
		}
	}
	if len(after) == len(s.nodes) {
		return s
	}
	// A part of a valid membership is valid.
	return &Snapshot[T]{config: s.config, nodes: after, placement: replace(&s.config, &s.placement, s.nodes, after)}
}

// exactly returns the snapshot of exactly these nodes.
func (s *Snapshot[T]) exactly(nodes []Node[T]) (*Snapshot[T], error) {
	after, err := normalise(&s.config, nodes)
	if err != nil {
		return nil, err
	}
	return s.replaced(after)
}

// replaced returns the snapshot of normalised nodes, with the options of s.
func (s *Snapshot[T]) replaced(after []Node[T]) (*Snapshot[T], error) {
	if err := checkRing(&s.config, after); err != nil {
		return nil, err
	}
	return &Snapshot[T]{config: s.config, nodes: after, placement: replace(&s.config, &s.placement, s.nodes, after)}, nil
}
