package hashring

// Subset returns the ring of the first n nodes of Walk(key): a shuffle shard. A tenant that is given the
// subset of its name shares all of its nodes with few other tenants, and a change of membership alters at
// most one node of it. n below 1 gives an empty ring, n of at least Len the snapshot itself.
func (s *Snapshot[T]) Subset(key string, n int) *Snapshot[T] {
	if n >= len(s.nodes) {
		return s
	}
	after := make([]Node[T], 0, max(n, 0))
	if n > 0 {
		chosen := make([]bool, len(s.nodes))
		for i := range s.order(s.token(key)) {
			chosen[i] = true
			if n--; n == 0 {
				break
			}
		}
		for i, in := range chosen {
			if in {
				after = append(after, s.nodes[i])
			}
		}
	}
	return &Snapshot[T]{config: s.config, nodes: after, placement: replace(&s.config, &s.placement, s.nodes, after)}
}
