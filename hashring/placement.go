package hashring

import "slices"

// placement is all that depends on IDs, weights, tokens and zones, but not on values. It is immutable.
type placement struct {
	ring   table    // all points
	own    table    // who owns which token: ring itself, or the arcs after the bound was applied
	zones  []table  // the points of each zone; none without zones
	names  []string // of the zones, ascending
	zoneOf []uint32 // zone by node
}

// place computes the placement of nodes, which are normalised.
func place[T any](c *config, nodes []Node[T]) placement {
	var p placement
	if len(nodes) == 0 {
		return p
	}
	p.ring = buildTable(c, nodes, nil)
	if nodes[0].Zone != "" {
		p.names, p.zoneOf = zonesOf(nodes)
		p.zones = make([]table, len(p.names))
		for z, picked := range p.members(nil) {
			p.zones[z] = buildTable(c, nodes, picked)
		}
	}
	p.own = bounded(c, nodes, p.ring)
	return p
}

// replace computes the placement of after from p, that of before: the points of nodes that are the same in both
// are kept, those of the others are taken out and merged in. Where most differ, it builds anew.
func replace[T any](c *config, p *placement, before, after []Node[T]) placement {
	renumber, joined := compare(c, before, after)
	left := 0
	for _, to := range renumber {
		if to == gone {
			left++
		}
	}
	switch {
	case left == 0 && len(joined) == 0:
		return *p
	case len(after) == 0 || 2*len(joined) > len(after) || 2*left > len(before):
		return place(c, after)
	}
	next := placement{ring: merge(p.ring, renumber, buildSome(c, after, joined))}
	if after[0].Zone != "" {
		next.names, next.zoneOf = zonesOf(after)
		next.zones = make([]table, len(next.names))
		for z, picked := range next.members(joined) {
			var old table
			if i, ok := slices.BinarySearch(p.names, next.names[z]); ok {
				old = p.zones[i]
			}
			next.zones[z] = merge(old, renumber, buildSome(c, after, picked))
		}
	}
	next.own = bounded(c, after, next.ring)
	return next
}

// compare matches two memberships by ID. renumber gives for each node of before its number in after, or gone
// when it left or takes another place now; joined lists the nodes of after that are new or take another place.
func compare[T any](c *config, before, after []Node[T]) (renumber, joined []uint32) {
	renumber = make([]uint32, len(before))
	i := 0
	for j := range after {
		for ; i < len(before) && before[i].ID < after[j].ID; i++ {
			renumber[i] = gone
		}
		if i < len(before) && before[i].ID == after[j].ID {
			if samePlace(c, &before[i], &after[j]) {
				renumber[i] = uint32(j)
			} else {
				renumber[i] = gone
				joined = append(joined, uint32(j))
			}
			i++
			continue
		}
		joined = append(joined, uint32(j))
	}
	for ; i < len(before); i++ {
		renumber[i] = gone
	}
	return renumber, joined
}

// buildSome is buildTable where no nodes picked means no points.
func buildSome[T any](c *config, nodes []Node[T], picked []uint32) table {
	if len(picked) == 0 {
		return table{}
	}
	return buildTable(c, nodes, picked)
}

// zonesOf returns the names of the zones, ascending, and the zone of each node.
func zonesOf[T any](nodes []Node[T]) (names []string, zoneOf []uint32) {
	names = make([]string, len(nodes))
	for i := range nodes {
		names[i] = nodes[i].Zone
	}
	slices.Sort(names)
	names = slices.Clip(slices.Compact(names))
	zoneOf = make([]uint32, len(nodes))
	for i := range nodes {
		z, _ := slices.BinarySearch(names, nodes[i].Zone)
		zoneOf[i] = uint32(z)
	}
	return names, zoneOf
}

// members lists the nodes of each zone, ascending; of the picked ones only, unless picked is nil.
func (p *placement) members(picked []uint32) [][]uint32 {
	members := make([][]uint32, len(p.names))
	if picked != nil {
		for _, i := range picked {
			members[p.zoneOf[i]] = append(members[p.zoneOf[i]], i)
		}
		return members
	}
	for i, z := range p.zoneOf {
		members[z] = append(members[z], uint32(i))
	}
	return members
}
