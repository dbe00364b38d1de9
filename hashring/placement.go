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

// bounded says whether a bound may have given arcs to others than the nodes whose points end them.
func (p *placement) bounded() bool { return &p.own.owners[0] != &p.ring.owners[0] }

// locate returns the owner of token and the position in p.ring after which the walk to the other nodes begins: that
// of the owner's point or, where a bound has given the arc away, the one before that of the arc, which may be -1.
// Unless arcs were divided, both tables have the same points, and one search does.
func (p *placement) locate(token uint64) (pos int, owner uint32) {
	pos = p.ring.find(token)
	if len(p.own.tokens) == len(p.ring.tokens) {
		owner = p.own.owners[pos]
	} else {
		owner = p.own.owner(token)
	}
	if p.ring.owners[pos] != owner {
		pos--
	}
	return pos, owner
}

// place computes the placement of nodes, which are normalised.
func place[T any](c *config, nodes []Node[T]) placement {
	var p placement
	if len(nodes) == 0 {
		return p
	}
	p.ring = buildAll(c, nodes)
	if nodes[0].Zone != "" {
		p.names, p.zoneOf = zonesOf(nodes)
		p.zones = make([]table, len(p.names))
		all := make([]uint32, len(nodes))
		for i := range all {
			all[i] = uint32(i)
		}
		for z, picked := range p.members(all) {
			p.zones[z] = buildSome(c, nodes, picked)
		}
	}
	p.own = bounded(c, nodes, p.ring)
	return p
}

// replace computes the placement of after from p, that of before: the points of nodes that are the same in both
// are kept, those of the others are taken out and merged in. Where most differ, it builds anew.
func replace[T any](c *config, p *placement, before, after []Node[T]) placement {
	if len(before) == 0 || len(after) == 0 {
		return place(c, after)
	}
	d := compare(c, before, after)
	switch {
	case len(d.left) == 0 && len(d.joined) == 0:
		return *p
	case 2*len(d.joined) > len(after) || 2*len(d.left) > len(before):
		return place(c, after)
	}
	next := placement{ring: merge(p.ring, d.renumber, buildSome(c, before, d.left), buildSome(c, after, d.joined))}
	if after[0].Zone != "" {
		next.names, next.zoneOf = zonesOf(after)
		next.zones = make([]table, len(next.names))
		left := p.members(d.left)
		for z, joined := range next.members(d.joined) {
			var old, leaving table
			if i, ok := slices.BinarySearch(p.names, next.names[z]); ok {
				old, leaving = p.zones[i], buildSome(c, before, left[i])
			}
			next.zones[z] = merge(old, d.renumber, leaving, buildSome(c, after, joined))
		}
	}
	next.own = bounded(c, after, next.ring)
	return next
}

// compare matches two memberships by ID.
func compare[T any](c *config, before, after []Node[T]) delta {
	d := delta{renumber: make([]uint32, len(before))}
	j := 0
	for i := range before {
		for ; j < len(after) && after[j].ID < before[i].ID; j++ {
			d.joined = append(d.joined, uint32(j))
		}
		if j < len(after) && after[j].ID == before[i].ID {
			if samePlace(c, &before[i], &after[j]) {
				d.renumber[i] = uint32(j)
				j++
				continue
			}
			d.joined = append(d.joined, uint32(j))
			j++
		}
		d.renumber[i] = gone
		d.left = append(d.left, uint32(i))
	}
	for ; j < len(after); j++ {
		d.joined = append(d.joined, uint32(j))
	}
	return d
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

// members lists the picked nodes by zone, in their order.
func (p *placement) members(picked []uint32) [][]uint32 {
	members := make([][]uint32, len(p.names))
	for _, i := range picked {
		members[p.zoneOf[i]] = append(members[p.zoneOf[i]], i)
	}
	return members
}
